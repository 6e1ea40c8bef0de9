// Which engine a database server is, and what of this product was tested on it. Engines that imitate another one answer with its
// variables too: what a server is, is told by what only that engine has.

/** Settings, and some of the counters, of a server, by their names in lower case. */
export type ServerVariables = ReadonlyMap<string, string>;

export interface Engine {
  readonly name: 'MariaDB' | 'MySQL' | 'TiDB';
  /** Numbers only, without what distributors add. */
  readonly version: string;
  readonly cluster: Cluster | undefined;
}

/** Servers that keep the same data. */
export interface Cluster {
  readonly name: 'Galera' | 'Group Replication';
  /** Whether more than one of them takes writes. */
  readonly hasManyWriters: boolean;
}

/** What recognizeEngine looks at. */
export const ENGINE_VARIABLES: readonly string[] = [
  ...['version', 'version_comment', 'aria_pagecache_buffer_size', 'tidb_txn_mode'],
  ...['wsrep_on', 'group_replication_group_name', 'group_replication_single_primary_mode'],
];

export function recognizeEngine(variables: ServerVariables): Engine {
  const name = engineName(variables);
  const said = variables.get('version') ?? '';
  const [version = said] = (name === 'TiDB' ? said.replace(/^.*TiDB-v?/i, '') : said).match(/^\d+(\.\d+)*/) ?? [];
  return { name, version, cluster: clusterOf(variables) };
}

/** "MySQL 9.7.4, Group Replication". */
export function describeEngine({ name, version, cluster }: Engine): string {
  return [`${name} ${version}`.trim(), cluster?.name].filter((part) => part !== undefined).join(', ');
}

/** What of this product was run on an engine. */
export interface Tested {
  /** One sentence or a part of it. */
  readonly what: string;
  /** Whether that is enough to rely on. */
  readonly isEnough: boolean;
}

export function testedOn({ name, version, cluster }: Engine): Tested {
  if (cluster !== undefined) return { what: BY_HAND[cluster.name], isEnough: false };
  if (name === 'TiDB') return { what: BY_HAND.TiDB, isEnough: false };
  const { series, what } = SUITES[name];
  if (`${version}.`.startsWith(`${series}.`)) return { what, isEnough: true };
  const { MariaDB, MySQL } = SUITES;
  const others = `tests run on MariaDB ${MariaDB.series} and MySQL ${MySQL.series}`;
  return { what: `expected to work, but nothing was run on it: ${others}`, isEnough: false };
}

const SUITES = {
  MariaDB: { series: '10.11', what: 'every test runs on it' },
  MySQL: { series: '9.7', what: 'the storage, integration and cluster tests run on it' },
} as const;

const BY_HAND = {
  Galera: 'not tested; let every instance connect to the same node: Galera loses updates when several are written to',
  'Group Replication':
    'tried by hand with MySQL 9.7, three nodes and one primary: after a fail-over, instances have to be started with its address',
  TiDB: 'tried by hand with 8.5 on one node that keeps nothing: SQL, isolation and locks, but not whether commits last',
} as const;

function engineName(variables: ServerVariables): Engine['name'] {
  const said = `${variables.get('version')} ${variables.get('version_comment')}`;
  if (variables.has('tidb_txn_mode') || /tidb/i.test(said)) return 'TiDB';
  if (variables.has('aria_pagecache_buffer_size') || /mariadb/i.test(said)) return 'MariaDB';
  return 'MySQL';
}

/** What the server is meant for: the name of a group is set where Group Replication is only prepared, too. */
function clusterOf(variables: ServerVariables): Cluster | undefined {
  if (isOn(variables.get('wsrep_on'))) return { name: 'Galera', hasManyWriters: true };
  if (!variables.get('group_replication_group_name')) return undefined;
  const hasManyWriters = !isOn(variables.get('group_replication_single_primary_mode'));
  return { name: 'Group Replication', hasManyWriters };
}

export function isOn(value: string | undefined): boolean {
  return value !== undefined && !['OFF', '0', ''].includes(value.toUpperCase());
}
