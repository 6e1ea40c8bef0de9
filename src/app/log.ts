// The parts that read and write the log.

import { ErasureWatch } from '../engine/erasure/erasure-watch.js';
import type { Erasures } from '../engine/erasure/erasures.js';
import { GroupCommit } from '../engine/group/group-commit.js';
import { Management } from '../engine/group/management.js';
import { ShapeCatalogCache } from '../engine/group/shape-catalog-cache.js';
import { EphemeralTopics } from '../engine/log/ephemeral-topics.js';
import { LogReader } from '../engine/log/log-reader.js';
import { LogTail } from '../engine/log/log-tail.js';
import { Callers } from '../lib/callers.js';
import { FairGate } from '../lib/fair-gate.js';
import { LoopSlices } from '../lib/loop-slices.js';
import { LoopTurns } from '../lib/loop-turns.js';
import { orAbort } from '../lib/or-abort.js';
import { Paced } from '../lib/paced.js';
import { Uuid7Source } from '../lib/uuid7.js';
import { MysqlArchiveStore } from '../storage/mysql/archive/archive-store.js';
import { writeCawins } from '../storage/mysql/cawins/prepared-cawins.js';
import { MysqlErasureStore } from '../storage/mysql/erasure/erasure-store.js';
import { MysqlGroupCommitter } from '../storage/mysql/group/group-committer.js';
import { HeadCache } from '../storage/mysql/group/head-cache.js';
import { MysqlDeletedEvents } from '../storage/mysql/log/deleted-events.js';
import { MysqlDurableReads } from '../storage/mysql/log/durable-reads.js';
import { MysqlEventLog } from '../storage/mysql/log/event-log.js';
import { forgetEndedRuns } from '../storage/mysql/log/instance-rows.js';
import { Names } from '../storage/mysql/names/name-cache.js';
import { RetentionTopics } from '../storage/mysql/retention/retention-topics.js';
import type { Database } from '../storage/mysql/sql/database.js';
import { MysqlShapeStore } from '../storage/mysql/waits/shape-store.js';
import type { ArchiveStore } from '../storage/ports/archive-storage.js';
import type { ErasureStore } from '../storage/ports/erasure-storage.js';
import type { Instance } from '../storage/ports/log-storage.js';
import type { ShapeStore } from '../storage/ports/wait-storage.js';
import type { Position } from '../units.js';
import type { DatabaseHandle } from './database.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

const COMMITTERS = 2;
/** The part of the pool that pages of the log may take: what is short does not wait for them. */
const PAGES_PART = 0.6;
export const MAX_QUEUED_EVENTS = 20_000;
export const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
const MAX_GROUP_BYTES = 6 * 1024 * 1024;

export interface LogPartsOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly instance: Instance;
  readonly erasures: Erasures;
  /** Is told whether the database answers and stores. */
  readonly onDatabase: (up: boolean) => void;
}

export class LogParts {
  readonly #database: Database;
  readonly names = new Names();
  readonly callers: Callers;
  readonly slices: LoopSlices;
  readonly turns: LoopTurns;
  readonly paced: Paced;
  readonly log: MysqlEventLog;
  readonly deleted: MysqlDeletedEvents;
  readonly retentionTopics: RetentionTopics;
  readonly archives: ArchiveStore;
  readonly ephemeral: EphemeralTopics;
  readonly durableReads: MysqlDurableReads;
  readonly shapeStore: ShapeStore;
  readonly erasures: Erasures;
  readonly erasureStore: ErasureStore;
  readonly #erasureWatch: ErasureWatch;
  readonly catalog: ShapeCatalogCache;
  readonly tail: LogTail;
  readonly pages: FairGate;
  readonly reader: LogReader;
  readonly groupCommit: GroupCommit;
  readonly management: Management;

  constructor(options: LogPartsOptions) {
    const { database, url, serverChange } = options.handle;
    const { names } = this;
    this.#database = database;
    const { clock, config } = options.surroundings;
    this.callers = new Callers(clock);
    this.slices = new LoopSlices(clock);
    this.turns = new LoopTurns({ callers: this.callers, clock });
    this.paced = new Paced({ callers: this.callers, clock });
    this.log = new MysqlEventLog({ database, names, slices: this.slices });
    this.deleted = new MysqlDeletedEvents({ database });
    this.retentionTopics = new RetentionTopics(database);
    this.archives = new MysqlArchiveStore({ database, names, topics: this.retentionTopics });
    const readEphemeral = async () =>
      (await this.retentionTopics.read()).filter(({ policy }) => policy.isEphemeral === true);
    this.ephemeral = new EphemeralTopics({ read: readEphemeral, clock, logger: options.surroundings.logger });
    this.durableReads = new MysqlDurableReads({ url, names, instance: options.instance, serverChange });
    this.shapeStore = new MysqlShapeStore({ database, names });
    this.erasures = options.erasures;
    this.erasureStore = new MysqlErasureStore({ database, names });
    const { erasures, erasureStore: store } = this;
    this.#erasureWatch = new ErasureWatch({ store, erasures, instanceId: options.instance.id, clock });
    this.catalog = new ShapeCatalogCache({ store: this.shapeStore, durableReads: this.durableReads });
    // The two know each other: the tail must not poll for what the groups will publish themselves.
    this.tail = this.#makeTail(options);
    this.groupCommit = this.#makeGroupCommit(options);
    const uuids = new Uuid7Source(() => clock.nowMs());
    this.management = new Management({ groupCommit: this.groupCommit, uuids });
    this.pages = new FairGate(Math.max(1, Math.floor(config.databasePool * PAGES_PART)));
    this.reader = new LogReader({
      log: this.log,
      deleted: this.deleted,
      tail: this.tail,
      pages: this.pages,
      slices: this.slices,
      clock,
    });
  }

  /** See ErasureWatch.keepsTo. */
  get erasedTo(): Position {
    return this.#erasureWatch.keepsTo;
  }

  /** Starts what has to run before anything is read or pushed. The signal gives it up. */
  async start(started: Started, signal: AbortSignal): Promise<void> {
    started.add('barriers', () => this.durableReads.close());
    await orAbort(forgetEndedRuns(this.#database), signal);
    await orAbort(this.catalog.reload(), signal);
    started.add('erasures', () => this.#erasureWatch.end());
    started.add('ephemeral topics', () => this.ephemeral.stop());
    await orAbort(this.ephemeral.start(), signal);
    started.add('log tail', () => this.tail.stop());
    await orAbort(this.tail.start(), signal);
    started.add('group commit', async () => {
      await this.groupCommit.idle();
      await this.groupCommit.close();
    });
  }

  #makeTail({ surroundings, onDatabase }: LogPartsOptions): LogTail {
    const { config, clock, random, metrics, logger } = surroundings;
    return new LogTail({
      log: this.log,
      durableReads: this.durableReads,
      maxBytes: config.tailBytes,
      pollMs: config.pollMs,
      erasures: this.erasures,
      erasureWatch: this.#erasureWatch,
      isOwnToken: (token) => this.groupCommit.isOwnToken(token),
      onDatabase,
      clock,
      random,
      metrics,
      logger,
    });
  }

  #makeGroupCommit({ surroundings, handle, instance }: LogPartsOptions): GroupCommit {
    const { clock, random, metrics, logger, config } = surroundings;
    const { url, serverChange } = handle;
    const headCache = new HeadCache();
    const committer = { url, names: this.names, headCache, instance, serverChange, writeCawins };
    return new GroupCommit({
      committers: Array.from({ length: COMMITTERS }, () => new MysqlGroupCommitter(committer)),
      tail: this.tail,
      catalog: this.catalog,
      unregisteredTopics: config.unregisteredTopics,
      maxGroupBytes: MAX_GROUP_BYTES,
      maxQueuedEvents: MAX_QUEUED_EVENTS,
      maxQueuedBytes: MAX_QUEUED_BYTES,
      callers: this.callers,
      clock,
      random,
      metrics,
      logger,
    });
  }
}
