// Whether a database keeps what it commits, and the other server settings that this product relies on. Reads only.

import {
  describeEngine,
  ENGINE_VARIABLES,
  type Engine,
  isOn,
  recognizeEngine,
  type ServerVariables,
  testedOn,
} from './engine.js';

/** Runs one statement and returns its rows, each an object by column name. */
export type QueryRows = (sql: string) => Promise<readonly object[]>;

/** One setting of the database server, as it is, and what to do about it. */
export interface DatabaseFinding {
  /** Name of the server variable, or `engine`. */
  readonly name: string;
  /** Its value, as the server writes it. */
  readonly value: string;
  /** False: with this value a crash may lose commits that were answered. */
  readonly durable: boolean;
  /** `problem`: this server cannot be used, or only with loss; `warning`: it can, within limits. */
  readonly state: 'ok' | 'warning' | 'problem';
  /** What it means and how to mend it, one sentence; absent when nothing is wrong. */
  readonly advice?: string;
}

type Verdict = Pick<DatabaseFinding, 'durable' | 'state'> & { readonly advice?: string };

const OK: Verdict = { durable: true, state: 'ok' };
const lossy = (advice: string): Verdict => ({ durable: false, state: 'problem', advice });
const problem = (advice: string): Verdict => ({ durable: true, state: 'problem', advice });
const warning = (advice: string): Verdict => ({ durable: true, state: 'warning', advice });

/** 16 MiB: both servers' default. A group's bytes stay below half of it, and one push may bring 4 MiB. */
const MIN_PACKET_BYTES = 16 * 1024 * 1024;

/** A pool of the default size and the connections beside it. */
const MIN_CONNECTIONS = 16;
const MIN_PREPARED = 4_000;
const MIN_IDLE_S = 30;
const MIN_PAGE_BYTES = 8_192;

type Checks = Readonly<Record<string, (value: string, all: ServerVariables) => Verdict>>;

/** What each variable of a server with InnoDB has to be: those first on which it rests that commits last. */
const INNODB: Checks = {
  innodb_flush_log_at_trx_commit: (value) =>
    value === '1' || value === '3'
      ? OK
      : lossy(
          'commits are not flushed at once: SET GLOBAL innodb_flush_log_at_trx_commit = 1, and in its configuration',
        ),
  innodb_doublewrite: (value) =>
    ['ON', '1', 'DETECT_AND_RECOVER'].includes(value.toUpperCase())
      ? OK
      : lossy('pages torn by a crash cannot be mended: innodb_doublewrite = ON in its configuration, and restart it'),
  innodb_flush_method: (value) =>
    ['nosync', 'littlesync'].includes(value.toLowerCase())
      ? lossy('files are not flushed: innodb_flush_method = O_DIRECT in its configuration, and restart it')
      : OK,
  sync_binlog: (value, all) =>
    value === '1' || !isOn(all.get('log_bin'))
      ? OK
      : lossy(
          'the binary log decides after a crash and is not flushed: SET GLOBAL sync_binlog = 1, and in its configuration',
        ),
  log_bin: () => OK,
  // MySQL alone has this one, a counter among its settings.
  innodb_redo_log_enabled: (value) =>
    isOn(value) ? OK : lossy('nothing survives a crash: ALTER INSTANCE ENABLE INNODB REDO_LOG'),
  binlog_format: (value, all) =>
    value.toUpperCase() === 'STATEMENT' && isOn(all.get('log_bin'))
      ? problem(
          'READ COMMITTED cannot be written to a log of statements: SET GLOBAL binlog_format = ROW, and in its configuration',
        )
      : OK,
  innodb_read_only: (value) =>
    isOn(value)
      ? problem('the server takes no writes: innodb_read_only = OFF in its configuration, and restart it')
      : OK,
  innodb_force_recovery: (value) =>
    value === '0'
      ? OK
      : problem('the server was started to be mended and may refuse writes: innodb_force_recovery = 0, and restart it'),
  enforce_storage_engine: (value) =>
    ['', 'INNODB', 'NULL'].includes(value.toUpperCase())
      ? OK
      : problem('tables have to be InnoDB, for transactions: SET GLOBAL enforce_storage_engine = NULL'),
  innodb_page_size: (value) =>
    Number(value) >= MIN_PAGE_BYTES
      ? OK
      : problem('too small for the rows of events: a server that was made with innodb_page_size = 16384 is needed'),
};

/** What TiDB has to say; it has variables of InnoDB too, which mean nothing there. */
const TIDB: Checks = {
  tidb_txn_mode: (value) =>
    value === 'pessimistic'
      ? OK
      : problem('rows are not locked when they are read: SET GLOBAL tidb_txn_mode = pessimistic'),
};

/** What each variable has to be on every engine. A variable that a server does not have is not looked at. */
const GENERAL: Checks = {
  read_only: (value) => (isOn(value) ? problem(readOnly('read_only')) : OK),
  super_read_only: (value) => (isOn(value) ? problem(readOnly('super_read_only')) : OK),
  offline_mode: (value) =>
    isOn(value) ? problem('the server takes no connections of ours: SET GLOBAL offline_mode = OFF') : OK,
  // TiDB has no limit where this is 0, nor where max_prepared_stmt_count is -1.
  max_connections: (value) =>
    value === '0' || Number(value) >= MIN_CONNECTIONS ? OK : warning(fewConnections('max_connections')),
  max_user_connections: (value) =>
    value === '0' || Number(value) >= MIN_CONNECTIONS ? OK : warning(fewConnections('max_user_connections')),
  max_prepared_stmt_count: (value) =>
    value === '-1' || Number(value) >= MIN_PREPARED
      ? OK
      : problem(
          `too few for connections of up to 200 each: SET GLOBAL max_prepared_stmt_count = 16382, and in its configuration`,
        ),
  wait_timeout: (value) =>
    Number(value) >= MIN_IDLE_S
      ? OK
      : warning('idle connections are closed at once and made again: SET GLOBAL wait_timeout = 28800'),
  max_allowed_packet: (value) =>
    Number(value) >= MIN_PACKET_BYTES
      ? OK
      : problem('too small for a group of pushes: SET GLOBAL max_allowed_packet = 67108864, and in its configuration'),
};

/** Looks at the server that the query reaches, in the order in which people should read the findings. */
export async function inspectDatabase(query: QueryRows): Promise<readonly DatabaseFinding[]> {
  return judgeVariables(await readVariables(query));
}

/** The variables and counters of the server that the query reaches, as far as they matter here. */
export async function readVariables(query: QueryRows): Promise<ServerVariables> {
  const names = [...ENGINE_VARIABLES, ...Object.keys({ ...INNODB, ...TIDB, ...GENERAL })];
  const list = names.map((name) => `'${name}'`).join(', ');
  const variables = new Map<string, string>();
  for (const kind of ['VARIABLES', 'STATUS']) {
    const rows = await query(`SHOW GLOBAL ${kind} WHERE Variable_name IN (${list})`);
    for (const row of rows as readonly VariableRow[]) {
      variables.set(row.Variable_name.toLowerCase(), String(row.Value));
    }
  }
  return variables;
}

interface VariableRow {
  readonly Variable_name: string;
  readonly Value: string;
}

/** The findings for variables by name; those that are missing are left out, but for the ones that durability rests on. */
export function judgeVariables(variables: ServerVariables): readonly DatabaseFinding[] {
  const engine = recognizeEngine(variables);
  const checks = { ...(engine.name === 'TiDB' ? TIDB : INNODB), ...GENERAL };
  const required = engine.name === 'TiDB' ? [] : REQUIRED;
  const found = Object.entries(checks).flatMap(([name, check]) => {
    const value = variables.get(name);
    if (value !== undefined) return [{ name, value, ...check(value, variables) }];
    return required.includes(name)
      ? [{ name, value: '', ...lossy('the server does not say: it cannot be relied on') }]
      : [];
  });
  return [engineFinding(engine), ...found];
}

/** Names the engine, and says what was tested on it. */
function engineFinding(engine: Engine): DatabaseFinding {
  const { what, isEnough } = testedOn(engine);
  const value = isEnough ? `${describeEngine(engine)}: ${what}` : describeEngine(engine);
  return { name: 'engine', value, ...(judgeEngine(engine) ?? (isEnough ? OK : warning(what))) };
}

/** Why it cannot be used; undefined where it can. */
function judgeEngine({ name, version, cluster }: Engine): Verdict | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  // SKIP LOCKED and enforced CHECKs are what older ones lack.
  const isTooOld = name === 'MariaDB' ? major < 10 || (major === 10 && minor < 6) : name === 'MySQL' && major < 8;
  if (isTooOld) return problem('too old: MariaDB 10.6 or MySQL 8.0 at least');
  return cluster?.name === 'Group Replication' && cluster.hasManyWriters ? problem(ONE_PRIMARY) : undefined;
}

const ONE_PRIMARY =
  'rows are locked on one member only: SELECT group_replication_switch_to_single_primary_mode(), and let every instance connect to the primary';

const REQUIRED: readonly string[] = ['innodb_flush_log_at_trx_commit', 'innodb_doublewrite'];

/** The findings because of which answered commits may be lost: a server with any is refused unless told otherwise. */
export function lossyFindings(findings: readonly DatabaseFinding[]): readonly DatabaseFinding[] {
  return findings.filter(({ durable }) => !durable);
}

/** The findings because of which this server cannot be worked with at all. */
export function unusableFindings(findings: readonly DatabaseFinding[]): readonly DatabaseFinding[] {
  return findings.filter(({ durable, state }) => durable && state === 'problem');
}

function fewConnections(name: string): string {
  return `an instance needs ${MIN_CONNECTIONS} with the default --db-pool, and more with others: SET GLOBAL ${name} = 500`;
}

function readOnly(name: string): string {
  return `the server takes no writes: connect to the primary, or SET GLOBAL ${name} = OFF where this is it`;
}
