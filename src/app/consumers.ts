// The part that serves consumers.

import { Consumers } from '../engine/consumers/consumers.js';
import { MysqlConsumerStore } from '../storage/mysql/consumers/consumer-store.js';
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
}

/** Builds and starts what serves consumers. The log has to be started. */
export async function startConsumers(options: ConsumersOptions, started: Started): Promise<Consumers> {
  const { surroundings, handle, instance, endedRuns, log } = options;
  const { clock, random, metrics, logger } = surroundings;
  const store = new MysqlConsumerStore({ database: handle.database });
  if (endedRuns !== undefined) await store.releaseEnded(endedRuns);
  const consumers = new Consumers({ store, source: log.reader, instance, clock, random, metrics, logger });
  consumers.start();
  started.add('consumers', () => consumers.stop());
  return consumers;
}
