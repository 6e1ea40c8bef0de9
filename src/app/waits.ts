// The parts that await events: what groups need of them, what pushes and reads need of them, and what ends waits on time.

import type { GroupCommit } from '../engine/group/group-commit.js';
import { Invalidations } from '../engine/group/invalidations.js';
import { LookBack } from '../engine/group/look-back.js';
import { Pushes } from '../engine/group/pushes.js';
import type { ShapeCatalogCache } from '../engine/group/shape-catalog-cache.js';
import { ShapeIndex } from '../engine/group/shape-index.js';
import { EventQueries } from '../engine/log/event-queries.js';
import type { LogReader } from '../engine/log/log-reader.js';
import type { LogTail } from '../engine/log/log-tail.js';
import { Topics } from '../engine/topics/topics.js';
import { WaitExpiry } from '../engine/waits/wait-expiry.js';
import { Waits } from '../engine/waits/waits.js';
import type { Clock } from '../lib/clock.js';
import { Uuid7Source } from '../lib/uuid7.js';
import type { DurableReads, EventLog } from '../storage/ports/log-storage.js';
import type { TopicStore } from '../storage/ports/topic-storage.js';
import type { ShapeStore, WaitStore } from '../storage/ports/wait-storage.js';
import type { Logger, Metrics } from '../telemetry.js';

export interface WaitPartsOptions {
  readonly store: WaitStore;
  readonly shapeStore: ShapeStore;
  readonly topicStore: TopicStore;
  readonly catalog: ShapeCatalogCache;
  readonly groupCommit: GroupCommit;
  readonly log: EventLog;
  readonly durableReads: DurableReads;
  readonly tail: LogTail;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export class WaitParts {
  readonly queries: EventQueries;
  readonly waits: Waits;
  readonly pushes: Pushes;
  readonly invalidations: Invalidations;
  readonly topics: Topics;
  readonly #shapes: ShapeIndex;
  readonly #expiry: WaitExpiry;

  constructor(options: WaitPartsOptions) {
    const { store, groupCommit, log, durableReads, tail, reader, clock, metrics, logger } = options;
    this.queries = new EventQueries({ log, durableReads, waits: store, source: reader, tail });
    this.waits = new Waits({ events: this.queries, source: reader, clock, logger });
    this.#shapes = new ShapeIndex({ ...options, store: options.shapeStore });
    this.#expiry = new WaitExpiry({ ...options, waits: store });
    this.topics = new Topics({ ...options, store: options.topicStore });
    this.invalidations = new Invalidations({ groupCommit, events: this.queries });
    this.pushes = new Pushes({
      ...{ groupCommit, reader, tail, metrics, events: this.queries, shapes: this.#shapes },
      lookBack: new LookBack({ source: reader, clock }),
      uuids: new Uuid7Source(() => clock.nowMs()),
    });
  }

  /** The tail has to be started. */
  start(): void {
    this.waits.start();
    this.#expiry.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.waits.stop(), this.#expiry.stop(), this.#shapes.stop()]);
  }
}
