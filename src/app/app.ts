// One server: starts its groups of parts in order, and stops them in the reverse order. Each group is built in a file of its own.

import { setMaxListeners } from 'node:events';
import { registry as rpcRegistry } from 'nice-grpc-prometheus';
import { collectDefaultMetrics } from 'prom-client';
import type { Config } from '../config.js';
import type { RetryPolicy } from '../domain/cawins/retry-policy.js';
import { UpSince } from '../engine/admin/up-since.js';
import { Erasures } from '../engine/erasure/erasures.js';
import { WireEventEncoder } from '../grpc/events/event-encoder.js';
import { LibraryLog } from '../grpc/server/library-log.js';
import { GrpcServer } from '../grpc/server/server.js';
import { AdminServer } from '../http/admin.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { orAbort } from '../lib/or-abort.js';
import { SharedRun } from '../lib/shared-run.js';
import { migrate } from '../storage/mysql/sql/schema.js';
import { type Logger, Metrics } from '../telemetry.js';
import { assertSettings, CallbackParts } from './callbacks.js';
import { startConsumers } from './consumers.js';
import { assertFit, type DatabaseHandle, openDatabase } from './database.js';
import { EventParts } from './events.js';
import { inspect } from './inspection.js';
import { beginRun } from './instance.js';
import { assertListenable } from './listening.js';
import { LogParts } from './log.js';
import { RetentionParts } from './retention.js';
import { type ServicesOptions, services } from './services.js';
import { Started } from './started.js';
import { StatisticsParts } from './statistics.js';
import type { Surroundings } from './surroundings.js';

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** The times at which callbacks are tried again; the product's own unless a test is in a hurry. */
  readonly retryPolicy?: RetryPolicy;
  /** Once aborted, whatever runs beside this process is killed within the call; for a process that ends at once. */
  readonly killed?: AbortSignal;
}

/** Where a started instance listens. */
export interface Addresses {
  readonly grpc: string;
  readonly http: string;
}

/** The groups of parts that serve calls. */
type Engine = Pick<
  ServicesOptions,
  'log' | 'consumers' | 'events' | 'callbacks' | 'instance' | 'statistics' | 'retention'
>;

/** One instance of madeleine. */
export class App {
  readonly #surroundings: Surroundings;
  readonly #retryPolicy: RetryPolicy | undefined;
  readonly #killed: AbortSignal | undefined;
  readonly #draining = new AbortController();
  readonly #erasures = new Erasures();
  readonly #encoder = new WireEventEncoder(this.#erasures);
  readonly #started: Started;
  #starting: Promise<Addresses> | undefined;
  #undone: Promise<void> | undefined;
  #server: GrpcServer | undefined;
  #handle: DatabaseHandle | undefined;
  #retention: Pick<RetentionParts, 'condition'> | undefined;
  #listening = false;
  readonly #database: UpSince;

  constructor({ config, logger, clock = systemClock, random = Math.random, retryPolicy, killed }: AppOptions) {
    this.#surroundings = { config, clock, random, metrics: new Metrics(), logger };
    this.#database = new UpSince(clock);
    this.#retryPolicy = retryPolicy;
    this.#killed = killed;
    this.#started = new Started(logger);
    // One listener an open stream, taken away with it.
    setMaxListeners(0, this.#draining.signal);
  }

  /**
   * Starts everything and logs the line `listening`: health first, so that it is heard how far the start is, then the database, the
   * calls last. When something cannot start, what was started is
   * stopped again and the error is thrown: one sentence for the operator, where it is something that he can mend. A start that
   * stop() overtakes is given up, undone and rejects.
   */
  async start(): Promise<Addresses> {
    new LibraryLog(this.#surroundings).install();
    this.#starting = this.#start();
    try {
      return await this.#starting;
    } catch (error) {
      await this.#undo();
      throw error;
    }
  }

  /** Drains and stops everything that was started, also in the middle of a start and after one that failed. Never rejects. */
  async stop(): Promise<void> {
    this.#draining.abort();
    await this.#starting?.catch(() => {});
    await this.#undo();
  }

  #undo(): Promise<void> {
    this.#draining.abort();
    this.#showHealth();
    this.#undone ??= this.#started.stop();
    return this.#undone;
  }

  async #start(): Promise<Addresses> {
    const { config, logger } = this.#surroundings;
    const { signal } = this.#draining;
    assertSettings(config);
    await assertListenable('httpListen', config);
    const http = await this.#startAdmin();
    // Before the database: the rest of a start may take minutes.
    await assertListenable('listen', config);
    signal.throwIfAborted();
    const handle = await openDatabase({ ...this.#surroundings, signal, killed: this.#killed });
    this.#handle = handle;
    this.#started.add('database', () => {
      this.#handle = undefined;
      return handle.close();
    });
    await orAbort(assertFit(handle.database, this.#surroundings), signal);
    const applied = await orAbort(migrate(handle.database), signal);
    if (applied.length > 0) logger.info({ applied }, 'schema migrated');
    const engine = await this.#startEngine(handle);
    const grpc = await this.#startServer(engine, handle);
    signal.throwIfAborted();
    this.#listening = true;
    this.#showHealth();
    logger.info({ grpc, http, database: handle.label }, 'listening');
    return { grpc, http };
  }

  async #startEngine(handle: DatabaseHandle): Promise<Engine> {
    const surroundings = this.#surroundings;
    const { instance, endedRuns } = await beginRun(surroundings, this.#started);
    const onDatabase = (up: boolean) => this.#onDatabase(up);
    const log = new LogParts({ surroundings, handle, instance, erasures: this.#erasures, onDatabase });
    await log.start(this.#started, this.#draining.signal);
    const counting = new StatisticsParts({ surroundings, handle, instanceId: instance.id, endedRuns, log });
    await counting.start(this.#started);
    const { consumption, statistics } = counting;
    const consumers = await startConsumers(
      { surroundings, handle, instance, endedRuns, log, consumption },
      this.#started,
    );
    const events = new EventParts({ surroundings, handle, log });
    events.start(this.#started);
    const callbacks = await CallbackParts.open({
      surroundings,
      handle,
      log,
      events,
      instanceId: instance.id,
      endedRuns,
      encoder: this.#encoder,
      retryPolicy: this.#retryPolicy,
    });
    callbacks.start(this.#started);
    const retention = new RetentionParts({
      ...{ surroundings, handle, instance, endedRuns, log },
      pushes: events.pushes,
    });
    await retention.start(this.#started);
    this.#retention = retention;
    return { log, consumers, events, callbacks, instance, statistics, retention };
  }

  /** Serves health and metrics; returns where. */
  async #startAdmin(): Promise<string> {
    const { config, clock, metrics, logger } = this.#surroundings;
    // However many ask at once, the database is asked once.
    const inspection = new SharedRun(async () => {
      const deletion = this.#retention?.condition;
      return this.#handle && (await inspect(this.#handle, () => clock.nowMs(), deletion));
    });
    collectDefaultMetrics({ register: metrics.registry });
    const admin = new AdminServer({
      listen: config.httpListen,
      readiness: () => this.#unready(),
      inspection: () => inspection.run(),
      registries: [metrics.registry, rpcRegistry],
      logger,
    });
    const address = await admin.start();
    this.#started.add('HTTP server', () => admin.stop());
    return address;
  }

  /** Serves the calls; returns where. */
  async #startServer(engine: Engine, handle: DatabaseHandle): Promise<string> {
    const surroundings = this.#surroundings;
    const { config, clock, logger } = surroundings;
    const server = new GrpcServer({
      services: services({
        ...engine,
        surroundings,
        handle,
        database: this.#database,
        encoder: this.#encoder,
        draining: this.#draining.signal,
      }),
      maxStreams: config.maxStreams,
      draining: this.#draining.signal,
      clock,
      logger,
    });
    this.#server = server;
    const port = await server.listen(config.listen);
    this.#started.add('gRPC server', () => this.#stopServer(server, engine));
    return config.listen.replace(/:\d+$/, `:${port}`);
  }

  async #stopServer(server: GrpcServer, { consumers, callbacks }: Engine): Promise<void> {
    const { config, clock } = this.#surroundings;
    // One patience for all: the whole stop, the database's included, has to end within 10 s.
    const giveUpAt = clock.monotonicMs() + config.drainMs;
    // Waited for later, as a part of its own.
    void callbacks.stop();
    await consumers.drain(config.drainMs);
    await server.stop(Math.max(0, giveUpAt - clock.monotonicMs()));
  }

  /** Why this instance should get no calls now. */
  #unready(): readonly string[] {
    const reasons: string[] = [];
    if (this.#draining.signal.aborted) reasons.push('the server drains');
    else if (!this.#listening) reasons.push('the server starts');
    if (!this.#database.isUp) reasons.push('the database does not answer or store');
    return reasons;
  }

  #onDatabase(up: boolean): void {
    this.#database.set(up);
    this.#showHealth();
  }

  #showHealth(): void {
    this.#server?.setServing(this.#unready().length === 0);
  }
}
