// `madeleine migrate` and what `madeleine doctor` can only learn from the database itself, or from the server that has it.

import type { DoctorFinding, DoctorWish, MigrationReport } from '../cli/commands/program.js';
import type { Config } from '../config.js';
import { EmbeddedMariadb } from '../storage/embedded/embedded-mariadb.js';
import { embeddedOutlook } from '../storage/embedded/embedded-outlook.js';
import { migrate, SCHEMA_VERSION } from '../storage/mysql/sql/schema.js';
import type { Logger } from '../telemetry.js';
import { assertUsable, connectDatabase, databaseName, openDatabase } from './database.js';
import { databaseProblem, inspect } from './inspection.js';
import { askRunningServer, type RunningServer } from './running-server.js';

export interface MaintenanceOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly nowMs: () => number;
  /** Once aborted, an embedded database that was started is killed within the call. */
  readonly killed?: AbortSignal;
}

/** Brings the schema up to date. */
export async function migrateSchema(options: MaintenanceOptions): Promise<MigrationReport> {
  const handle = await openDatabase({ ...options, random: Math.random, beside: true });
  try {
    await assertUsable(handle.database);
    const applied = await migrate(handle.database);
    return { version: SCHEMA_VERSION, applied };
  } finally {
    await handle.close();
  }
}

/**
 * Looks at the database that the running server has, or else at the one that the settings name. Starts and changes nothing, and
 * never rejects.
 */
export async function inspectServerSide(options: MaintenanceOptions & DoctorWish): Promise<readonly DoctorFinding[]> {
  const { config, namesDatabase = config.databaseUrl !== '' } = options;
  const running = await askRunningServer(config.httpListen);
  if (running === undefined) return inspectNamed(options);
  const { inspection } = running;
  const isNamed = !namesDatabase || inspection?.database === databaseName(config);
  if (inspection !== undefined && isNamed) return [readinessFinding(running), ...inspection.findings];
  const named = await inspectNamed(options);
  return [readinessFinding(running), ...(inspection === undefined ? [] : [otherFinding(running)]), ...named];
}

function readinessFinding({ address, reasons }: RunningServer): DoctorFinding {
  if (reasons.length === 0) return { check: 'readiness', state: 'ok', detail: `the server at ${address} is ready` };
  return {
    check: 'readiness',
    state: 'problem',
    detail: `the server at ${address} is not ready: ${reasons.join('; ')}`,
  };
}

function otherFinding({ address, inspection }: RunningServer): DoctorFinding {
  const detail = `the server at ${address} has ${inspection?.database}, which is not the one that is looked at here`;
  return { check: 'running server', state: 'warning', detail, mend: 'give both the same --database-url or --data-dir' };
}

/** Looks at the database that the settings name. */
async function inspectNamed(options: MaintenanceOptions): Promise<readonly DoctorFinding[]> {
  const { config, nowMs } = options;
  try {
    const url = config.databaseUrl || (await EmbeddedMariadb.living(config.dataDir));
    if (url === undefined) return [{ check: 'database', ...(await embeddedOutlook(config.dataDir)) }];
    const handle = await connectDatabase({ config, url, random: Math.random });
    try {
      return (await inspect(handle, nowMs)).findings;
    } finally {
      await handle.close();
    }
  } catch (error) {
    return [
      databaseProblem(error, 'start the database, correct --database-url, or leave it out for the embedded database'),
    ];
  }
}
