// The port of what is told of the server: what the database is, and who else uses it.

import type { Micros } from '../../units.js';
import type { Instance } from './log-storage.js';

/** A setting of the database with which a crash may lose what was committed. */
export interface LossySetting {
  readonly name: string;
  readonly value: string;
  /** What it means and how to mend it. */
  readonly advice: string;
}

/** What the database server is. */
export interface DatabaseFacts {
  /** MariaDB, MySQL or TiDB. */
  readonly engine: string;
  readonly version: string;
  /** Galera or Group Replication; empty: no servers besides it keep the same data. */
  readonly cluster: string;
  /** Settings because of which commits may not last; without any they do. */
  readonly lossySettings: readonly LossySetting[];
}

/** A run of an instance that told the database that it lives. */
export interface SeenInstance extends Instance {
  readonly startedAt: Micros;
  /** When it did so last. */
  readonly seenAt: Micros;
}

export interface ServerStore {
  /** The database server as it is now. */
  facts(): Promise<DatabaseFacts>;
  /** Instances that were seen within the last two minutes, the last one first; at most 100. */
  instances(): Promise<readonly SeenInstance[]>;
}
