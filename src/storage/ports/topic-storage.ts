// The ports of topics: reading them, and building the identities of their events. What topics are registered with is written by groups only;
// besides, a build adds the identities of the past, and notes how far it has come. `storage/mysql` implements them and points back here.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { StoredTopic } from '../../domain/topics/stored-topic.js';
import type { Topic } from '../../domain/topics/topic.js';
import type { EventId, Position } from '../../units.js';

export interface TopicName {
  readonly context: string;
  readonly name: string;
}

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
  /** What is stored of each of the topics, in their order, up to a position. */
  stored(topics: readonly TopicName[], upTo: Position): Promise<readonly StoredTopic[]>;
}

/** A build of identities that is under way: see domain/topics/identity-build.ts. */
export interface PendingBuild {
  readonly context: string;
  readonly topic: string;
  readonly topicId: number;
  readonly buildId: number;
  readonly descriptionPaths: readonly string[];
  /** What was stored before is looked at up to here. */
  readonly builtTo: Position;
  /** What was stored after this position is none of its business. */
  readonly watchedAfter: Position;
}

/** The identity of a stored event. */
export interface IdentityRow {
  /** 34 bytes: see Identity in domain/group/group-plan-types.ts. */
  readonly digest: Uint8Array;
  readonly eventId: EventId;
  readonly position: Position;
}

/** A part of what was stored before. */
export interface IdentityPage {
  /** Everything after this position, up to `upTo`, was looked at. */
  readonly after: Position;
  readonly upTo: Position;
  /** The identities of its events, by position. */
  readonly rows: readonly IdentityRow[];
  /** Events without an identity. */
  readonly unidentified: number;
}

/** What became of a page: `done`, the build stands elsewhere; `gone`: it is over, or somebody else goes on with it. */
export type PageStored =
  | { readonly kind: 'stored'; readonly repeated: number }
  | { readonly kind: 'done'; readonly builtTo: Position }
  | { readonly kind: 'gone' };

export interface IdentityStore {
  /** Builds that are under way, the oldest first, as they are committed. */
  pending(): Promise<readonly PendingBuild[]>;
  /**
   * Adds the identities of a page, counts them and notes how far the build has come, in one transaction. Events that are not stored any
   * more, or were invalidated, get none. A page is counted once, and only where the build stands at its beginning.
   */
  add(build: Pick<PendingBuild, 'topicId' | 'buildId'>, page: IdentityPage): Promise<PageStored>;
}
