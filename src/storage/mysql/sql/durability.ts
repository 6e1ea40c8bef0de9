// Whether a database keeps what it commits, and the other server settings that this product relies on. Reads only.

/** Runs one statement and returns its rows, each an object by column name. */
export type QueryRows = (sql: string) => Promise<readonly object[]>;

/** One setting of the database server, as it is, and what to do about it. */
export interface DatabaseFinding {
  /** Name of the server variable. */
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

const SINGLE_PRIMARY = 'SELECT group_replication_switch_to_single_primary_mode()';
const ONE_WRITER =
  'Galera loses updates when several nodes are written to: let every instance connect to the same node, without read/write splitting';

/** What each variable has to be. A variable that a server does not have (wsrep_on in MySQL) is not looked at. */
const CHECKS: Readonly<Record<string, (value: string, all: ReadonlyMap<string, string>) => Verdict>> = {
  version: checkVersion,
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
  binlog_format: (value, all) =>
    value.toUpperCase() === 'STATEMENT' && isOn(all.get('log_bin'))
      ? problem(
          'READ COMMITTED cannot be written to a log of statements: SET GLOBAL binlog_format = ROW, and in its configuration',
        )
      : OK,
  wsrep_on: (value) => (isOn(value) ? warning(ONE_WRITER) : OK),
  read_only: (value) => (isOn(value) ? problem(readOnly('read_only')) : OK),
  super_read_only: (value) => (isOn(value) ? problem(readOnly('super_read_only')) : OK),
  innodb_read_only: (value) =>
    isOn(value)
      ? problem('the server takes no writes: innodb_read_only = OFF in its configuration, and restart it')
      : OK,
  innodb_force_recovery: (value) =>
    value === '0'
      ? OK
      : problem('the server was started to be mended and may refuse writes: innodb_force_recovery = 0, and restart it'),
  offline_mode: (value) =>
    isOn(value) ? problem('the server takes no connections of ours: SET GLOBAL offline_mode = OFF') : OK,
  group_replication_single_primary_mode: (value, all) =>
    isOn(value) || !isOn(all.get('group_replication_group_name'))
      ? OK
      : problem(`the order of commits needs one primary: ${SINGLE_PRIMARY}`),
  enforce_storage_engine: (value) =>
    ['', 'INNODB', 'NULL'].includes(value.toUpperCase())
      ? OK
      : problem('tables have to be InnoDB, for transactions: SET GLOBAL enforce_storage_engine = NULL'),
  innodb_page_size: (value) =>
    Number(value) >= MIN_PAGE_BYTES
      ? OK
      : problem('too small for the rows of events: a server that was made with innodb_page_size = 16384 is needed'),
  max_connections: (value) => (Number(value) >= MIN_CONNECTIONS ? OK : warning(fewConnections('max_connections'))),
  max_user_connections: (value) =>
    value === '0' || Number(value) >= MIN_CONNECTIONS ? OK : warning(fewConnections('max_user_connections')),
  max_prepared_stmt_count: (value) =>
    Number(value) >= MIN_PREPARED
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

/** Needed to judge others. */
const CONTEXT_NAMES = ['group_replication_group_name'];

/** Looks at the server that the query reaches, in the order in which people should read the findings. */
export async function inspectDatabase(query: QueryRows): Promise<readonly DatabaseFinding[]> {
  const names = [...Object.keys(CHECKS), ...CONTEXT_NAMES];
  const list = names.map((name) => `'${name}'`).join(', ');
  const rows = await query(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${list})`);
  return judgeVariables(new Map((rows as readonly VariableRow[]).map((row) => [row.Variable_name, String(row.Value)])));
}

interface VariableRow {
  readonly Variable_name: string;
  readonly Value: string;
}

/** The findings for variables by name; those that are missing are left out, but for the ones that durability rests on. */
export function judgeVariables(variables: ReadonlyMap<string, string>): readonly DatabaseFinding[] {
  return Object.entries(CHECKS).flatMap(([name, check]) => {
    const value = variables.get(name);
    if (value !== undefined) return [{ name, value, ...check(value, variables) }];
    return REQUIRED.has(name) ? [{ name, value: '', ...lossy('the server does not say: it cannot be relied on') }] : [];
  });
}

const REQUIRED: ReadonlySet<string> = new Set(['innodb_flush_log_at_trx_commit', 'innodb_doublewrite']);

/** The findings because of which answered commits may be lost: a server with any is refused unless told otherwise. */
export function lossyFindings(findings: readonly DatabaseFinding[]): readonly DatabaseFinding[] {
  return findings.filter(({ durable }) => !durable);
}

/** The findings because of which this server cannot be worked with at all. */
export function unusableFindings(findings: readonly DatabaseFinding[]): readonly DatabaseFinding[] {
  return findings.filter(({ durable, state }) => durable && state === 'problem');
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && !['OFF', '0', ''].includes(value.toUpperCase());
}

function fewConnections(name: string): string {
  return `an instance needs ${MIN_CONNECTIONS} with the default --db-pool, and more with others: SET GLOBAL ${name} = 500`;
}

function readOnly(name: string): string {
  return `the server takes no writes: connect to the primary, or SET GLOBAL ${name} = OFF where this is it`;
}

/** SKIP LOCKED and enforced CHECKs are what older ones lack. */
function checkVersion(version: string): Verdict {
  const [major = 0, minor = 0] = version.split('.').map(Number.parseFloat);
  const isMariadb = /mariadb/i.test(version);
  const isNewEnough = isMariadb ? major > 10 || (major === 10 && minor >= 6) : major >= 8;
  if (isNewEnough) return OK;
  return problem('too old: MariaDB 10.6 or MySQL 8.0 at least; MariaDB 10.11 is what this was tested with');
}
