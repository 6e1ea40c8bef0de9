// Opens the database that the settings name: the embedded one or a server's, reachable, durable, of a schema that we know.

import { resolve } from 'node:path';
import type { Config } from '../config.js';
import { orAbort } from '../lib/or-abort.js';
import { EmbeddedMariadb } from '../storage/embedded/embedded-mariadb.js';
import { Database } from '../storage/mysql/sql/database.js';
import {
  type DatabaseFinding,
  inspectDatabase,
  lossyFindings,
  unusableFindings,
} from '../storage/mysql/sql/durability.js';
import { ServerChange } from '../storage/mysql/sql/server-change.js';
import type { Logger } from '../telemetry.js';

/** Why the database cannot be used: one sentence for the operator. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

export interface DatabaseHandle {
  readonly url: string;
  readonly database: Database;
  /** Tells and is told when the server is not the one to talk to any more; for those who connect to it beside the pool. */
  readonly serverChange: ServerChange;
  /** The database's name for people: host and port, or `embedded`. */
  readonly label: string;
  /** What tells this database from every other one: host, port and name, or the embedded one's directory. */
  readonly name: string;
  /** Closes the connections, and stops the embedded database. */
  close(): Promise<void>;
}

export interface OpenDatabaseOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly random: () => number;
  /** Gives a start up: rejects as soon as what was started has ended. */
  readonly signal?: AbortSignal;
  /** Once aborted, the embedded database is killed within the call. */
  readonly killed?: AbortSignal | undefined;
  /** Whether to use the embedded database of a server that runs already, instead of refusing because it does. */
  readonly beside?: boolean;
}

/** Connects, starting the embedded database if none is named. Rejects with one sentence when it cannot. */
export async function openDatabase({
  config,
  logger,
  random,
  signal = new AbortController().signal,
  killed,
  beside = false,
}: OpenDatabaseOptions): Promise<DatabaseHandle> {
  const isEmbedded = config.databaseUrl === '';
  const living = isEmbedded && beside ? await EmbeddedMariadb.living(config.dataDir) : undefined;
  const embedded =
    isEmbedded && living === undefined
      ? new EmbeddedMariadb({ dataDir: config.dataDir, logger, ...(killed && { killed }) })
      : undefined;
  const giveUp = () => void embedded?.stop();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    const url = living ?? (await embedded?.start())?.url ?? config.databaseUrl;
    signal.throwIfAborted();
    const connecting = connectDatabase({ config, url, random });
    const handle = await orAbort(connecting, signal).catch((error: unknown) => {
      // Nobody else closes what comes too late.
      connecting.then((late) => late.close()).catch(() => {});
      throw error;
    });
    const close = async () => {
      await handle.close();
      await embedded?.stop();
    };
    return { ...handle, close };
  } catch (error) {
    await embedded?.stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/** Connects to a database that runs. Rejects with one sentence when it cannot. */
export async function connectDatabase({
  config,
  url,
  random,
}: Pick<OpenDatabaseOptions, 'config' | 'random'> & { readonly url: string }): Promise<DatabaseHandle> {
  const label = config.databaseUrl === '' ? 'embedded' : new URL(url).host;
  const serverChange = new ServerChange();
  const database = new Database({ url, poolSize: config.databasePool, random, serverChange });
  try {
    await database.query('SELECT 1');
  } catch (error) {
    await database.close();
    throw new DatabaseError(`the database at ${label} cannot be used: ${causeOf(error)}`, { cause: error });
  }
  return { url, serverChange, database, label, name: databaseName(config), close: () => database.close() };
}

/** Which database the settings name: host, port and name, or the embedded one's directory. */
export function databaseName({ databaseUrl, dataDir }: Config): string {
  if (databaseUrl === '') return `the embedded database in ${resolve(dataDir)}`;
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

/** What the driver says, without the password that it never repeats. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  // The pool's own words ask whether it is full.
  if (cause instanceof Error && cause.name === 'KnexTimeoutError') return 'it did not answer in time';
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || cause.name : String(cause);
}

/** Refuses a server that cannot be worked with, before anything of it is changed. */
export async function assertUsable(database: Database): Promise<readonly DatabaseFinding[]> {
  const findings = await databaseFindings(database);
  const unusable = unusableFindings(findings);
  if (unusable.length > 0) throw new DatabaseError(`the database cannot be used: ${sentenceOf(unusable)}`);
  return findings;
}

/** Refuses a server that cannot be worked with, or may lose commits, unless the settings allow that. */
export async function assertFit(database: Database, { config, logger }: OpenDatabaseOptions): Promise<void> {
  const lossy = lossyFindings(await assertUsable(database));
  if (lossy.length === 0) return;
  if (!config.allowLossy) {
    throw new DatabaseError(
      `the database may lose commits in a crash: ${sentenceOf(lossy)}; mend it or start with --allow-lossy`,
    );
  }
  logger.warn(
    { settings: lossy.map(({ name, value }) => `${name}=${value}`) },
    'serving although the database may lose commits',
  );
}

function sentenceOf(findings: readonly DatabaseFinding[]): string {
  return findings
    .map(({ name, value, advice }) => `${name} is ${value}${advice === undefined ? '' : ` (${advice})`}`)
    .join('; ');
}

/** The settings of the database server that matter. */
export function databaseFindings(database: Database): Promise<readonly DatabaseFinding[]> {
  return inspectDatabase((sql) => database.query<object>(sql));
}
