// What a server's database is like, as far as it matters to us: told by the server that has it open, or by whoever asks beside it.

import type { DoctorFinding } from '../cli/commands/program.js';
import { clockCondition, type DeletionCondition } from '../engine/retention/deletion-condition.js';
import { reservedConsumers } from '../storage/mysql/consumers/reserved-names.js';
import { readStandingClock } from '../storage/mysql/retention/standing-clock.js';
import type { Database } from '../storage/mysql/sql/database.js';
import type { DatabaseFinding } from '../storage/mysql/sql/durability.js';
import { assertSchemaUsable, readSchemaState, SCHEMA_VERSION, type SchemaState } from '../storage/mysql/sql/schema.js';
import { type DatabaseHandle, databaseFindings } from './database.js';

/** Clocks further apart than this are worth a word: leases follow the database's clock, people read ours. */
const MAX_CLOCK_DIFFERENCE_MS = 1_000;

/** What is said of one database. */
export interface Inspection {
  /** Which one: its name. */
  readonly database: string;
  readonly findings: readonly DoctorFinding[];
}

/** Looks at an open database; never rejects. `deletion`: how it is, where a server says it; else what the database tells of it. */
export async function inspect(
  { database, name }: Pick<DatabaseHandle, 'database' | 'name'>,
  nowMs: () => number,
  deletion?: DeletionCondition,
): Promise<Inspection> {
  try {
    const settings = await databaseFindings(database);
    const findings: readonly DoctorFinding[] = [
      { check: 'database', state: 'ok', detail: `${name} answers` },
      ...settings.map(settingFinding),
      await clockFinding(database, nowMs),
      ...(await schemaFindings(database, deletion)),
    ];
    return { database: name, findings };
  } catch (error) {
    return { database: name, findings: [databaseProblem(error)] };
  }
}

/** The finding that the database cannot be looked at. */
export function databaseProblem(error: unknown, mend?: string): DoctorFinding {
  return { check: 'database', state: 'problem', detail: messageOf(error), ...(mend === undefined ? {} : { mend }) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function settingFinding({ name, value, state, advice }: DatabaseFinding): DoctorFinding {
  return { check: name, state, detail: value, ...(advice === undefined ? {} : { mend: advice }) };
}

async function clockFinding(database: Database, nowMs: () => number): Promise<DoctorFinding> {
  const before = nowMs();
  const rows = await database.query<{ ms: number }>('SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS UNSIGNED) AS ms');
  const difference = Math.round((rows[0]?.ms ?? 0) - (before + nowMs()) / 2);
  const detail = `the database's differs by ${difference} ms`;
  if (Math.abs(difference) <= MAX_CLOCK_DIFFERENCE_MS) return { check: 'clock', state: 'ok', detail };
  return { check: 'clock', state: 'warning', detail, mend: 'let NTP keep both clocks' };
}

async function schemaFindings(
  database: Database,
  deletion: DeletionCondition | undefined,
): Promise<readonly DoctorFinding[]> {
  const state = await readSchemaState(database);
  const { version } = state;
  return [
    schemaFinding(state),
    ...(version === 0 ? [] : await namesFindings(database)),
    ...(version < SCHEMA_VERSION
      ? []
      : deletionFindings(deletion ?? clockCondition(await readStandingClock(database)))),
  ];
}

/** A deletion that stands lets the log grow for ever. */
function deletionFindings(condition: DeletionCondition | undefined): readonly DoctorFinding[] {
  if (condition === undefined) return [];
  const { state, detail, mend } = condition;
  return [
    { check: 'deletion', state: state === 'down' ? 'problem' : 'ok', detail, ...(mend === undefined ? {} : { mend }) },
  ];
}

async function namesFindings(database: Database): Promise<readonly DoctorFinding[]> {
  const detail = await reservedConsumers(database);
  if (detail === undefined) return [];
  const mend =
    'such names are for the server from a later version on: go on under another name, beginning after the offset';
  return [{ check: 'consumer names', state: 'warning', detail, mend }];
}

function schemaFinding(state: SchemaState): DoctorFinding {
  try {
    assertSchemaUsable(state);
  } catch (error) {
    return { check: 'schema', state: 'problem', detail: messageOf(error), mend: 'run the newer madeleine' };
  }
  if (state.version >= SCHEMA_VERSION) return { check: 'schema', state: 'ok', detail: `version ${state.version}` };
  const detail = state.version === 0 ? 'none yet' : `version ${state.version}, behind ${SCHEMA_VERSION}`;
  return { check: 'schema', state: 'warning', detail, mend: 'madeleine serve or madeleine migrate will make it' };
}
