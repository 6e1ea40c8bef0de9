// The parts that push events and look for them, and what ends those that are awaited.

import { Discards } from '../engine/group/discards.js';
import { Erasing } from '../engine/group/erasing.js';
import { Invalidations } from '../engine/group/invalidations.js';
import { LookBack } from '../engine/group/look-back.js';
import { Pushes } from '../engine/group/pushes.js';
import { ShapeDirectory } from '../engine/group/shape-directory.js';
import { ShapeIndex } from '../engine/group/shape-index.js';
import { ShapeRelease } from '../engine/group/shape-release.js';
import { ShapeUses } from '../engine/group/shape-uses.js';
import { StreamTransfers } from '../engine/group/stream-transfers.js';
import { EventQueries } from '../engine/log/event-queries.js';
import { Contexts } from '../engine/topics/contexts.js';
import { IdentityBuilds } from '../engine/topics/identity-builds.js';
import { SchemaJudge } from '../engine/topics/schema-judge.js';
import { SchemaShadow } from '../engine/topics/schema-shadow.js';
import { Schemas } from '../engine/topics/schemas.js';
import { Topics } from '../engine/topics/topics.js';
import { WaitExpiry } from '../engine/waits/wait-expiry.js';
import { Waits } from '../engine/waits/waits.js';
import { Uuid7Source } from '../lib/uuid7.js';
import { MysqlContextStore } from '../storage/mysql/topics/context-store.js';
import { MysqlDiscardStore } from '../storage/mysql/topics/discard-store.js';
import { MysqlIdentityStore } from '../storage/mysql/topics/identity-store.js';
import { MysqlSchemaStore } from '../storage/mysql/topics/schema-store.js';
import { MysqlTopicStore } from '../storage/mysql/topics/topic-store.js';
import { MysqlWaitStore } from '../storage/mysql/waits/wait-store.js';
import type { DiscardStore } from '../storage/ports/topic-storage.js';
import type { DatabaseHandle } from './database.js';
import type { LogParts } from './log.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface EventPartsOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly log: LogParts;
}

export class EventParts {
  readonly queries: EventQueries;
  readonly waits: Waits;
  readonly pushes: Pushes;
  readonly invalidations: Invalidations;
  readonly transfers: StreamTransfers;
  readonly topics: Topics;
  readonly erasing: Erasing;
  readonly schemas: Schemas;
  readonly shapes: ShapeDirectory;
  readonly contexts: Contexts;
  readonly discardStore: DiscardStore;
  readonly #shapeIndex: ShapeIndex;
  readonly #shapeRelease: ShapeRelease;
  readonly #expiry: WaitExpiry;
  readonly #identityBuilds: IdentityBuilds;
  readonly #discards: Discards;

  constructor({ surroundings, handle, log: parts }: EventPartsOptions) {
    const { clock, random, metrics, logger, config } = surroundings;
    const { database } = handle;
    const {
      names,
      log,
      durableReads,
      shapeStore,
      catalog,
      tail,
      reader,
      pages,
      groupCommit,
      management,
      slices,
      ephemeral,
    } = parts;
    const store = new MysqlWaitStore({ database, names });
    const topicStore = new MysqlTopicStore({ database, names });
    this.queries = new EventQueries({
      log,
      durableReads,
      waits: store,
      source: reader,
      ephemeral,
      tail,
      pages,
      slices,
    });
    this.waits = new Waits({ events: this.queries, source: reader, clock, logger });
    this.#shapeRelease = new ShapeRelease({ store: shapeStore, catalog, groupCommit, durableReads, clock, logger });
    this.#shapeIndex = new ShapeIndex({
      store: shapeStore,
      release: this.#shapeRelease,
      uses: new ShapeUses({ store: shapeStore, clock, logger }),
      catalog,
      groupCommit,
      log,
      pages,
      slices,
      clock,
      logger,
    });
    this.#expiry = new WaitExpiry({ waits: store, groupCommit, clock, random, logger });
    this.shapes = new ShapeDirectory({ store: shapeStore, catalog, groupCommit, management, durableReads });
    this.#identityBuilds = new IdentityBuilds({
      store: new MysqlIdentityStore(database),
      ...{ catalog, groupCommit, log, pages, slices, clock, logger },
    });
    const builds = this.#identityBuilds;
    this.erasing = new Erasing({
      ...{ store: parts.erasureStore, archives: parts.archives, groupCommit, management, clock, metrics, logger },
    });
    const judge = new SchemaJudge({ strict: config.schemaStrict, slices });
    this.topics = new Topics({
      store: topicStore,
      groupCommit,
      management,
      catalog,
      builds,
      judge,
      durableReads,
      tail,
      clock,
    });
    this.schemas = new Schemas({
      store: new MysqlSchemaStore(database),
      shadow: new SchemaShadow({ queries: this.queries, tail, slices, clock }),
      ...{ topics: this.topics, catalog, durableReads, judge },
    });
    this.invalidations = new Invalidations({ groupCommit, events: this.queries });
    const uuids = new Uuid7Source(() => clock.nowMs());
    this.transfers = new StreamTransfers({ groupCommit, management, tail, uuids });
    const ofServer = config.unregisteredTopics;
    this.discardStore = new MysqlDiscardStore(database);
    this.#discards = new Discards({ store: this.discardStore, catalog, ofServer, clock, metrics, logger });
    const contextStore = new MysqlContextStore(database);
    this.contexts = new Contexts({ store: contextStore, groupCommit, management, catalog, durableReads, ofServer });
    this.pushes = new Pushes({
      discards: this.#discards,
      groupCommit,
      reader,
      tail,
      metrics,
      events: this.queries,
      shapes: this.#shapeIndex,
      lookBack: new LookBack({ source: reader, clock }),
      uuids,
    });
  }

  /** Starts what ends waits. The log has to be started. */
  start(started: Started): void {
    this.waits.start();
    this.#expiry.start();
    this.#shapeRelease.start();
    this.#identityBuilds.start();
    this.erasing.start();
    this.#discards.start();
    started.add('waits', () => this.#stop());
  }

  async #stop(): Promise<void> {
    const parts = [
      this.waits,
      this.#expiry,
      this.#shapeIndex,
      this.#shapeRelease,
      this.#identityBuilds,
      this.#discards,
      this.erasing,
    ];
    await Promise.all(parts.map((part) => part.stop()));
  }
}
