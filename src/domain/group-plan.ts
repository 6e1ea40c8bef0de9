// Decides what a group does: units in order, each against the locked rows plus the effects of earlier units. Pure: the
// same locked state and units give the same plan, however often it is asked.
//
// Invariant: the plan of a group equals executing its units one at a time, each as a group of its own (times aside).
// Checks run in this order (rule 8): same message id -> stream owner -> expected sequence.

import { assertNever, MadeleineError } from './errors.js';
import { EntryKind, type EventDraft, type LogEntry, type Micros, type Position } from './event.js';
import { scopedKey } from './names.js';
import { extendStream, type StreamState } from './stream.js';

/** One event to push. */
export interface Push {
  readonly draft: EventDraft;
  /** The client's message id, or the one that was minted before the transaction. */
  readonly messageId: string;
  /** Of a client's message id: what was pushed under it. Undefined: the id was minted, nobody else can know it. */
  readonly digest: Uint8Array | undefined;
  /** The sequence that the stream has to have before this event; undefined: any. */
  readonly expectedSequence: number | undefined;
}

/** Events pushed together. `atomic`: all are stored or none; otherwise each stands alone. */
export interface PushUnit {
  readonly kind: 'push';
  readonly pushes: readonly Push[];
  readonly atomic: boolean;
}

/** What a group is made of. Waits, cawins, invalidations and expiries will be further kinds. */
export type GroupUnit = PushUnit;

/** What a group has to read under the lock. */
export interface GroupNeeds {
  readonly streams: readonly { readonly context: string; readonly name: string }[];
  readonly messageIds: readonly { readonly context: string; readonly messageId: string }[];
  /** Message ids have to be looked up before anything is decided, minted ones included (a rerun). */
  readonly lookUpFirst: boolean;
}

/** The first push of a message id, as stored. */
export interface PushedBefore {
  readonly position: Position;
  readonly issuer: string;
  readonly digest: Uint8Array | undefined;
}

/** What the group found under the lock. Keys are scopedKey(context, name or message id). */
export interface LockedState {
  readonly head: { readonly position: Position; readonly nextEventId: number; readonly createdAt: Micros };
  /** The database's time, read with the lock. */
  readonly now: Micros;
  readonly streams: ReadonlyMap<string, StreamState>;
  /** The needed message ids that are stored; undefined: they were not looked up. */
  readonly pushed: ReadonlyMap<string, PushedBefore> | undefined;
}

/** What the group writes: exact rows, absolute values. Without entries it writes nothing. */
export interface GroupWrites {
  readonly entries: readonly PlannedEntry[];
  /** Streams that are new or moved, in their state after the group. */
  readonly streams: readonly StreamState[];
  readonly head: { readonly position: Position; readonly nextEventId: number; readonly createdAt: Micros };
  /**
   * A push with a client's id was refused while the ids had not been looked up: it may be a retry. Look them up and decide
   * again.
   */
  readonly inDoubt: boolean;
}

export interface PlannedEntry {
  readonly entry: LogEntry;
  readonly digest: Uint8Array | undefined;
}

/** What became of one push. */
export type PushOutcome =
  | { readonly kind: 'occurred'; readonly entry: LogEntry }
  /** Stored before; `position` is the first one's. `own`: by this very call, whose COMMIT had not been answered. */
  | { readonly kind: 'duplicate'; readonly position: Position; readonly own?: boolean }
  /** `fault`: index in the unit of the push that is to blame; in an atomic unit it may be another one. */
  | { readonly kind: 'refused'; readonly error: MadeleineError; readonly fault: number };

export interface GroupPlan {
  readonly writes: GroupWrites;
  /** One list of outcomes a unit, in order. */
  readonly outcomes: readonly (readonly PushOutcome[])[];
}

/** What the units need to be read. */
export function needsOf(units: readonly GroupUnit[], rerun: boolean): GroupNeeds {
  const streams = new Map<string, { context: string; name: string }>();
  const messageIds: { context: string; messageId: string }[] = [];
  for (const unit of units) {
    for (const { draft, messageId, digest } of unit.pushes) {
      const { context, stream } = draft;
      if (stream !== '') streams.set(scopedKey(context, stream), { context, name: stream });
      if (digest !== undefined || rerun) messageIds.push({ context, messageId });
    }
  }
  return { streams: [...streams.values()], messageIds, lookUpFirst: rerun };
}

/** Plans the units against the locked state. */
export function planGroup(locked: LockedState, units: readonly GroupUnit[]): GroupPlan {
  const planner = new GroupPlanner(locked);
  const outcomes = units.map((unit) => planner.add(unit));
  return { writes: planner.writes(), outcomes };
}

class GroupPlanner {
  readonly #locked: LockedState;
  readonly #entries: PlannedEntry[] = [];
  /** Effects of earlier units, over the locked rows. */
  readonly #streams = new Map<string, StreamState>();
  readonly #pushed = new Map<string, PushedBefore>();
  #nextEventId: number;
  #lastCreatedAt: Micros;
  #inDoubt = false;

  constructor(locked: LockedState) {
    this.#locked = locked;
    this.#nextEventId = locked.head.nextEventId;
    // The first entry gets max(head + 1 µs, now), each further one 1 µs more (rule 7).
    this.#lastCreatedAt = Math.max(locked.head.createdAt, locked.now - 1);
  }

  add(unit: GroupUnit): readonly PushOutcome[] {
    switch (unit.kind) {
      case 'push':
        return unit.atomic ? this.#addAtomic(unit) : unit.pushes.map((push, index) => this.#push(push, index));
      default:
        return assertNever(unit.kind);
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
      },
      inDoubt: this.#inDoubt,
    };
  }

  #addAtomic(unit: PushUnit): readonly PushOutcome[] {
    const undo = this.#checkpoint(unit);
    const outcomes = unit.pushes.map((push, index) => this.#push(push, index));
    const refused = outcomes.find((outcome) => outcome.kind === 'refused');
    if (refused === undefined) return outcomes;
    undo();
    // What was undone is not inserted, so the unique key will not tell whether one of the ids was used before.
    for (const push of unit.pushes) this.#doubt(push);
    return outcomes.map((outcome) => (outcome.kind === 'refused' ? outcome : refused));
  }

  /** Returns what takes the unit's effects back: only what the unit may touch is remembered. */
  #checkpoint(unit: PushUnit): () => void {
    const { length } = this.#entries;
    const nextEventId = this.#nextEventId;
    const lastCreatedAt = this.#lastCreatedAt;
    const streams = unit.pushes.map(({ draft }) => scopedKey(draft.context, draft.stream));
    const formerStreams = new Map(streams.map((key) => [key, this.#streams.get(key)]));
    const ids = unit.pushes.map(({ draft, messageId }) => scopedKey(draft.context, messageId));
    const formerIds = new Map(ids.map((key) => [key, this.#pushed.get(key)]));
    return () => {
      this.#entries.length = length;
      this.#nextEventId = nextEventId;
      this.#lastCreatedAt = lastCreatedAt;
      restore(this.#streams, formerStreams);
      restore(this.#pushed, formerIds);
    };
  }

  #push(push: Push, index: number): PushOutcome {
    const { draft, messageId } = push;
    const idKey = scopedKey(draft.context, messageId);
    const before = this.#pushed.get(idKey) ?? this.#locked.pushed?.get(idKey);
    if (before !== undefined) return repeated(push, before, index);
    const streamKey = scopedKey(draft.context, draft.stream);
    const stream =
      draft.stream === '' ? undefined : (this.#streams.get(streamKey) ?? this.#locked.streams.get(streamKey));
    const error = refusal(push, stream);
    if (error !== undefined) {
      this.#doubt(push);
      return { kind: 'refused', error, fault: index };
    }
    return { kind: 'occurred', entry: this.#append(push, idKey, streamKey, stream) };
  }

  /** The push is refused: a retry under a client's id would have had another answer. */
  #doubt({ digest }: Push): void {
    if (digest !== undefined && this.#locked.pushed === undefined) this.#inDoubt = true;
  }

  #append(push: Push, idKey: string, streamKey: string, stream: StreamState | undefined): LogEntry {
    const { draft, messageId, digest } = push;
    const position = this.#locked.head.position + this.#entries.length + 1;
    const createdAt = this.#lastCreatedAt + 1;
    const entry = newEntry(draft, {
      position,
      messageId,
      createdAt,
      eventId: this.#nextEventId,
      sequence: draft.stream === '' ? 0 : (stream?.lastSequence ?? 0) + 1,
    });
    if (draft.stream !== '') {
      this.#streams.set(streamKey, extendStream(stream, { ...draftStream(draft), position, createdAt }));
    }
    this.#pushed.set(idKey, { position, issuer: draft.issuer, digest });
    this.#entries.push({ entry, digest });
    this.#nextEventId += 1;
    this.#lastCreatedAt = createdAt;
    return entry;
  }
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

// Written out member by member: a spread of the draft is several times slower, and this runs for every event.
function newEntry(
  draft: EventDraft,
  given: { position: Position; messageId: string; createdAt: Micros; eventId: number; sequence: number },
): LogEntry {
  return {
    position: given.position,
    kind: EntryKind.OCCURRED,
    eventId: given.eventId,
    context: draft.context,
    topic: draft.topic,
    version: draft.version,
    stream: draft.stream,
    sequence: given.sequence,
    issuer: draft.issuer,
    messageId: given.messageId,
    createdAt: given.createdAt,
    sessionId: draft.sessionId,
    correlationId: draft.correlationId,
    to: draft.to,
    replyTo: draft.replyTo,
    subject: draft.subject,
    tag: draft.tag,
    entityType: draft.entityType,
    organization: draft.organization,
    unit: draft.unit,
    rest: draft.rest,
    payload: draft.payload,
  };
}

/** The same message id again: the first result, or a refusal when it stands for something else. */
function repeated(push: Push, before: PushedBefore, fault: number): PushOutcome {
  const { digest, draft } = push;
  // A minted id that is found is this push itself, from an attempt whose COMMIT was not answered.
  if (digest === undefined) return { kind: 'duplicate', position: before.position };
  const same =
    before.issuer === draft.issuer && before.digest !== undefined && Buffer.compare(digest, before.digest) === 0;
  if (same) return { kind: 'duplicate', position: before.position };
  const error = new MadeleineError('MESSAGE_ID_REUSED', 'the message id was used before, for other content', {
    violations: [{ field: 'event.message_id', description: 'was used before, for other content' }],
    metadata: { message_id: push.messageId, position: String(before.position) },
  });
  return { kind: 'refused', error, fault };
}

function refusal(push: Push, stream: StreamState | undefined): MadeleineError | undefined {
  const { draft, expectedSequence } = push;
  if (stream !== undefined && stream.owner !== draft.issuer) {
    return new MadeleineError('STREAM_OWNED', `the stream "${draft.stream}" belongs to "${stream.owner}"`, {
      violations: [{ field: 'event.issuer', description: 'does not own the stream' }],
      metadata: { context: draft.context, stream: draft.stream, owner: stream.owner },
    });
  }
  const actual = stream?.lastSequence ?? 0;
  if (expectedSequence !== undefined && expectedSequence !== actual) {
    return new MadeleineError('SEQUENCE_CONFLICT', `the stream "${draft.stream}" is at sequence ${actual}`, {
      metadata: {
        context: draft.context,
        stream: draft.stream,
        expected_sequence: String(expectedSequence),
        actual_sequence: String(actual),
      },
    });
  }
  return undefined;
}
