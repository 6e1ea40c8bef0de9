// Brings the schema to this program's version, one migrator at a time, and refuses one that is too new.

import type { Knex } from 'knex';
import { MIGRATIONS, type Migration } from '../migrations/index.js';
import type { Database, Queries } from './database.js';
import { migrationLock } from './dialect.js';
import { classifySqlError } from './sql-errors.js';

/** The schema that this program makes and expects. */
export const SCHEMA_VERSION = MIGRATIONS.length;
/** The oldest program that can work with this schema. Within a major version migrations only add, so it stays. */
const MIN_APP_VERSION = 1;
const LOCK_SECONDS = 60;
/** Longer than the lock is waited for. */
const SESSION_TIMEOUT_MS = (LOCK_SECONDS + 5) * 1_000;

/** One sentence for the operator. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

export interface SchemaState {
  /** 0: an empty database. */
  readonly version: number;
  readonly minAppVersion: number;
}

/** The schema's version as stored; 0 where there is none. */
export async function readSchemaState(database: Database): Promise<SchemaState> {
  const found = await database.query(
    "SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'schema_info'",
  );
  if (found.length === 0) return { version: 0, minAppVersion: 0 };
  const rows = await database.query<{ version: number; min_app_version: number }>(
    'SELECT version, min_app_version FROM schema_info WHERE id = 1',
  );
  return { version: rows[0]?.version ?? 0, minAppVersion: rows[0]?.min_app_version ?? 0 };
}

/** Throws SchemaError when the database was made by a newer program that this one cannot work with. */
export function assertSchemaUsable(state: SchemaState): void {
  if (state.minAppVersion <= SCHEMA_VERSION) return;
  throw new SchemaError(
    `the database has schema version ${state.version}, which needs a newer madeleine: this one knows version ${SCHEMA_VERSION}`,
  );
}

/** Applies what is missing; returns the names of what was applied. Safe to call from several instances at once. */
export async function migrate(database: Database): Promise<readonly string[]> {
  try {
    return await database.withSession((session) => migrateLocked(database, session), SESSION_TIMEOUT_MS);
  } catch (error) {
    throw classifySqlError(error) === 'other' ? refusedBySchema(error) : error;
  }
}

/** What the server says of a statement that it refuses, without the statement. What was done before it is found and kept. */
function refusedBySchema(error: unknown): unknown {
  const { sqlMessage } = (error ?? {}) as { sqlMessage?: string };
  if (sqlMessage === undefined) return error;
  const message = `the schema could not be migrated: ${sqlMessage}; mend it and start again, what was done is kept`;
  return new SchemaError(message, { cause: error });
}

async function migrateLocked(database: Database, session: Queries): Promise<readonly string[]> {
  const [current] = await session.query<{ name: string }>('SELECT DATABASE() AS name');
  const lock = migrationLock(current?.name ?? '');
  const [row] = await session.query<{ held: number }>(`SELECT GET_LOCK(?, ${LOCK_SECONDS}) AS held`, [lock]);
  if (row?.held !== 1) throw new SchemaError(`another instance is migrating the schema for ${LOCK_SECONDS} s already`);
  try {
    const state = await readSchemaState(database);
    assertSchemaUsable(state);
    return state.version >= SCHEMA_VERSION ? [] : await applyMissing(database.knex);
  } finally {
    await session.query('SELECT RELEASE_LOCK(?)', [lock]);
  }
}

async function applyMissing(knex: Knex): Promise<readonly string[]> {
  const config: Knex.MigratorConfig = {
    tableName: 'schema_migration',
    disableTransactions: true,
    migrationSource: {
      getMigrations: async () => [...MIGRATIONS],
      getMigrationName: (migration: Migration) => migration.name,
      getMigration: async (migration: Migration) => ({ up: (on: Knex) => migration.up(on), down: refuseDown }),
    },
  };
  // Left behind by a migrator that was killed; we hold the real lock.
  await knex.migrate.forceFreeMigrationsLock(config);
  const [, applied] = (await knex.migrate.latest(config)) as [number, string[]];
  await knex.raw(`CREATE TABLE IF NOT EXISTS schema_info (
    id TINYINT UNSIGNED NOT NULL PRIMARY KEY, version INT UNSIGNED NOT NULL, min_app_version INT UNSIGNED NOT NULL
  ) ENGINE=InnoDB`);
  await knex.raw(
    `INSERT INTO schema_info (id, version, min_app_version) VALUES (1, ?, ?)
     ON DUPLICATE KEY UPDATE version = VALUES(version), min_app_version = VALUES(min_app_version)`,
    [SCHEMA_VERSION, MIN_APP_VERSION],
  );
  return applied;
}

async function refuseDown(): Promise<void> {
  throw new SchemaError('migrations only go forward');
}
