// The port of topics: reading them. They are written by groups only. `storage/mysql` implements it and points back here.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { Topic } from '../../domain/topics/topic.js';
import type { Position } from '../../units.js';

export interface ListTopicsOptions {
  /** A context, or `all`. */
  readonly context: string;
  readonly namePrefix: string;
  readonly limit: number;
  /** The name after which the list begins, by context and name in byte order. */
  readonly after?: { readonly context: string; readonly name: string } | undefined;
}

/** Topics, and the state of the log that they were read with: they may rest on what is committed and not yet durable. */
export interface TopicsRead {
  readonly topics: readonly Topic[];
  /** The head's position; 0 without topics, as the version. */
  readonly position: Position;
  readonly catalogVersion: number;
}

export interface TopicStore {
  /** The topic that is registered or was used, or none. */
  find(context: string, name: string): Promise<TopicsRead>;
  /** Topics that are registered or were used, by context and name in byte order. */
  list(options: ListTopicsOptions): Promise<TopicsRead>;
}
