// `madeleine migrate` and what `madeleine doctor` can only learn from the database itself.

import type { DoctorFinding, MigrationReport } from '../cli/commands/program.js';
import type { Config } from '../config.js';
import type { Database } from '../storage/mysql/sql/database.js';
import type { DatabaseFinding } from '../storage/mysql/sql/durability.js';
import { assertSchemaUsable, migrate, readSchemaState, SCHEMA_VERSION } from '../storage/mysql/sql/schema.js';
import type { Logger } from '../telemetry.js';
import { type DatabaseHandle, databaseFindings, openDatabase } from './database.js';

/** Clocks further apart than this are worth a word: leases follow the database's clock, people read ours. */
const MAX_CLOCK_DIFFERENCE_MS = 1_000;

export interface MaintenanceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly nowMs: () => number;
}

/** Brings the schema up to date. */
export async function migrateSchema(options: MaintenanceOptions): Promise<MigrationReport> {
  const handle = await openDatabase({ ...options, random: Math.random, beside: true });
  try {
    const applied = await migrate(handle.database);
    return { version: SCHEMA_VERSION, applied };
  } finally {
    await handle.close();
  }
}

/** Looks at the database; never rejects. */
export async function inspectServerSide(options: MaintenanceOptions): Promise<readonly DoctorFinding[]> {
  const opened = await openDatabase({ ...options, random: Math.random, beside: true }).catch((error: unknown) => error);
  if (!isHandle(opened)) {
    const mend = 'start the database, correct --database-url, or leave it out for the embedded database';
    return [{ check: 'database', state: 'problem', detail: messageOf(opened), mend }];
  }
  try {
    return [
      { check: 'database', state: 'ok', detail: `${opened.label} answers` },
      ...(await databaseFindings(opened.database)).map(settingFinding),
      await clockFinding(opened.database, options.nowMs),
      await schemaFinding(opened.database),
    ];
  } catch (error) {
    return [{ check: 'database', state: 'problem', detail: messageOf(error) }];
  } finally {
    await opened.close();
  }
}

function isHandle(value: unknown): value is DatabaseHandle {
  return typeof value === 'object' && value !== null && 'database' in value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function settingFinding({ name, value, durable, advice }: DatabaseFinding): DoctorFinding {
  const state = durable ? (advice === undefined ? 'ok' : 'warning') : 'problem';
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

async function schemaFinding(database: Database): Promise<DoctorFinding> {
  const state = await readSchemaState(database);
  try {
    assertSchemaUsable(state);
  } catch (error) {
    return { check: 'schema', state: 'problem', detail: messageOf(error), mend: 'run the newer madeleine' };
  }
  if (state.version >= SCHEMA_VERSION) return { check: 'schema', state: 'ok', detail: `version ${state.version}` };
  const detail = state.version === 0 ? 'none yet' : `version ${state.version}, behind ${SCHEMA_VERSION}`;
  return { check: 'schema', state: 'warning', detail, mend: 'madeleine serve or madeleine migrate will make it' };
}
