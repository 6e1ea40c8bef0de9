// Decides what a group does: units in order, each against the locked rows plus the effects of earlier units. Pure: the
// same locked state and units give the same plan, however often it is asked.
//
// Invariant: the plan of a group equals executing its units one at a time, each as a group of its own (times aside).
// Checks run in this order: same message id -> registration of its topic -> what it replaces -> epoch and owner of the stream -> expected sequence -> payload and identity -> waits.

import type { EventId, Micros, Position } from '../../units.js';
import { UndoLog } from '../collections/undo-log.js';
import type { Description } from '../descriptions/description.js';
import { assertNever, bug, type MadeleineError } from '../errors.js';
import { isSameContent } from '../events/content-digest.js';
import { EnvelopeMembers } from '../events/envelope.js';
import { EntryKind, type EventDraft, type LogEntry, type Payload } from '../events/event.js';
import { extendStream, FIRST_EPOCH, handedOver, type StreamState } from '../events/stream.js';
import { done, type FoundConsumer } from '../management/consumer-change.js';
import { scopedKey } from '../names.js';
import { askerOf, type Wait } from '../waits/wait.js';
import {
  hasChanged,
  type Managed,
  type Pushed,
  type PushOutcome,
  type Refused,
  type Resumed,
  type Transferred,
  type Truncated,
  type UnitOutcome,
} from './group-outcomes.js';
import { CatalogPlanner } from './group-plan-catalog.js';
import { ErasurePlanner } from './group-plan-erasures.js';
import { epochFenced, idReused, notReplaceable, sequenceConflict, streamOwned } from './group-plan-refusals.js';
import { topicUnregistered } from './group-plan-topics.js';
import { decideTransfer, transferEnvelope } from './group-plan-transfers.js';
import { decideTruncation } from './group-plan-truncations.js';
import {
  auditOf,
  DISCARDED_ID,
  type GroupPlan,
  type GroupUnit,
  type GroupWrites,
  type LockedState,
  type ManageUnit,
  type Occurrence,
  type ParkedPlace,
  type PlannedChange,
  type PlannedEntry,
  type Push,
  type PushedBefore,
  type PushUnit,
  parkedKey,
  type ResumeUnit,
  storedBefore,
  type TransferUnit,
  type TruncateUnit,
} from './group-plan-types.js';
import { type EndingEntry, WaitPlanner } from './group-plan-waits.js';
import type { ShapeCatalog } from './shape-catalog.js';
import type { Unregistered } from './unregistered-pushes.js';

/** Plans the units against the locked state; the catalogue is that of the locked head. */
export function planGroup(locked: LockedState, units: readonly GroupUnit[], catalog: ShapeCatalog): GroupPlan {
  const planner = new GroupPlanner(locked, catalog);
  const outcomes = units.map((unit) => planner.add(unit));
  return { writes: planner.writes(), outcomes };
}

class GroupPlanner {
  readonly #locked: LockedState;
  readonly #entries: PlannedEntry[] = [];
  /** Effects of earlier units, over the locked rows. */
  readonly #streams = new Map<string, StreamState>();
  readonly #pushed = new Map<string, PushedBefore>();
  #resumesRetention = false;
  readonly #replaced = new Map<string, ParkedPlace>();
  readonly #consumers = new Map<string, FoundConsumer>();
  readonly #changes: PlannedChange[] = [];
  readonly #truncated: StreamState[] = [];
  #nextEventId: EventId;
  #lastCreatedAt: Micros;
  #inDoubt = false;
  /** What was there before the unit that is being added, if it is stored as a whole or not at all. */
  #before: Checkpoint | undefined;
  readonly #undo = new UndoLog();
  readonly #waits: WaitPlanner;
  readonly #catalog: CatalogPlanner;
  readonly #erasures: ErasurePlanner;

  constructor(locked: LockedState, catalog: ShapeCatalog) {
    this.#locked = locked;
    this.#nextEventId = locked.head.nextEventId;
    // The first entry gets max(head + 1 µs, now), each further one 1 µs more.
    this.#lastCreatedAt = Math.max(locked.head.createdAt, locked.now - 1);
    const time = this.#lastCreatedAt + 1;
    this.#catalog = new CatalogPlanner({ catalog, locked, time });

    this.#waits = new WaitPlanner({
      locked: locked.waits,
      catalog,
      time,
      undo: this.#undo,
      mintEventId: () => this.#mintEventId(),
      append: (ending) => this.#appendEnding(ending),
      appended: (eventId) => this.#entries.find(({ entry }) => entry.eventId === eventId)?.entry,
    });
    this.#erasures = new ErasurePlanner(locked, catalog, this.#waits);
  }

  add(unit: GroupUnit): UnitOutcome {
    const outcome = this.#add(unit);
    const audit = auditOf(unit);
    if (audit !== undefined && hasChanged(outcome)) this.#addAudit(audit);
    return outcome;
  }

  #add(unit: GroupUnit): UnitOutcome {
    switch (unit.kind) {
      case 'push':
        return unit.atomic ? this.#addAtomic(unit) : this.#addEach(unit);
      case 'observe':
        return this.#waits.observe(unit);
      case 'transfer':
        return this.#transfer(unit);
      case 'truncate':
        return this.#truncate(unit);
      case 'invalidate':
        return this.#waits.invalidate(unit.eventId, unit.reason);
      case 'expire':
        return this.#waits.expire(unit.eventIds);
      case 'manage':
        return this.#manage(unit);
      case 'erase':
        return this.#erasures.begin(unit, this.#nextPlace);
      case 'blank':
        return this.#erasures.blank(unit);
      case 'resume':
        return this.#resume(unit);
      case 'watch':
        return this.#catalog.watch(unit);
      case 'ready':
        return this.#catalog.ready(unit.shapeId);
      case 'drop':
        return this.#catalog.drop(unit);
      case 'register':
        return this.#catalog.register(unit);
      case 'update':
        return this.#catalog.update(unit);
      case 'unregister':
        return this.#catalog.unregister(unit);
      case 'identified':
        return this.#catalog.identified(unit);
      case 'context':
        return this.#catalog.context(unit);
      default:
        return assertNever(unit);
    }
  }

  writes(): GroupWrites {
    const moved = this.#entries.length > 0;
    return {
      entries: this.#entries,
      streams: [...this.#streams.values()],
      head: {
        position: this.#locked.head.position + this.#entries.length,
        nextEventId: this.#nextEventId,
        createdAt: moved ? this.#lastCreatedAt : this.#locked.head.createdAt,
        nextShapeId: this.#catalog.nextShapeId,
      },
      inDoubt: this.#inDoubt,
      waits: this.#waits.writes(this.#catalog.writes()),
      replaced: [...this.#replaced.values()],
      consumers: this.#changes,
      erasures: this.#erasures.writes(),
      truncated: this.#truncated,
      resumesRetention: this.#resumesRetention,
    };
  }

  #manage({ change, audit }: ManageUnit): Managed {
    const { context, name } = change.key;
    if (storedBefore(this.#locked, audit) !== undefined) return CHANGED;
    const key = scopedKey(context, name);
    const found = this.#consumers.get(key) ?? this.#locked.consumers?.get(key);
    const result = done(change, found);
    if (result.effect === 'changed') {
      this.#consumers.set(key, result.consumer);
      this.#changes.push({ change, id: found?.id });
    }
    return { kind: 'managed', effect: result.effect };
  }

  #resume({ audit }: ResumeUnit): Resumed {
    const changed = storedBefore(this.#locked, audit) === undefined;
    this.#resumesRetention = changed;
    return { kind: 'resumed', changed };
  }

  #addAudit(audit: Push): void {
    const { kind } = this.#push(audit, 0);
    if (kind !== 'occurred' && kind !== 'duplicate') throw bug(`an entry of the audit is ${kind}`);
  }

  #addEach({ pushes }: PushUnit): Pushed {
    return { kind: 'pushed', pushes: pushes.map((push, index) => this.#push(push, index)) };
  }

  #addAtomic(unit: PushUnit): Pushed {
    const before = this.#checkpoint(unit);
    this.#before = before;
    const outcome = this.#addEach(unit);
    this.#before = undefined;
    const refused = outcome.pushes.find(({ kind }) => kind === 'refused');
    if (refused === undefined) return outcome;
    this.#undoTo(before);
    // What was undone is not inserted, so the unique key will not tell whether one of the ids was used before.
    for (const push of unit.pushes) this.#doubt(push);
    return { ...outcome, pushes: outcome.pushes.map((push) => (push.kind === 'refused' ? push : refused)) };
  }

  /** Returns what the unit may change, as it is before: nothing else is remembered. */
  #checkpoint({ pushes }: PushUnit): Checkpoint {
    const streams = pushes.map(({ draft }) => scopedKey(draft.context, draft.stream));
    const ids = pushes.map(({ draft, messageId }) => scopedKey(draft.context, messageId));
    return {
      mark: this.#undo.mark,
      entries: this.#entries.length,
      position: this.#nextPosition,
      nextEventId: this.#nextEventId,
      lastCreatedAt: this.#lastCreatedAt,
      streams: new Map(streams.map((key) => [key, this.#streams.get(key)])),
      ids: new Map(ids.map((key) => [key, this.#pushed.get(key)])),
    };
  }

  #undoTo(before: Checkpoint): void {
    this.#undo.undoTo(before.mark);
    this.#entries.length = before.entries;
    this.#nextEventId = before.nextEventId;
    this.#lastCreatedAt = before.lastCreatedAt;
    restore(this.#streams, before.streams);
    restore(this.#pushed, before.ids);
  }

  #push(push: Push, index: number): PushOutcome {
    const { draft, messageId } = push;
    const idKey = scopedKey(draft.context, messageId);
    const before = this.#pushed.get(idKey) ?? this.#locked.pushed?.get(idKey);
    if (before !== undefined) return repeated(push, before, { fault: index, isKept: this.#isKept(before) });
    const unregistered = push.match?.unregistered;
    if (unregistered !== undefined) return this.#pushUnregistered(push, unregistered, { index, idKey });
    const streamKey = scopedKey(draft.context, draft.stream);
    const stream = draft.stream === '' ? undefined : this.#streamOf(streamKey);
    const error =
      this.#replacementRefusal(push) ??
      this.#streamRefusal(push, stream) ??
      this.#waits.refusal(push, (occurrence) => this.#isKept(occurrence));
    if (error !== undefined) {
      this.#doubt(push);
      const isUnindexed = push.match?.isUnindexed === true;
      return { kind: 'refused', error, fault: index, isUnindexed };
    }
    if (draft.payload === undefined) return this.#look(push, idKey);
    const satisfied = push.match === undefined ? NO_WAITS : this.#waits.takeSatisfied(push);
    const entry = this.#append(push, { idKey, streamKey, stream, satisfied });
    if (push.match !== undefined || draft.description !== undefined) this.#waits.occurred(push, entry, satisfied);
    return { kind: 'occurred', entry, satisfied: satisfied.length > 0 };
  }

  /** Nobody registered the topic of the push. What somebody waits for, or a parked event makes place for, is not dropped quietly. */
  #pushUnregistered(
    push: Push,
    unregistered: Unregistered,
    { index, idKey }: { readonly index: number; readonly idKey: string },
  ): PushOutcome {
    const { draft, digest } = push;
    if (unregistered === 'reject' || push.cawin !== undefined || push.replaces !== undefined) {
      this.#doubt(push);
      return { kind: 'refused', error: topicUnregistered(draft.context, draft.topic), fault: index };
    }
    this.#waits.discarded(push);
    this.#pushed.set(idKey, { position: 0, eventId: DISCARDED_ID, issuer: draft.issuer, digest });
    return { kind: 'discarded', isRepeated: false };
  }

  /** Why the push does not take the place of the parked event that it names. */
  #replacementRefusal({ replaces }: Push): MadeleineError | undefined {
    if (replaces === undefined) return undefined;
    const key = parkedKey(replaces);
    const state = this.#replaced.has(key) ? 'empty' : (this.#locked.parked?.get(key) ?? 'lost');
    return state === 'parked' ? undefined : notReplaceable(replaces, state);
  }

  /** Why the push does not go into its stream. What it tells of the stream is what stays if its unit is taken back. */
  #streamRefusal(push: Push, stream: StreamState | undefined): MadeleineError | undefined {
    const { draft, expectedSequence, streamEpoch } = push;
    const isFenced = streamEpoch !== undefined && streamEpoch !== (stream?.epoch ?? FIRST_EPOCH);
    const isOwned = stream !== undefined && stream.owner !== draft.issuer;
    const isMet = expectedSequence === undefined || expectedSequence === (stream?.lastSequence ?? 0);
    if (!isFenced && !isOwned && isMet) return undefined;
    const key = scopedKey(draft.context, draft.stream);
    const stored =
      this.#before === undefined ? stream : (this.#before.streams.get(key) ?? this.#locked.streams.get(key));
    if (isFenced) return epochFenced(draft, streamEpoch, stored);
    return isOwned ? streamOwned(draft, stored) : sequenceConflict(draft, expectedSequence ?? 0, stored);
  }

  #streamOf(key: string): StreamState | undefined {
    return this.#streams.get(key) ?? this.#locked.streams.get(key);
  }

  #transfer(unit: TransferUnit): Transferred | Refused {
    const { context, newOwner, messageId } = unit;
    const key = scopedKey(context, unit.stream);
    const isStored = this.#locked.pushed?.has(scopedKey(context, messageId)) === true;
    const decided = decideTransfer(unit, this.#streamOf(key), isStored);
    if (decided.kind === 'refused') return decided;
    if (decided.kind === 'done') return { kind: 'transferred', stream: decided.stream, changed: false };
    const envelope = transferEnvelope(decided.stream, newOwner);
    const { position } = this.#appendEnding({
      ...{ envelope, kind: EntryKind.TRANSFERRED, rest: envelope.rest, messageId },
      eventId: this.#mintEventId(),
    });
    const stream = handedOver(decided.stream, newOwner, position);
    this.#streams.set(key, stream);
    return { kind: 'transferred', stream, changed: true };
  }

  #truncate(unit: TruncateUnit): Truncated | Refused {
    const key = scopedKey(unit.context, unit.stream);
    const decided = decideTruncation(unit, this.#streamOf(key));
    if (decided.kind === 'refused') return decided;
    const { stream } = decided;
    if (decided.kind === 'done') return { kind: 'truncated', stream, changed: false };
    this.#streams.set(key, stream);
    this.#truncated.push(stream);
    return { kind: 'truncated', stream, changed: true };
  }

  /** Whether an event stays when the unit that refuses another one because of it is taken back. */
  #isKept({ position, eventId }: Occurrence): boolean {
    return this.#before === undefined || (position < this.#before.position && eventId < this.#before.nextEventId);
  }

  #look(push: Push, idKey: string): PushOutcome {
    const { issuer } = push.draft;
    const remember = (position: Position, eventId: EventId) => {
      this.#pushed.set(idKey, { position, eventId, issuer, digest: push.digest });
    };
    return this.#waits.look(push, remember);
  }

  /** The push is refused: a retry under a client's id would have had another answer. */
  #doubt({ digest }: Push): void {
    if (digest !== undefined && this.#locked.pushed === undefined) this.#inDoubt = true;
  }

  #append(push: Push, { idKey, streamKey, stream, satisfied }: Appending): LogEntry {
    const { draft, messageId, digest, replaces } = push;
    const position = this.#nextPosition;
    const createdAt = this.#lastCreatedAt + 1;
    const description = draft.description ?? push.match?.identity;
    const entry = new NewEntry(draft, {
      position,
      messageId,
      description,
      createdAt,
      eventId: satisfied[0]?.eventId ?? this.#mintEventId(),
      sequence: draft.stream === '' ? 0 : (stream?.lastSequence ?? 0) + 1,
      satisfied,
      version: push.match?.version,
    });
    if (draft.stream !== '') {
      this.#streams.set(streamKey, extendStream(stream, { ...draftStream(draft), position, createdAt }));
    }
    if (replaces !== undefined) this.#undo.set(this.#replaced, parkedKey(replaces), replaces);
    this.#pushed.set(idKey, { position, eventId: entry.eventId, issuer: draft.issuer, digest });
    this.#entries.push({ entry, digest });
    this.#lastCreatedAt = createdAt;
    return entry;
  }

  /** An entry without a payload and a sequence. */
  #appendEnding({ envelope, kind, eventId, rest, messageId = '' }: EndingEntry): LogEntry {
    const position = this.#nextPosition;
    const createdAt = this.#lastCreatedAt + 1;
    const none = { messageId, description: undefined };
    const given = { ...none, position, createdAt, eventId, sequence: 0, satisfied: NO_WAITS };
    const bare = { ...envelope, ...none, payload: undefined };
    const entry = { ...new NewEntry(bare, given), kind, rest };
    this.#entries.push({ entry, digest: undefined });
    this.#lastCreatedAt = createdAt;
    return entry;
  }

  get #nextPosition(): Position {
    return this.#locked.head.position + this.#entries.length + 1;
  }

  get #nextPlace() {
    return { position: this.#nextPosition, createdAt: this.#lastCreatedAt + 1, eventId: this.#nextEventId };
  }

  #mintEventId(): number {
    const eventId = this.#nextEventId;
    this.#nextEventId += 1;
    return eventId;
  }
}

const NO_WAITS: readonly Wait[] = [];
const CHANGED: Managed = { kind: 'managed', effect: 'changed' };

/** What was there before a unit. Of streams and ids: effects of earlier units, which the locked rows do not have. */
interface Checkpoint {
  readonly mark: number;
  readonly entries: number;
  /** Where the next entry goes. */
  readonly position: Position;
  readonly nextEventId: EventId;
  readonly lastCreatedAt: Micros;
  readonly streams: ReadonlyMap<string, StreamState | undefined>;
  readonly ids: ReadonlyMap<string, PushedBefore | undefined>;
}

interface Appending {
  readonly idKey: string;
  readonly streamKey: string;
  readonly stream: StreamState | undefined;
  /** The waits that the event ends, lowest id first. */
  readonly satisfied: readonly Wait[];
}

function restore<V>(map: Map<string, V>, former: ReadonlyMap<string, V | undefined>): void {
  for (const [key, value] of former) {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  }
}

function draftStream({ context, stream, issuer }: EventDraft) {
  return { context, stream, issuer };
}

interface GivenToEntry {
  readonly position: Position;
  readonly messageId: string;
  readonly createdAt: Micros;
  readonly eventId: EventId;
  readonly sequence: number;
  readonly satisfied: readonly Wait[];
  readonly description: Description | undefined;
  /** The version of its topic's schema that it fits; undefined: the one that was said. */
  readonly version?: number | undefined;
}

/** The entry of an event that occurs. */
class NewEntry extends EnvelopeMembers implements LogEntry {
  declare readonly position: Position;
  declare readonly kind: EntryKind;
  declare readonly eventId: EventId;
  declare readonly sequence: number;
  declare readonly messageId: string;
  declare readonly createdAt: Micros;
  declare readonly payload: Payload | undefined;

  constructor(draft: EventDraft, given: GivenToEntry) {
    super(draft);
    this.position = given.position;
    this.kind = EntryKind.OCCURRED;
    this.eventId = given.eventId;
    this.sequence = given.sequence;
    this.messageId = given.messageId;
    this.createdAt = given.createdAt;
    this.payload = draft.payload;
    const { description, satisfied, version } = given;
    if (version !== undefined) this.version = version;
    if (satisfied.length > 0 || description !== undefined) this.rest = waitRest(draft.rest, description, satisfied);
  }
}

/**
 * What an entry says of waits: its own description, or that by which it was awaited under its id; who awaited it, and the other events
 * that it ended.
 */
function waitRest(
  rest: LogEntry['rest'],
  own: Description | undefined,
  [first, ...others]: readonly Wait[],
): LogEntry['rest'] {
  const described = own === undefined ? rest : { ...rest, description: own.text };
  if (first === undefined) return described;
  const satisfiedIds = others.map(({ eventId }) => eventId);
  return { description: first.description, ...described, ...askerOf(first), satisfiedIds };
}

/** Answers a message id that comes again: the first result, or a refusal when it stands for something else. */
function repeated(
  push: Push,
  before: PushedBefore,
  { fault, isKept }: { readonly fault: number; readonly isKept: boolean },
): PushOutcome {
  const { digest, draft } = push;
  const { position, eventId, createdAt } = before;
  const again: PushOutcome =
    eventId === DISCARDED_ID
      ? { kind: 'discarded', isRepeated: true }
      : { kind: 'duplicate', position, eventId, createdAt };
  // A minted id that is found is this push itself, from an attempt whose COMMIT was not answered.
  if (digest === undefined) return again;
  const same =
    before.issuer === draft.issuer && before.digest !== undefined && isSameContent(draft, digest, before.digest);
  if (same) return again;
  return { kind: 'refused', error: idReused(push, isKept ? before : undefined), fault };
}
