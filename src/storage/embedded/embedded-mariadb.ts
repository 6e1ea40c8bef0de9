// The embedded database: a MariaDB server of our own, run as a child beside us on a private data directory. It is found,
// prepared, started, kept alive, adopted after a crash of ours, and stopped here. Nothing here speaks SQL.

import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { doubledMs } from '../../domain/backoff.js';
import type { Logger } from '../../telemetry.js';
import type { Millis } from '../../units.js';
import { asRoot, EmbeddedDirectory } from './embedded-directory.js';
import { EmbeddedDatabaseError } from './embedded-error.js';
import { DirectoryLock } from './embedded-lock.js';
import { causeIn, readLogSince, waitsForSpace } from './embedded-log.js';
import { MariadbProcess } from './embedded-process.js';
import { defaultSearchDirectories, findPrograms, type MariadbPrograms } from './embedded-programs.js';

const DATABASE = 'madeleine';

const MIB = 1024 * 1024;
const MIN_BUFFER_POOL_BYTES = 64 * MIB;
const MAX_BUFFER_POOL_BYTES = 8192 * MIB;

const RESTARTS = { baseMs: 100, capMs: 10_000 };
/** How long a database has to live to be started again without the delays that came before. */
const STEADY_MS = 60_000;
const PROGRESS_MS = 5_000;

export interface EmbeddedMariadbOptions {
  /** Directory of the database, created where it is missing; one server process may use it at a time. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Where the programs are looked for; PATH and the system's directories unless told. */
  readonly searchDirectories?: readonly string[];
  /** Memory for InnoDB's pages; unless told a quarter of the machine's (or container's), from 64 MiB to 8 GiB. */
  readonly bufferPoolBytes?: number;
  /** How long a start may take, recovery after a crash included; 2 minutes unless told. */
  readonly startTimeoutMs?: Millis;
  /** How long an orderly stop may take before the database is killed, which loses nothing; 4 s unless told. */
  readonly stopTimeoutMs?: Millis;
  /** Once aborted, whatever runs is killed at once, within the call; a durable database recovers from that. */
  readonly killed?: AbortSignal;
}

/**
 * | state    | entered                           | left                                                        |
 * |----------|-----------------------------------|-------------------------------------------------------------|
 * | idle     | at first; after stop()            | start()                                                     |
 * | starting | start()                           | the database greets: running; a failure, or stop(): idle    |
 * | running  | the database greets               | its process ends: restarting; stop(): idle                  |
 * | restarting | its process ended by itself     | it greets again: running (same port); stop(): idle          |
 */
export class EmbeddedMariadb {
  readonly #options: EmbeddedMariadbOptions;
  readonly #logger: Logger;
  #stopping = new AbortController();
  #starting: Promise<unknown> | undefined;
  #supervision: Promise<void> | undefined;
  #lock: DirectoryLock | undefined;
  #process: MariadbProcess | undefined;

  constructor(options: EmbeddedMariadbOptions) {
    this.#options = options;
    this.#logger = options.logger;
    options.killed?.addEventListener('abort', () => this.#kill(), { once: true });
  }

  /** URL of the database that a server runs in the directory now; undefined when none does. Starts and changes nothing. */
  static async living(dataDir: string): Promise<string | undefined> {
    const directory = await EmbeddedDirectory.find(dataDir);
    if (directory === undefined) return undefined;
    const running = await MariadbProcess.find(directory.data);
    if (running === undefined || !(await running.answers())) return undefined;
    return databaseUrl(await directory.storedPassword(), running.port);
  }

  /** Process id of the database while it runs. */
  get pid(): number | undefined {
    return this.#process?.alive ? this.#process.pid : undefined;
  }

  /**
   * Resolves, once the database answers, with the URL of a user who owns the database `madeleine` and nothing else. The URL
   * stays right until `stop()`, also when the database has to be started again. Rejects with EmbeddedDatabaseError.
   */
  async start(): Promise<{ readonly url: string }> {
    if (this.#starting !== undefined) throw new EmbeddedDatabaseError('the embedded database was started already');
    this.#stopping = new AbortController();
    const starting = this.#start();
    this.#starting = starting;
    try {
      return await starting;
    } catch (error) {
      await this.#release();
      if (error instanceof EmbeddedDatabaseError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new EmbeddedDatabaseError(`the embedded database could not be started: ${reason}`, { cause: error });
    }
  }

  /** Stops the database and resolves once its process is gone. Ends a start that is under way. Never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#starting?.catch(() => {});
    await this.#process?.stop(this.#options.stopTimeoutMs ?? 4_000);
    await this.#supervision;
    await this.#release();
  }

  async #start(): Promise<{ readonly url: string }> {
    if (process.platform !== 'linux') {
      throw new EmbeddedDatabaseError('the embedded database needs Linux: set MADELEINE_DATABASE_URL instead');
    }
    const programs = await findPrograms(this.#options.searchDirectories ?? defaultSearchDirectories());
    const directory = await EmbeddedDirectory.open(this.#options.dataDir);
    this.#lock = await DirectoryLock.acquire(directory.path);
    await directory.prepare({ install: programs.install, signal: this.#stopping.signal });
    const password = await directory.readPassword();
    await directory.writeInitFile(DATABASE, password);
    const { port } = await this.#launch(programs, directory);
    this.#supervision = this.#supervise(programs, directory, port);
    return { url: databaseUrl(password, port) };
  }

  #kill(): void {
    this.#stopping.abort();
    this.#process?.signal('SIGKILL');
  }

  async #release(): Promise<void> {
    await this.#lock?.release();
    this.#lock = undefined;
    this.#process = undefined;
    this.#supervision = undefined;
    this.#starting = undefined;
  }

  /** The first start: a living database is taken over; else the port is chosen, again should somebody else take it. */
  async #launch(programs: MariadbPrograms, directory: EmbeddedDirectory): Promise<MariadbProcess> {
    const living = await MariadbProcess.find(directory.data);
    if (living) {
      this.#logger.info({ pid: living.pid, port: living.port }, 'embedded database adopted: it outlived its server');
      await living.adopt(directory.data);
      try {
        return await this.#ready(living, directory, await fileSize(directory.log));
      } catch (error) {
        // It was about to end, or was frozen and has been ended now: either way the directory is free.
        if (this.#stopping.signal.aborted) throw error;
        this.#logger.warn({ pid: living.pid }, 'adopted database ended and is started again');
      }
    }
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#run(programs, directory, await freePort());
      } catch (error) {
        if (attempt === 3 || !(error instanceof Error && error.message.includes('Bind on TCP/IP port'))) throw error;
      }
    }
  }

  async #run(programs: MariadbPrograms, directory: EmbeddedDirectory, port: number): Promise<MariadbProcess> {
    const logStart = await fileSize(directory.log);
    const child = await MariadbProcess.spawn(programs.server, {
      options: this.#serverArguments(directory),
      directory: directory.data,
      log: directory.log,
      port,
    });
    this.#logger.info({ pid: child.pid, port, directory: directory.data }, 'embedded database starting');
    return this.#ready(child, directory, logStart);
  }

  /** Waits until the process greets. One that does not, or that a stop overtakes, is ended before this rejects. */
  async #ready(child: MariadbProcess, directory: EmbeddedDirectory, logStart: number): Promise<MariadbProcess> {
    this.#process = child;
    const { startTimeoutMs = 120_000, stopTimeoutMs = 4_000 } = this.#options;
    const started = performance.now();
    let reported = started;
    for (;;) {
      const answers = await child.answers();
      const now = performance.now();
      if (!child.alive) throw new EmbeddedDatabaseError(await refusal(directory.log, logStart, child.end));
      if (this.#stopping.signal.aborted || (!answers && now - started > startTimeoutMs)) {
        await child.stop(stopTimeoutMs);
        throw new EmbeddedDatabaseError(
          this.#stopping.signal.aborted
            ? 'the embedded database was stopped while it started'
            : await silence(directory.log, logStart),
        );
      }
      if (answers) return child;
      if (now - reported >= PROGRESS_MS) {
        reported = now;
        this.#logger.info({ seconds: Math.round((now - started) / 1000) }, 'embedded database still starting');
        await this.#assertProgress(child, directory, logStart);
      }
      await sleep(20);
    }
  }

  /** Ends a process that waits for space on the disk, and says so. */
  async #assertProgress(child: MariadbProcess, directory: EmbeddedDirectory, logStart: number): Promise<void> {
    const log = await readLogSince(directory.log, logStart);
    if (!waitsForSpace(log)) return;
    await child.stop(0);
    throw new EmbeddedDatabaseError(`the embedded database cannot start: ${causeIn(log)} (log: ${directory.log})`);
  }

  /** Starts a database again that ended by itself, for as long as we run. */
  async #supervise(programs: MariadbPrograms, directory: EmbeddedDirectory, port: number): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    for (;;) {
      const since = performance.now();
      await this.#process?.ended;
      if (signal.aborted) return;
      failures = performance.now() - since > STEADY_MS ? 1 : failures + 1;
      const delayMs = doubledMs(RESTARTS, failures);
      this.#logger.error({ delayMs }, 'embedded database ended by itself and is started again');
      await sleep(delayMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await this.#run(programs, directory, port).catch((error: Error) =>
        this.#logger.error({ error: error.message }, 'embedded database did not start'),
      );
    }
  }

  #serverArguments(directory: EmbeddedDirectory): readonly string[] {
    const pool = this.#options.bufferPoolBytes ?? defaultBufferPoolBytes();
    return [
      // By its whole path it is found again when it outlived us; the others are relative to it, where it runs.
      ...['--no-defaults', ...asRoot(), `--datadir=${directory.data}`],
      ...['--socket=../mariadb.sock', '--pid-file=../mariadb.pid', '--log-error=../mariadb.log'],
      ...['--init-file=../init.sql', '--tmpdir=../tmp'],
      ...['--bind-address=127.0.0.1', '--skip-name-resolve', '--local-infile=OFF'],
      // Durable: an answered commit is on disk. There is no replica, so there is no binary log to keep in step.
      ...['--innodb-flush-log-at-trx-commit=1', '--innodb-doublewrite=ON', '--skip-log-bin'],
      ...[`--innodb-buffer-pool-size=${pool}`, '--performance-schema=OFF', '--max-connections=500'],
      ...['--max-allowed-packet=64M', '--character-set-server=utf8mb4', '--default-time-zone=+00:00'],
    ];
  }
}

function databaseUrl(password: string, port: number): string {
  return `mysql://${DATABASE}:${password}@127.0.0.1:${port}/${DATABASE}`;
}

/** A quarter of the memory that this process may use. */
function defaultBufferPoolBytes(): number {
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const quarter = Math.floor(Math.min(totalmem(), limit) / 4 / MIB) * MIB;
  return Math.min(Math.max(quarter, MIN_BUFFER_POOL_BYTES), MAX_BUFFER_POOL_BYTES);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new EmbeddedDatabaseError('loopback has no free port');
  return address.port;
}

async function fileSize(path: string): Promise<number> {
  const file = await open(path).catch(() => undefined);
  if (!file) return 0;
  const { size } = await file.stat();
  await file.close();
  return size;
}

async function silence(path: string, from: number): Promise<string> {
  const cause = causeIn(await readLogSince(path, from));
  return `the embedded database did not answer in time${cause === undefined ? '' : `: ${cause}`} (log: ${path})`;
}

/** One sentence from what the log says since this start, or else from how the process ended. */
async function refusal(path: string, from: number, end: string): Promise<string> {
  const log = await readLogSince(path, from);
  if (log.includes('Unable to lock')) {
    return `the embedded database is in use by another database server (log: ${path})`;
  }
  return `the embedded database refused to start: ${causeIn(log) ?? `${end} without a reason`} (log: ${path})`;
}
