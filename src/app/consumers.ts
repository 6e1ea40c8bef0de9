// The part that serves consumers.

import { Consumers } from '../engine/consumers/consumers.js';
import { KnownStreams } from '../engine/consumers/named/known-streams.js';
import { EventPlaces } from '../engine/log/event-places.js';
import { EventSteps } from '../engine/log/event-steps.js';
import type { Consumption } from '../engine/statistics/consumption.js';
import { MysqlConsumerStore } from '../storage/mysql/consumers/consumer-store.js';
import { MysqlParkedStore } from '../storage/mysql/consumers/parked-store.js';
import { MysqlPlaceStore } from '../storage/mysql/consumers/place-store.js';
import { MysqlUnreadStore } from '../storage/mysql/consumers/unread-store.js';
import { MysqlEventPlaceStore } from '../storage/mysql/log/event-place-store.js';
import { MysqlStreamStore } from '../storage/mysql/log/stream-store.js';
import type { EndedRuns, Instance } from '../storage/ports/log-storage.js';
import type { DatabaseHandle } from './database.js';
import type { LogParts } from './log.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface ConsumersOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly instance: Instance;
  /** Former runs of the instance; undefined: none is known. */
  readonly endedRuns: EndedRuns | undefined;
  readonly log: LogParts;
  readonly consumption: Consumption;
}

/** Builds and starts what serves consumers. The log has to be started. */
export async function startConsumers(options: ConsumersOptions, started: Started): Promise<Consumers> {
  const { surroundings, handle, instance, endedRuns, log, consumption } = options;
  const { clock, random, metrics, logger } = surroundings;
  const { database } = handle;
  const { names, durableReads, tail, pages, reader: source, management, ephemeral } = log;
  const store = new MysqlConsumerStore({ database });
  if (endedRuns !== undefined) await store.releaseEnded(endedRuns);
  const places = new EventPlaces({ store: new MysqlEventPlaceStore({ database, names }), durableReads, tail });
  const streams = new KnownStreams(new MysqlStreamStore({ database, names }));
  const parked = new MysqlParkedStore({ database });
  const placeStore = new MysqlPlaceStore({ database });
  const steps = new EventSteps({ log: log.log, source, pages });
  const unread = new MysqlUnreadStore({ database });
  const parts = {
    store,
    parked,
    placeStore,
    unread,
    management,
    source,
    ephemeral,
    places,
    streams,
    steps,
    consumption,
  };
  const consumers = new Consumers({ ...parts, instance, clock, random, metrics, logger });
  consumers.start();
  started.add('consumers', () => consumers.stop());
  return consumers;
}
