// The composition root: builds one server from its settings, starts it in order and stops it in the reverse order.

import { randomUUID } from 'node:crypto';
import { ConsumerServiceDefinition } from '../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../generated/madeleine/v1/stream_service.js';
import { type Config, ConfigError } from './config.js';
import { Consumers } from './engine/consumers.js';
import { EventQueries } from './engine/event-queries.js';
import { GroupCommit } from './engine/group-commit.js';
import { LogReader } from './engine/log-reader.js';
import { LogTail } from './engine/log-tail.js';
import { Pushes } from './engine/pushes.js';
import { StreamDirectory } from './engine/stream-directory.js';
import { WireEventEncoder } from './grpc/codec/event-encoder.js';
import { EventFrames } from './grpc/codec/event-frames.js';
import { CONSUMER_CODECS, ConsumerService } from './grpc/consumer-service.js';
import { serverDefinition } from './grpc/definitions.js';
import { EventService, eventServiceCodecs } from './grpc/event-service.js';
import { GrpcServer, type RegisteredService } from './grpc/server.js';
import { StreamService } from './grpc/stream-service.js';
import { type Clock, systemClock } from './lib/clock.js';
import { Uuid7Source } from './lib/uuid7.js';
import { EmbeddedMariadb } from './storage/embedded-mariadb.js';
import { MysqlConsumerStore } from './storage/mysql/consumer-store.js';
import { Database, databaseUrlProblem } from './storage/mysql/database.js';
import { MysqlEventLog } from './storage/mysql/event-log.js';
import { MysqlGroupLane } from './storage/mysql/group-lane.js';
import { HeadCache } from './storage/mysql/head-cache.js';
import { NameCache } from './storage/mysql/name-cache.js';
import { migrate } from './storage/mysql/schema.js';
import { MysqlStreamStore } from './storage/mysql/stream-store.js';
import { type Logger, Metrics } from './telemetry.js';

const LANES = 2;
const MAX_QUEUED_EVENTS = 20_000;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
const MAX_GROUP_BYTES = 6 * 1024 * 1024;

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** One instance of madeleine. */
export class App {
  readonly #options: AppOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #metrics = new Metrics();
  readonly #draining = new AbortController();
  /** Undone in reverse order by stop(). */
  readonly #started: { readonly name: string; readonly stop: () => Promise<void> }[] = [];

  constructor(options: AppOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Starts everything, the database first, and prints the line `listening`. When something cannot start, what was started is
   * stopped again and the error is thrown.
   */
  async start(): Promise<{ grpc: string; http: string }> {
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
    for (const part of this.#started.splice(0).reverse()) {
      await part.stop().catch((error: unknown) => {
        this.#options.logger.warn({ err: error, part: part.name }, 'part did not stop cleanly');
      });
    }
  }

  async #start(): Promise<{ grpc: string; http: string }> {
    const { config, logger } = this.#options;
    const url = await this.#databaseUrl();
    const database = new Database({ url, poolSize: config.databasePool, random: this.#random });
    this.#onStop('database pool', () => database.close());
    const applied = await migrate(database);
    if (applied.length > 0) logger.info({ applied }, 'schema migrated');
    const names = new NameCache();
    const address = config.advertise || config.listen;
    const instance = { id: randomUUID(), address };
    const log = new MysqlEventLog({ database, names, instanceId: instance.id, address });
    const { tail, groupCommit } = this.#engine(url, names, log);
    await tail.start();
    this.#onStop('log tail', () => tail.stop());
    this.#onStop('group commit', () => groupCommit.close());
    const reader = new LogReader({ log, tail });
    const uuids = new Uuid7Source(() => this.#clock.nowMs());
    const pushes = new Pushes({ groupCommit, reader, tail, uuids, metrics: this.#metrics });
    const encoder = new WireEventEncoder();
    const frames = new EventFrames(encoder);
    const consumers = this.#consumers(new MysqlConsumerStore({ database }), reader, instance);
    const eventService = new EventService({
      pushes,
      groupCommit,
      queries: new EventQueries({ log, source: reader, tail }),
      source: reader,
      frames,
      limits: { maxEventBytes: config.maxEventBytes },
      draining: this.#draining.signal,
    });
    const streams = new StreamDirectory({ store: new MysqlStreamStore(database), tail });
    const services: RegisteredService[] = [
      {
        name: EventServiceDefinition.fullName,
        definition: serverDefinition(EventServiceDefinition, eventServiceCodecs),
        implementation: eventService,
      },
      {
        name: StreamServiceDefinition.fullName,
        definition: serverDefinition(StreamServiceDefinition, {}),
        implementation: new StreamService({ streams, source: reader }),
      },
      {
        name: ConsumerServiceDefinition.fullName,
        definition: serverDefinition(ConsumerServiceDefinition, CONSUMER_CODECS),
        implementation: new ConsumerService({ consumers, source: reader, encoder }),
      },
    ];
    const addresses = await this.#serve(services);
    // Before the gRPC server refuses calls: members acknowledge what they hold.
    this.#onStop('consumer members', () => consumers.drain(config.drainMs / 2));
    return addresses;
  }

  #consumers(store: MysqlConsumerStore, source: LogReader, instance: { id: string; address: string }): Consumers {
    const { logger } = this.#options;
    const consumers = new Consumers({ store, source, instance, clock: this.#clock, metrics: this.#metrics, logger });
    consumers.start();
    this.#onStop('consumers', () => consumers.stop());
    return consumers;
  }

  async #databaseUrl(): Promise<string> {
    const { config, logger } = this.#options;
    if (config.databaseUrl !== '') {
      const problem = databaseUrlProblem(config.databaseUrl);
      if (problem !== undefined) throw new ConfigError(`MADELEINE_DATABASE_URL (--database-url) ${problem}`);
      return config.databaseUrl;
    }
    const embedded = new EmbeddedMariadb({ dataDir: config.dataDir, logger });
    this.#onStop('embedded database', () => embedded.stop());
    return (await embedded.start()).url;
  }

  /** Tail and group commit know each other: the tail must not poll for what the groups will publish themselves. */
  #engine(url: string, names: NameCache, log: MysqlEventLog): { tail: LogTail; groupCommit: GroupCommit } {
    const { config, logger } = this.#options;
    const headCache = new HeadCache();
    const lanes = Array.from({ length: LANES }, () => new MysqlGroupLane({ url, names, headCache }));
    const shared = { random: this.#random, metrics: this.#metrics, logger };
    const tail: LogTail = new LogTail({
      ...shared,
      log,
      maxBytes: config.tailBytes,
      pollMs: config.pollMs,
      isOwnToken: (token) => groupCommit.isOwnToken(token),
    });
    const groupCommit = new GroupCommit({
      ...shared,
      lanes,
      tail,
      clock: this.#clock,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueuedEvents: MAX_QUEUED_EVENTS,
      maxQueuedBytes: MAX_QUEUED_BYTES,
    });
    return { tail, groupCommit };
  }

  async #serve(services: readonly RegisteredService[]): Promise<{ grpc: string; http: string }> {
    const { config, logger } = this.#options;
    const server = new GrpcServer({ services, maxStreams: config.maxStreams, clock: this.#clock, logger });
    const port = await server.listen(config.listen);
    this.#onStop('gRPC server', () => server.stop(config.drainMs));
    server.setServing(true);
    const grpc = config.listen.replace(/:\d+$/, `:${port}`);
    const database = config.databaseUrl === '' ? 'embedded' : new URL(config.databaseUrl).host;
    logger.info({ grpc, http: '', database }, 'listening');
    return { grpc, http: '' };
  }

  #onStop(name: string, stop: () => Promise<void>): void {
    this.#started.push({ name, stop });
  }
}
