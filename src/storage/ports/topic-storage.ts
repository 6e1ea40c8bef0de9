// The ports of topics: reading them, and building the identities of their events. What topics are registered with is written by groups only;
// besides, a build adds the identities of the past, and notes how far it has come. `storage/mysql` implements them and points back here.
//
// Every method rejects with MadeleineError STORAGE_UNAVAILABLE when the database is away.

import type { ContextSettings } from '../../domain/topics/context-settings.js';
import type { StoredTopic } from '../../domain/topics/stored-topic.js';
import type { Topic } from '../../domain/topics/topic.js';
import type { EventId, Micros, Position } from '../../units.js';

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

/** A context that is there, and the state of the log that it was read with. */
export interface ContextRead {
  /** Undefined: there is no such context. */
  readonly settings: ContextSettings | undefined;
  readonly catalogVersion: number;
}

export interface ContextStore {
  find(context: string): Promise<ContextRead>;
}

/** An event that was discarded, as it is kept. */
export interface NewSample {
  readonly context: string;
  readonly topic: string;
  readonly issuer: string;
  /** The client's; empty: it gave none. */
  readonly messageId: string;
  readonly discardedAt: Micros;
  readonly contentType: string;
  /** Bytes of the whole payload. */
  readonly payloadBytes: number;
  /** The beginning of the payload; undefined: there was none. */
  readonly payload: Uint8Array | undefined;
  /** The beginning of the description that it was pushed with; undefined: there was none. */
  readonly description: string | undefined;
}

export interface DiscardedSample extends NewSample {
  readonly id: number;
}

export interface ListSamplesOptions {
  /** A context, or `all`. */
  readonly context: string;
  /** One topic; empty: every topic. */
  readonly topic: string;
  /** The id before which the list goes on; undefined: it begins with the newest. */
  readonly before: number | undefined;
  readonly limit: number;
}

export interface DiscardStore {
  /** Keeps samples, and forgets the oldest ones beyond the bounds. */
  add(samples: readonly NewSample[], most: { readonly ofTopic: number; readonly ofAll: number }): Promise<void>;
  /** Samples, the newest first. */
  list(options: ListSamplesOptions): Promise<readonly DiscardedSample[]>;
}
