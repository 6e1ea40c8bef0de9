// The composition root: builds one server from its settings, starts it in order and stops it in the reverse order.

import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { registry as rpcRegistry } from 'nice-grpc-prometheus';
import { collectDefaultMetrics } from 'prom-client';
import { CawinServiceDefinition } from '../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../generated/madeleine/v1/topic_service.js';
import type { Config } from '../config.js';
import type { RetryPolicy } from '../domain/cawins/retry-policy.js';
import { CheckOrWait } from '../engine/cawins/check-or-wait.js';
import { Consumers } from '../engine/consumers/consumers.js';
import { GroupCommit } from '../engine/group/group-commit.js';
import { ShapeCatalogCache } from '../engine/group/shape-catalog-cache.js';
import { LogReader } from '../engine/log/log-reader.js';
import { LogTail } from '../engine/log/log-tail.js';
import { StreamDirectory } from '../engine/log/stream-directory.js';
import { ExplainWait } from '../engine/waits/explain-wait.js';
import { CAWIN_CODECS, CawinService } from '../grpc/cawins/cawin-service.js';
import { CONSUMER_CODECS, ConsumerService } from '../grpc/consumers/consumer-service.js';
import { WireEventEncoder } from '../grpc/events/event-encoder.js';
import { EventFrames } from '../grpc/events/event-frames.js';
import { EVENT_CODECS, EventService } from '../grpc/events/event-service.js';
import { StreamService } from '../grpc/events/stream-service.js';
import { GrpcServer, type RegisteredService } from '../grpc/server/server.js';
import { TopicService } from '../grpc/topics/topic-service.js';
import { serverDefinition } from '../grpc/wire/definitions.js';
import { AdminServer } from '../http/admin.js';
import { type Clock, systemClock } from '../lib/clock.js';
import { writeCawins } from '../storage/mysql/cawins/prepared-cawins.js';
import { MysqlConsumerStore } from '../storage/mysql/consumers/consumer-store.js';
import { MysqlGroupCommitter } from '../storage/mysql/group/group-committer.js';
import { HeadCache } from '../storage/mysql/group/head-cache.js';
import { MysqlDurableReads } from '../storage/mysql/log/durable-reads.js';
import { MysqlEventLog } from '../storage/mysql/log/event-log.js';
import { MysqlStreamStore } from '../storage/mysql/log/stream-store.js';
import { Names } from '../storage/mysql/names/name-cache.js';
import { migrate } from '../storage/mysql/sql/schema.js';
import { MysqlTopicStore } from '../storage/mysql/topics/topic-store.js';
import { MysqlShapeStore } from '../storage/mysql/waits/shape-store.js';
import { MysqlWaitStore } from '../storage/mysql/waits/wait-store.js';
import type { Instance } from '../storage/ports/log-storage.js';
import { type Logger, Metrics } from '../telemetry.js';
import { CallbackParts } from './callbacks.js';
import { assertDurable, type DatabaseHandle, openDatabase } from './database.js';
import { WaitParts } from './waits.js';

const COMMITTERS = 2;
const MAX_QUEUED_EVENTS = 20_000;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
const MAX_GROUP_BYTES = 6 * 1024 * 1024;

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** When callbacks are tried again; the product's own unless a test is in a hurry. */
  readonly retryPolicy?: RetryPolicy;
}

/** Where a started instance listens. */
export interface Addresses {
  readonly grpc: string;
  readonly http: string;
}

/** The parts that read and write the log. */
interface Engine {
  readonly log: MysqlEventLog;
  readonly durableReads: MysqlDurableReads;
  readonly tail: LogTail;
  readonly reader: LogReader;
  readonly groupCommit: GroupCommit;
  readonly consumers: Consumers;
  readonly waiting: WaitParts;
  readonly callbacks: CallbackParts;
}

/** One instance of madeleine. */
export class App {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #retryPolicy: RetryPolicy | undefined;
  readonly #metrics = new Metrics();
  readonly #draining = new AbortController();
  readonly #encoder = new WireEventEncoder();
  /** Undone in reverse order by stop(). */
  readonly #started: { readonly name: string; readonly stop: () => Promise<void> }[] = [];
  #server: GrpcServer | undefined;
  #databaseUp = true;

  constructor({ config, logger, clock = systemClock, random = Math.random, retryPolicy }: AppOptions) {
    this.#config = config;
    this.#logger = logger;
    this.#clock = clock;
    this.#random = random;
    this.#retryPolicy = retryPolicy;
    // One listener an open stream, taken away with it.
    setMaxListeners(0, this.#draining.signal);
  }

  /**
   * Starts everything, the database first, and logs the line `listening`. When something cannot start, what was started is
   * stopped again and the error is thrown: one sentence for the operator, where it is something that he can mend.
   */
  async start(): Promise<Addresses> {
    try {
      return await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Drains and stops everything that was started, also after a start that failed. Never rejects. */
  async stop(): Promise<void> {
    this.#draining.abort();
    this.#showHealth();
    for (const part of this.#started.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => {
        this.#logger.warn({ err: error, part: part.name }, 'part did not stop cleanly');
      });
    }
  }

  async #start(): Promise<Addresses> {
    const options = { config: this.#config, logger: this.#logger, random: this.#random };
    const handle = await openDatabase(options);
    this.#onStop('database', () => handle.close());
    await assertDurable(handle.database, options);
    const applied = await migrate(handle.database);
    if (applied.length > 0) this.#logger.info({ applied }, 'schema migrated');
    const engine = await this.#startEngine(handle);
    const addresses = await this.#listen(engine, handle);
    this.#logger.info({ ...addresses, database: handle.label }, 'listening');
    return addresses;
  }

  async #startEngine(handle: DatabaseHandle): Promise<Engine> {
    const { database, url } = handle;
    const names = new Names();
    const instance = { id: randomUUID(), address: this.#config.advertise || this.#config.listen };
    const log = new MysqlEventLog({ database, names });
    const durableReads = new MysqlDurableReads({ url, names, instance });
    this.#onStop('barriers', () => durableReads.close());
    const shapeStore = new MysqlShapeStore({ database, names });
    const catalog = new ShapeCatalogCache({ store: shapeStore, durableReads });
    await catalog.reload();
    const { tail, groupCommit } = this.#logParts(handle, { names, instance, log, durableReads, catalog });
    await tail.start();
    this.#onStop('log tail', () => tail.stop());
    this.#onStop('group commit', async () => {
      await groupCommit.idle();
      await groupCommit.close();
    });
    const reader = new LogReader({ log, tail, clock: this.#clock });
    const shared = { clock: this.#clock, metrics: this.#metrics, logger: this.#logger };
    const consumers = new Consumers({
      ...shared,
      store: new MysqlConsumerStore({ database }),
      source: reader,
      instance,
    });
    consumers.start();
    this.#onStop('consumers', () => consumers.stop());
    const waiting = new WaitParts({
      ...{ ...shared, random: this.#random, log, durableReads, tail, reader, groupCommit, catalog, shapeStore },
      store: new MysqlWaitStore({ database, names }),
      topicStore: new MysqlTopicStore(database),
    });
    waiting.start();
    this.#onStop('waits', () => waiting.stop());
    const { queries, pushes } = waiting;
    const callbacks = await this.#startCallbacks(handle, {
      log,
      durableReads,
      reader,
      groupCommit,
      queries,
      pushes,
      instanceId: instance.id,
    });
    return { log, durableReads, tail, reader, groupCommit, consumers, waiting, callbacks };
  }

  async #startCallbacks(
    { database }: DatabaseHandle,
    {
      log,
      durableReads,
      reader,
      groupCommit,
      queries,
      pushes,
      instanceId,
    }: Pick<Engine, 'log' | 'durableReads' | 'reader' | 'groupCommit'> &
      Pick<WaitParts, 'queries' | 'pushes'> & { instanceId: string },
  ): Promise<CallbackParts> {
    const callbacks = await CallbackParts.open({
      ...{ config: this.#config, database, log, durableReads, groupCommit, instanceId },
      ...{ source: reader, events: queries, pushes, encoder: this.#encoder },
      ...{
        clock: this.#clock,
        random: this.#random,
        logger: this.#logger,
        metrics: this.#metrics,
        retryPolicy: this.#retryPolicy,
      },
    });
    callbacks.start();
    this.#onStop('callbacks', () => callbacks.stop(this.#config.drainMs));
    return callbacks;
  }

  /** Tail and groups know each other: the tail must not poll for what the groups will publish themselves. */
  #logParts(
    { url }: DatabaseHandle,
    {
      names,
      instance,
      log,
      durableReads,
      catalog,
    }: Pick<Engine, 'log' | 'durableReads'> & { names: Names; instance: Instance; catalog: ShapeCatalogCache },
  ): { tail: LogTail; groupCommit: GroupCommit } {
    const headCache = new HeadCache();
    const committers = Array.from(
      { length: COMMITTERS },
      () => new MysqlGroupCommitter({ url, names, headCache, instance, writeCawins }),
    );
    const shared = { random: this.#random, metrics: this.#metrics, logger: this.#logger };
    const tail: LogTail = new LogTail({
      ...shared,
      log,
      durableReads,
      clock: this.#clock,
      maxBytes: this.#config.tailBytes,
      pollMs: this.#config.pollMs,
      isOwnToken: (token) => groupCommit.isOwnToken(token),
      onDatabase: (up) => {
        this.#databaseUp = up;
        this.#showHealth();
      },
    });
    const groupCommit = new GroupCommit({
      ...shared,
      committers,
      tail,
      catalog,
      clock: this.#clock,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueuedEvents: MAX_QUEUED_EVENTS,
      maxQueuedBytes: MAX_QUEUED_BYTES,
    });
    return { tail, groupCommit };
  }

  async #listen(engine: Engine, handle: DatabaseHandle): Promise<Addresses> {
    collectDefaultMetrics({ register: this.#metrics.registry });
    const admin = new AdminServer({
      listen: this.#config.httpListen,
      readiness: () => this.#unready(),
      registries: [this.#metrics.registry, rpcRegistry],
      logger: this.#logger,
    });
    const http = await admin.start();
    this.#onStop('HTTP server', () => admin.stop());
    const { listen, maxStreams, drainMs } = this.#config;
    const services = this.#services(engine, handle);
    const server = new GrpcServer({ services, maxStreams, clock: this.#clock, logger: this.#logger });
    this.#server = server;
    const port = await server.listen(listen);
    this.#onStop('gRPC server', async () => {
      // One patience for both: the whole stop, the database's included, has to end within 10 s.
      const giveUpAt = this.#clock.monotonicMs() + drainMs;
      // Waited for below, as a part of its own.
      void engine.callbacks.stop(drainMs);
      await engine.consumers.drain(drainMs);
      await server.stop(Math.max(0, giveUpAt - this.#clock.monotonicMs()));
    });
    this.#showHealth();
    return { grpc: listen.replace(/:\d+$/, `:${port}`), http };
  }

  #services(
    { durableReads, tail, reader, groupCommit, consumers, waiting, callbacks }: Engine,
    { database }: DatabaseHandle,
  ): RegisteredService[] {
    const { queries, waits, pushes, invalidations, topics } = waiting;
    const events = new EventService({
      pushes,
      groupCommit,
      queries,
      invalidations,
      source: reader,
      frames: new EventFrames(this.#encoder),
      limits: { maxEventBytes: this.#config.maxEventBytes },
      draining: this.#draining.signal,
    });
    const streams = new StreamDirectory({ store: new MysqlStreamStore(database), durableReads, tail });
    return [
      registered(EventServiceDefinition, EVENT_CODECS, events),
      registered(StreamServiceDefinition, {}, new StreamService({ streams, source: reader })),
      registered(TopicServiceDefinition, {}, new TopicService({ topics, source: reader })),
      registered(
        ConsumerServiceDefinition,
        CONSUMER_CODECS,
        new ConsumerService({ consumers, source: reader, encoder: this.#encoder, clock: this.#clock }),
      ),
      registered(
        CawinServiceDefinition,
        CAWIN_CODECS,
        new CawinService({
          explainWait: new ExplainWait({ queries, source: reader }),
          checkOrWait: new CheckOrWait({ cawins: callbacks.cawins, pushes, events: queries }),
          ...{ cawins: callbacks.cawins, waits, source: reader, encoder: this.#encoder },
          draining: this.#draining.signal,
        }),
      ),
    ];
  }

  /** Why this instance should get no calls now. */
  #unready(): readonly string[] {
    const reasons: string[] = [];
    if (this.#draining.signal.aborted) reasons.push('the server drains');
    if (!this.#databaseUp) reasons.push('the database does not answer or store');
    return reasons;
  }

  #showHealth(): void {
    this.#server?.setServing(this.#unready().length === 0);
  }

  #onStop(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
  }
}

function registered(
  definition: Parameters<typeof serverDefinition>[0],
  codecs: Parameters<typeof serverDefinition>[1],
  implementation: object,
): RegisteredService {
  return { name: definition.fullName, definition: serverDefinition(definition, codecs), implementation };
}
