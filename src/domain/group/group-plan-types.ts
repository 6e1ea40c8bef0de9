// What goes into the plan of a group and what comes out of it: units, what has to be read for them under the lock, what was
// found there, and what is written. What became of each unit: see group-outcomes.ts.

import type { EventId, Micros, Position } from '../../units.js';
import type { PreparedCawin } from '../cawins/prepared-cawin.js';
import type { Description } from '../descriptions/description.js';
import type { Shape } from '../descriptions/shape.js';
import type { ShapeLife } from '../descriptions/shape-life.js';
import type { BegunErasure, Erasure, ErasureTarget } from '../erasure/erasure.js';
import type { MadeleineError } from '../errors.js';
import type { EventDraft, LogEntry } from '../events/event.js';
import type { StreamState } from '../events/stream.js';
import type { ConsumerChange, FoundConsumer } from '../management/consumer-change.js';
import { scopedKey } from '../names.js';
import type { SchemaMet } from '../schemas/topic-schema.js';
import type { ContextSettings } from '../topics/context-settings.js';
import type { TopicSettings } from '../topics/topic-settings.js';
import type { EventOutcome, Wait } from '../waits/wait.js';
import type { UnitOutcome } from './group-outcomes.js';
import type { CatalogUpdate } from './shape-catalog.js';
import type { Unregistered } from './unregistered-pushes.js';

/** One event to push. */
export interface Push {
  readonly draft: EventDraft;
  /** The client's message id, or the one that was minted before the transaction. */
  readonly messageId: string;
  /** What was pushed under a client's message id. Undefined: the id was minted, nobody else can know it. */
  readonly digest: Uint8Array | undefined;
  /** The sequence that the stream has to have before this event; undefined: any. */
  readonly expectedSequence: number | undefined;
  /** The epoch that the stream has to be in; undefined: any. */
  readonly streamEpoch?: number | undefined;
  /** How a push without a payload looks and waits. */
  readonly terms?: WaitTerms | undefined;
  /** The cawin to be made on the event that a push without a payload finds or awaits. */
  readonly cawin?: PreparedCawin | undefined;
  /** The parked event that it takes the place of: that one is discarded with it, or nothing is stored. */
  readonly replaces?: ReplacedPlace | undefined;
  /** Memo of matchPushes: what the shapes that its topic watches make of it, as of one version of the catalogue. */
  match?: PushMatch | undefined;
  /** Memo of its check: the version of its topic's schema that it met, and what came of it. Versions never change. */
  met?: SchemaMet | undefined;
}

/** A place in the list of a consumer's parked events, as whoever runs the consumer knows it. */
export interface ParkedPlace {
  readonly consumerId: number;
  /** The owner's epoch: once another one has come the place is not his to change. */
  readonly ownerEpoch: number;
  readonly position: Position;
}

/** A place that a push takes which has something of the event that is parked there. */
export interface ReplacedPlace extends ParkedPlace {
  /** The newest erasure that was kept to when the event was read. */
  readonly erasedTo: Position;
}

/** What is at such a place: `lost`, as another owner has come, or the consumer is gone; `outdated`, as something was erased since. */
export type ParkedState = 'parked' | 'replaying' | 'empty' | 'lost' | 'outdated';

/** The place as one text. */
export function parkedKey({ consumerId, ownerEpoch, position }: ParkedPlace): string {
  return `${consumerId}:${ownerEpoch}:${position}`;
}

/** How a description looks for its event, and how long it waits. */
export interface WaitTerms {
  readonly waitMicros: Micros;
  /** What occurred at or before this time does not count. */
  readonly since: Micros;
  /** What is at or before this position does not count either; it is known to be no later than `since`. */
  readonly after: Position;
}

/** What the shapes of a topic make of a push. */
export interface PushMatch {
  /** The shapes that the payload has, or the one of the description that is looked for. */
  readonly keys: readonly WaitKey[];
  /** The payload lacks what identifies the events of its topic, or cannot be read for it. */
  readonly problem?: MadeleineError;
  /** The description is looked for in an index that is not there, or not complete: its shape was given back meanwhile. */
  readonly isUnindexed?: boolean;
  /** What identifies the event by the description paths of its topic. */
  readonly identity?: Description;
  /** What is to identify it, by paths that nothing obeys yet: see domain/topics/identity-build.ts. */
  readonly nextIdentity?: Description | undefined;
  /** Nobody registered its topic, and it is not stored for that. */
  readonly unregistered?: Unregistered;
  /** The version of its topic's schema that the push met; undefined: its topic has none. */
  readonly version?: number | undefined;
}

/** The values of a shape: what waits and payloads are found by. */
export interface WaitKey {
  readonly context: string;
  readonly topic: string;
  readonly shapeId: number;
  readonly hash: Uint8Array;
  /** The values as text: two keys with the same hash are the same only if these are. */
  readonly values: string;
  /** All of it but `values` as one text. */
  readonly text: string;
}

/** What a management call may ask for. */
interface Audited {
  /** The entry that tells of it, stored in the same group if the unit changes something. */
  readonly audit?: Push | undefined;
}

/** Events pushed together. `atomic`: all are stored or none; otherwise each stands alone. */
export interface PushUnit extends Audited {
  readonly kind: 'push';
  readonly pushes: readonly Push[];
  readonly atomic: boolean;
}

/** A cawin is to be made on an event as it is under the lock. */
export interface ObserveUnit {
  readonly kind: 'observe';
  readonly eventId: EventId;
  readonly cawin: PreparedCawin;
  /** The time that the deadline of the event is raised to while it is awaited. */
  readonly expiresAt: Micros | undefined;
}

/** A stream is handed to another owner. */
export interface TransferUnit extends Audited {
  readonly kind: 'transfer';
  readonly context: string;
  readonly stream: string;
  /** Who owns it at present. */
  readonly owner: string;
  readonly newOwner: string;
  /** Minted: a rerun finds by it what an unanswered COMMIT stored. */
  readonly messageId: string;
}

/** A stream is truncated up to a sequence. */
export interface TruncateUnit extends Audited {
  readonly kind: 'truncate';
  readonly context: string;
  readonly stream: string;
  readonly upTo: number;
}

/** An awaited or occurred event is withdrawn. A group of its own. */
export interface InvalidateUnit {
  readonly kind: 'invalidate';
  readonly eventId: EventId;
  readonly reason: string;
}

/** The waits among these whose deadline has passed end. A group of its own. */
export interface ExpireUnit {
  readonly kind: 'expire';
  readonly eventIds: readonly EventId[];
}

/** A topic watches one more shape. A group of its own. */
export interface WatchUnit {
  readonly kind: 'watch';
  readonly context: string;
  readonly topic: string;
  readonly shape: Shape;
  readonly neededAt: Micros;
}

/** The index of a shape is complete. A group of its own. */
export interface ReadyUnit {
  readonly kind: 'ready';
  readonly shapeId: number;
}

/** Shapes are watched no more. A group of its own. */
export interface DropUnit extends Audited {
  readonly kind: 'drop';
  readonly shapeIds: readonly number[];
  /** A shape that was needed later than this is kept. */
  readonly unusedSince: Micros;
}

/** A topic gets its settings. A group of its own. */
export interface RegisterUnit extends Audited {
  readonly kind: 'register';
  readonly context: string;
  readonly topic: string;
  readonly settings: TopicSettings;
  /** The latest version of its schema that the caller saw, 0 without any: what he compared his with. */
  readonly latestSchema?: number | undefined;
  /** Whether it only says what would become of the topic. */
  readonly dryRun?: boolean;
}

/** A registered topic gets other settings. A group of its own. */
export interface UpdateUnit extends Audited {
  readonly kind: 'update';
  readonly context: string;
  readonly topic: string;
  /** The settings that it has to have before. */
  readonly expected: TopicSettings;
  readonly settings: TopicSettings;
  /** The latest version of its schema that the caller saw, 0 without any: what he compared his with. */
  readonly latestSchema?: number | undefined;
  /** Whether it only says what would become of the topic. */
  readonly dryRun?: boolean;
}

/** A topic is registered no more. A group of its own. */
export interface UnregisterUnit extends Audited {
  readonly kind: 'unregister';
  readonly context: string;
  readonly topic: string;
  /** The settings that it has to have before. */
  readonly expected: TopicSettings;
}

/** A context gets other settings. A group of its own. */
export interface ContextUnit extends Audited {
  readonly kind: 'context';
  readonly context: string;
  /** The settings that it has to have before. */
  readonly expected: ContextSettings;
  readonly settings: ContextSettings;
}

/** The identities of a topic's events are built by its new description paths. A group of its own. */
export interface IdentifiedUnit {
  readonly kind: 'identified';
  readonly context: string;
  readonly topic: string;
  readonly buildId: number;
}

/** A consumer is changed. */
export interface ManageUnit extends Audited {
  readonly kind: 'manage';
  readonly change: ConsumerChange;
  /** Its message id tells, when the unit is run again, whether it was stored before. */
  readonly audit: Push;
}

/** What is there of a target is to be erased: from here on it is decided. */
export interface EraseUnit extends Audited {
  readonly kind: 'erase';
  readonly target: ErasureTarget;
  /** Its message id tells, when the unit is run again, whether it was stored before. */
  readonly audit: Push;
}

/** Some of the events that an erasure covers lose their content. A group of its own. */
export interface BlankUnit {
  readonly kind: 'blank';
  readonly erasure: Pick<Erasure, 'position' | 'decidedAt'>;
  /** Events of which all entries lose it, with what they ended. */
  readonly eventIds: readonly EventId[];
  /** Events of which only what was awaited loses it: whoever pushed what ended the wait says whom that is about. */
  readonly waitIds: readonly EventId[];
  /** Everything of the erasure up to here is done with it. */
  readonly upTo: Position;
}

/** Retention goes on that a leap of the clock stopped. A group of its own. */
export interface ResumeUnit extends Audited {
  readonly kind: 'resume';
  /** See ManageUnit. */
  readonly audit: Push;
}

/** What a group is made of. */
export type GroupUnit =
  | PushUnit
  | ObserveUnit
  | TransferUnit
  | TruncateUnit
  | InvalidateUnit
  | ExpireUnit
  | ManageUnit
  | EraseUnit
  | BlankUnit
  | ResumeUnit
  | CatalogUnit;

/** What changes the catalogue. */
export type CatalogUnit =
  | WatchUnit
  | ReadyUnit
  | DropUnit
  | RegisterUnit
  | UpdateUnit
  | UnregisterUnit
  | IdentifiedUnit
  | ContextUnit;

/** What a group has to read under the lock. */
export interface GroupNeeds {
  readonly streams: readonly { readonly context: string; readonly name: string }[];
  readonly messageIds: readonly { readonly context: string; readonly messageId: string }[];
  /** Message ids have to be looked up before anything is decided, minted ones included (a rerun). */
  readonly lookUpFirst: boolean;
  /** Undefined: the group has nothing to do with waits. */
  readonly waits: WaitNeeds | undefined;
  /** Undefined: the group has nothing to do with what is parked. */
  readonly parked?: readonly ReplacedPlace[] | undefined;
  /** Changes of the consumers that have to be read. Undefined: the group changes none. */
  readonly consumers?: readonly ConsumerChange[] | undefined;
}

export interface WaitNeeds {
  /** Is an event with these values awaited? */
  readonly keys: readonly WaitKey[];
  /** Has an event with these values occurred? */
  readonly finds: readonly Find[];
  /** Has an event with an equal description occurred? */
  readonly identities: readonly Identity[];
  /** Events by any of their ids. */
  readonly eventIds: readonly EventId[];
  /** What keeps the shapes with these ids? */
  readonly shapeIds: readonly number[];
}

export interface Find {
  readonly key: WaitKey;
  readonly since: Micros;
  readonly after: Position;
  /** All of it as one text. */
  readonly text: string;
}

/** A description as what identifies the events of a topic. */
export interface Identity {
  readonly context: string;
  readonly topic: string;
  /** 34 bytes: of its shape and of its values. */
  readonly digest: Uint8Array;
  readonly text: string;
}

/** The id of no event: of what was discarded. */
export const DISCARDED_ID: EventId = 0;

/** The first push of a message id, as stored. */
export interface PushedBefore {
  /** 0: it left no entry of its own; then `eventId` says what it found or began to await, or that it was discarded. */
  readonly position: Position;
  readonly eventId: EventId;
  readonly issuer: string;
  readonly digest: Uint8Array | undefined;
  /** Undefined: it is of this very group. */
  readonly createdAt?: Micros | undefined;
}

/** An event that has occurred. */
export interface Occurrence {
  readonly eventId: EventId;
  readonly position: Position;
}

/** What is stored of an event under one of its ids. */
export interface StoredEvent {
  readonly wait: Wait | undefined;
  /** The entries of the event itself; of a satisfied wait: of the event that ended it. */
  readonly entries: readonly LogEntry[];
}

/** What the group found under the lock of what it needs of waits. */
export interface LockedWaits {
  /** AWAITED ones by the text of their key. */
  readonly awaited: ReadonlyMap<string, Wait>;
  /** The first that occurred, by the text of the find. */
  readonly found: ReadonlyMap<string, Occurrence>;
  readonly identities: ReadonlyMap<string, Occurrence>;
  readonly events: ReadonlyMap<number, StoredEvent>;
  readonly shapes: ReadonlyMap<number, ShapeLife>;
}

export interface HeadState {
  readonly position: Position;
  readonly nextEventId: EventId;
  readonly createdAt: Micros;
  readonly nextShapeId: number;
}

/** What the group found under the lock. Keys are scopedKey(context, name or message id). */
export interface LockedState {
  readonly head: HeadState;
  /** The database's time, read with the lock. */
  readonly now: Micros;
  readonly streams: ReadonlyMap<string, StreamState>;
  /** The needed message ids that are stored; undefined: they were not looked up. */
  readonly pushed: ReadonlyMap<string, PushedBefore> | undefined;
  /** Undefined where the group needs nothing of them. */
  readonly waits: LockedWaits | undefined;
  /** What is at the needed places, by their keys: read without a lock, so that the write has to hold it against what is there then. */
  readonly parked?: ReadonlyMap<string, ParkedState> | undefined;
  /** The consumers that are to be changed, also deleted ones, by scopedKey(context, name); read without a lock as well. */
  readonly consumers?: ReadonlyMap<string, FoundConsumer> | undefined;
}

/** The push as it is stored, by an attempt whose COMMIT was not answered, and all that its unit does with it; undefined: it is not. */
export function storedBefore({ pushed }: LockedState, { draft, messageId }: Push): PushedBefore | undefined {
  return pushed?.get(scopedKey(draft.context, messageId));
}

/** What the group writes: exact rows, absolute values. */
export interface GroupWrites {
  readonly entries: readonly PlannedEntry[];
  /** Streams that are new or moved, in their state after the group. */
  readonly streams: readonly StreamState[];
  readonly head: HeadState;
  /**
   * A push with a client's id was refused while the ids had not been looked up: it may be a retry. Look them up and decide
   * again.
   */
  readonly inDoubt: boolean;
  /** Undefined: nothing of waits. */
  readonly waits: WaitWrites | undefined;
  /** Parked events that are discarded. Where one is not parked any more nothing is stored, and the group is decided again. */
  readonly replaced: readonly ParkedPlace[];
  /** Changes of consumers in their order. Where one is not as it was found any more nothing is stored, and the group is decided again. */
  readonly consumers: readonly PlannedChange[];
  /** Streams that are truncated, as they are after the group. */
  readonly truncated: readonly StreamState[];
  /** Undefined: nothing of erasures. */
  readonly erasures?: ErasureWrites | undefined;
  /** Whether retention goes on. */
  readonly resumesRetention?: boolean;
}

export interface ErasureWrites {
  readonly begun: readonly BegunErasure[];
  readonly blanked: Blanking | undefined;
}

/** Events that lose their content. */
export interface Blanking {
  readonly erasure: Position;
  readonly upTo: Position;
  readonly eventIds: readonly EventId[];
  readonly waitIds: readonly EventId[];
  /** How many of all of them had content. */
  readonly events: number;
  /** Their entries, as they are from then on. */
  readonly entries: readonly LogEntry[];
  /** Which values they had. */
  readonly unindexed: readonly IndexedValues[];
}

/** A change of the consumer with the id; undefined: there is none as yet. */
export interface PlannedChange {
  readonly change: ConsumerChange;
  readonly id: number | undefined;
}

/** A group that changes nothing is rolled back. */
export function isEmpty(writes: GroupWrites): boolean {
  return writes.entries.length === 0 && writes.waits === undefined && hasNoChanges(writes);
}

function hasNoChanges({ consumers, erasures }: GroupWrites): boolean {
  return consumers.length === 0 && erasures === undefined;
}

export interface WaitWrites {
  /** Waits that are new, in their state after the group. */
  readonly added: readonly Wait[];
  /** Waits that were there before and changed. */
  readonly changed: readonly Wait[];
  readonly ledger: readonly LedgerRow[];
  /** Which values the group's events have. */
  readonly indexed: readonly IndexedValues[];
  /** Which values an event had that was invalidated: searches pass it by. */
  readonly unindexed: readonly IndexedValues[];
  readonly identities: readonly { readonly identity: Identity; readonly occurrence: Occurrence }[];
  /** An event that was invalidated: its identities are free, what it ended is INVALIDATED. */
  readonly freed: { readonly eventId: EventId; readonly position: Position } | undefined;
  /** Undefined: the catalogue stays as it is. */
  readonly catalog: CatalogUpdate | undefined;
  readonly cawins: readonly PlannedCawin[];
}

/** Values of a shape that the event at the position has. */
export interface IndexedValues {
  readonly key: WaitKey;
  readonly position: Position;
}

/** A cawin that is to be made, and what its event is after the group. */
export interface PlannedCawin {
  readonly cawin: PreparedCawin;
  readonly event: EventOutcome;
}

/** A push that left no entry of its own. */
export interface LedgerRow {
  readonly context: string;
  readonly messageId: string;
  readonly issuer: string;
  readonly digest: Uint8Array | undefined;
  readonly eventId: EventId;
  readonly createdAt: Micros;
}

export interface PlannedEntry {
  readonly entry: LogEntry;
  readonly digest: Uint8Array | undefined;
}

export interface GroupPlan {
  readonly writes: GroupWrites;
  /** One a unit, in order. */
  readonly outcomes: readonly UnitOutcome[];
}

const NO_PUSHES: readonly Push[] = [];

/** The entry of the audit that goes with a unit. */
export function auditOf(unit: GroupUnit): Push | undefined {
  return 'audit' in unit ? unit.audit : undefined;
}

/** The events that a unit may store, but for what ends waits. */
export function pushesOf(unit: GroupUnit): readonly Push[] {
  const pushes = unit.kind === 'push' ? unit.pushes : NO_PUSHES;
  const audit = auditOf(unit);
  return audit === undefined ? pushes : [...pushes, audit];
}

/** How many events a unit counts for where groups and queues are bounded. */
export function unitSize(unit: GroupUnit): number {
  if (unit.kind === 'expire') return unit.eventIds.length;
  if (unit.kind === 'blank') return unit.eventIds.length + unit.waitIds.length;
  return Math.max(1, pushesOf(unit).length);
}

const TOGETHER: ReadonlySet<GroupUnit['kind']> = new Set([
  'push',
  'observe',
  'transfer',
  'truncate',
  'manage',
  'erase',
] as const);

/** Whether a unit has to be a group of its own: what it reads is not what other units' effects show. */
export function standsAlone({ kind }: GroupUnit): boolean {
  return !TOGETHER.has(kind);
}

/** Whether a unit may change the catalogue. */
export function recatalogues(unit: GroupUnit): boolean {
  return CATALOG_KINDS.has(unit.kind);
}

const CATALOG_KINDS: ReadonlySet<GroupUnit['kind']> = new Set<CatalogUnit['kind']>([
  'watch',
  'ready',
  'drop',
  'register',
  'update',
  'unregister',
  'identified',
  'context',
]);

const NO_IDENTITIES: readonly Identity[] = [];

/** What identifies the event of a push with a payload: what its topic's description paths lead to comes before its description. */
export function identitiesOf({ draft, match }: Push): readonly Identity[] {
  const { context, topic, description } = draft;
  const own = match?.identity;
  if (description === undefined && own === undefined) return NO_IDENTITIES;
  const isBoth = description !== undefined && own !== undefined && description.text !== own.text;
  const descriptions = isBoth ? [own, description] : [own ?? description];
  return descriptions.flatMap((one) => (one === undefined ? [] : [identityOf(context, topic, one)]));
}

/** The identity that a description gives in a topic. */
export function identityOf(context: string, topic: string, description: Description): Identity {
  const digest = Buffer.concat([description.shape.digest, description.hash]);
  return { context, topic, digest, text: `${context}\u0000${topic}\u0000${digest.toString('latin1')}` };
}

/** Bytes that a unit has in the statements of a group, at most, but for what is short. */
export function unitBytes(unit: GroupUnit): number {
  return pushesOf(unit).reduce((sum, { draft }) => sum + draftBytes(draft), 0);
}

function draftBytes({ payload, description, rest }: EventDraft): number {
  const payloadBytes = payload?.bytes.byteLength ?? 0;
  if (rest === undefined && description === undefined) return payloadBytes;
  // Texts are quoted once as JSON and once as SQL.
  const texts = `${description?.text ?? ''}${rest === undefined ? '' : JSON.stringify(rest)}`;
  return payloadBytes + 2 * Buffer.byteLength(texts);
}

/** A unit in memory besides its bytes in statements: objects, short texts, a message id. */
const UNIT_BYTES = 1_024;

/** Bytes that a unit holds in memory while it waits, about. */
export function unitMemory(unit: GroupUnit): number {
  return unitBytes(unit) + UNIT_BYTES * Math.max(1, unitSize(unit));
}
