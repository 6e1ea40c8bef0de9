// The part of a group's plan that is about waits: what a payload satisfies, what a description finds, and what ends a wait
// otherwise. It keeps the effects of the group on waits; entries are appended by the planner that it is given.
//
// | state of an event | by | to |
// |---|---|---|
// | – | a description that finds nothing | AWAITED |
// | AWAITED | a payload that contains the description, before the deadline | OCCURRED |
// | AWAITED | its deadline: found by a push in passing, or by an expire unit | EXPIRED |
// | AWAITED, OCCURRED | an invalidate unit | INVALIDATED |

import type { EventId, Micros, Position } from '../../units.js';
import type { PreparedCawin } from '../cawins/prepared-cawin.js';
import type { UndoLog } from '../collections/undo-log.js';
import { loadDescription } from '../descriptions/description.js';
import { erasedEntry } from '../erasure/erased-entry.js';
import { bug, eventUnknown, type MadeleineError } from '../errors.js';
import { EntryKind, isJsonContentType, type LogEntry } from '../events/event.js';
import { isReservedTopic } from '../names.js';
import { askerOf, awaitedView, type EventOutcome, outcomeOf, outcomeOfEntries, type Wait } from '../waits/wait.js';
import type { Expired, Invalidated, Observed, PushOutcome, Refused } from './group-outcomes.js';
import { findOf, isFor, keysOf, waitKeyText } from './group-plan-needs.js';
import {
  alreadyOccurred,
  equalInCall,
  isOfServer,
  isOver,
  isTransfer,
  pastDeadline,
  unindexed,
} from './group-plan-refusals.js';
import {
  DISCARDED_ID,
  type Identity,
  type IndexedValues,
  identitiesOf,
  identityOf,
  type LedgerRow,
  type LockedWaits,
  type ObserveUnit,
  type Occurrence,
  type PlannedCawin,
  type Push,
  type StoredEvent,
  type WaitKey,
  type WaitWrites,
} from './group-plan-types.js';
import type { CatalogUpdate, ShapeCatalog } from './shape-catalog.js';

/** Why what is awaited about a subject is withdrawn. */
const ERASED = 'erased';

/** An entry that ends a wait or an event without a payload. */
export interface EndingEntry {
  readonly envelope: Wait['envelope'];
  readonly kind: EntryKind;
  readonly eventId: EventId;
  readonly rest: LogEntry['rest'];
  /** What a rerun finds it by; undefined: it need not be found. */
  readonly messageId?: string;
}

export interface WaitPlannerOptions {
  readonly locked: LockedWaits | undefined;
  /** The version of the catalogue in the locked head. */
  readonly catalog: ShapeCatalog;
  /** The time of the group: a wait that ends at or before it is over. */
  readonly time: Micros;
  readonly undo: UndoLog;
  readonly mintEventId: () => number;
  readonly append: (ending: EndingEntry) => LogEntry;
  /** The entry of an event that the group itself appended. */
  readonly appended: (eventId: EventId) => LogEntry | undefined;
}

interface Touched {
  readonly wait: Wait;
  readonly isNew: boolean;
}

export class WaitPlanner {
  readonly #options: WaitPlannerOptions;
  readonly #touched = new Map<number, Touched>();
  /** The wait that is open after the group's units so far, by the text of its key; undefined: none. */
  readonly #open = new Map<string, Wait | undefined>();
  /** What the group's own events have, by the text of the key. */
  readonly #occurred = new Map<string, readonly (Occurrence & { readonly createdAt: Micros })[]>();
  /** The first of the group's own events that has an identity, by the identity's text. */
  readonly #identities = new Map<string, Occurrence>();
  readonly #identified: { identity: Identity; occurrence: Occurrence }[] = [];
  readonly #ledger: LedgerRow[] = [];
  readonly #indexed: IndexedValues[] = [];
  readonly #unindexed: IndexedValues[] = [];
  readonly #cawins: PlannedCawin[] = [];
  #freed: WaitWrites['freed'];

  constructor(options: WaitPlannerOptions) {
    this.#options = options;
  }

  /** All that the group writes besides entries and streams; undefined if that is nothing. */
  writes(catalog: CatalogUpdate | undefined): WaitWrites | undefined {
    const touched = [...this.#touched.values()];
    const writes = {
      added: touched.filter(({ isNew }) => isNew).map(({ wait }) => wait),
      changed: touched.filter(({ isNew }) => !isNew).map(({ wait }) => wait),
      ledger: this.#ledger,
      indexed: this.#indexed,
      unindexed: this.#unindexed,
      identities: this.#identified,
      freed: this.#freed,
      cawins: this.#cawins,
      catalog,
    };
    const nothing = Object.values(writes).every(
      (part) => part === undefined || (Array.isArray(part) && part.length === 0),
    );
    return nothing ? undefined : writes;
  }

  /**
   * Why a push with a payload cannot occur, and one without cannot be looked for. `isKept`: whether the event that is in its way is stored
   * if the push is not.
   */
  refusal(push: Push, isKept: (occurrence: Occurrence) => boolean): MadeleineError | undefined {
    const { draft, match } = push;
    if (match?.problem !== undefined) return match.problem;
    if (match?.isUnindexed === true) return unindexed();
    if (draft.payload === undefined) return undefined;
    for (const [index, { text }] of identitiesOf(push).entries()) {
      const before = this.#identities.get(text) ?? this.#options.locked?.identities.get(text);
      const isTaken = index === 0 && match?.identity !== undefined;
      if (before !== undefined) return isKept(before) ? alreadyOccurred(before, isTaken) : equalInCall(isTaken);
    }
    return undefined;
  }

  /** The waits that the payload ends, lowest id first. Those whose deadline has passed are expired in passing. */
  takeSatisfied({ match }: Push): readonly Wait[] {
    const open = (match?.keys ?? []).map((key) => this.#openWait(key)).filter((wait) => wait !== undefined);
    if (open.length === 0) return open;
    open.sort((a, b) => a.eventId - b.eventId);
    for (const wait of open) if (this.#isDue(wait)) this.#expire(wait);
    return open.filter((wait) => !this.#isDue(wait));
  }

  /** The entry of a push with a payload was appended: what it is found by from now on, and what it ended. */
  occurred(push: Push, entry: LogEntry, satisfied: readonly Wait[]): void {
    const { draft, match } = push;
    const { undo } = this.#options;
    const { eventId, position, createdAt } = entry;
    for (const key of match?.keys ?? []) {
      undo.push(this.#indexed, { key, position });
      undo.set(this.#occurred, key.text, [...(this.#occurred.get(key.text) ?? []), { eventId, position, createdAt }]);
    }
    for (const wait of satisfied) {
      this.#end(wait, { state: EntryKind.OCCURRED, endedById: eventId, position });
    }
    const awaited = satisfied.map(({ description }) =>
      identityOf(draft.context, draft.topic, loadDescription(description)),
    );
    const next = match?.nextIdentity === undefined ? [] : [identityOf(draft.context, draft.topic, match.nextIdentity)];
    const all = [...awaited, ...identitiesOf(push), ...next];
    const identities = new Map(all.map((identity) => [identity.text, identity]));
    for (const identity of identities.values()) this.#identify(identity, { eventId, position });
  }

  /** A push without a payload: finds its event, or awaits it. */
  look(push: Push, isKnownUnder: (position: Position, eventId: EventId) => void): PushOutcome {
    const find = findOf(push);
    const occurrence = this.#occurrenceOf(find.key, push);
    if (occurrence !== undefined) {
      return this.#found(push, occurrence, undefined, isKnownUnder);
    }
    const open = this.#openWait(find.key);
    if (open !== undefined && !this.#isDue(open)) {
      const wait = this.#raise(open, this.#deadlineOf(push));
      return this.#found(push, { eventId: wait.eventId, position: 0 }, wait, isKnownUnder);
    }
    if (open !== undefined) this.#expire(open);
    return this.#await(push, find.key, isKnownUnder);
  }

  /** The push is answered and not stored: a retry under a client's id finds that. */
  discarded(push: Push): void {
    if (push.digest !== undefined) this.#note(push, DISCARDED_ID);
  }

  observe({ eventId, cawin, expiresAt }: ObserveUnit): Observed | Refused {
    const stored = this.#options.locked?.events.get(eventId) ?? this.#ownEvent(eventId);
    if (stored === undefined) return { kind: 'refused', error: eventUnknown(eventId) };
    let wait = this.#touched.get(eventId)?.wait ?? stored.wait;
    if (expiresAt !== undefined && expiresAt <= this.#options.time) {
      return { kind: 'refused', error: pastDeadline() };
    }
    if (wait?.state === EntryKind.AWAITED && expiresAt !== undefined) {
      // One that has passed stays passed: cawins may have been told so.
      if (!this.#isDue(wait)) wait = this.#raise(wait, expiresAt);
    }
    const event = wait === undefined ? outcomeOfEntries(eventId, stored.entries) : outcomeOf(wait);
    return { kind: 'observed', event, cawinAt: this.#attach(cawin, event) };
  }

  #ownEvent(eventId: EventId): StoredEvent | undefined {
    const wait = this.#touched.get(eventId)?.wait;
    const entry = this.#options.appended(eventId);
    if (wait === undefined && entry === undefined) return undefined;
    return { wait, entries: entry === undefined ? [] : [entry] };
  }

  expire(eventIds: readonly EventId[]): Expired {
    let count = 0;
    for (const eventId of eventIds) {
      const wait = this.#options.locked?.events.get(eventId)?.wait;
      if (wait === undefined || wait.state !== EntryKind.AWAITED || !this.#isDue(wait)) continue;
      this.#expire(wait);
      count += 1;
    }
    return { kind: 'expired', count };
  }

  invalidate(eventId: EventId, reason: string): Invalidated | Refused {
    const stored = this.#options.locked?.events.get(eventId);
    if (stored === undefined) return { kind: 'refused', error: eventUnknown(eventId) };
    const { wait, entries } = stored;
    if (wait?.state === EntryKind.AWAITED && this.#isDue(wait)) {
      this.#expire(wait);
      return { kind: 'refused', error: isOver() };
    }
    const state = wait?.state ?? outcomeOfEntries(eventId, stored.entries).state;
    if (state === EntryKind.EXPIRED) return { kind: 'refused', error: isOver() };
    if (state === EntryKind.TRANSFERRED) return { kind: 'refused', error: isTransfer() };
    if (entries.some(({ topic }) => isReservedTopic(topic))) return { kind: 'refused', error: isOfServer() };
    if (state === EntryKind.AWAITED && wait !== undefined) this.#withdraw(wait, reason);
    else if (state === EntryKind.OCCURRED) this.#invalidate(entries, reason);
    return { kind: 'invalidated', eventId };
  }

  /** Ends what is still awaited, with nothing of what was said of it; returns whether it was. */
  erase(eventId: EventId, erasedAt: Micros): boolean {
    const wait = this.#options.locked?.events.get(eventId)?.wait;
    if (wait?.state !== EntryKind.AWAITED) return false;
    const state = this.#isDue(wait) ? EntryKind.EXPIRED : EntryKind.INVALIDATED;
    const envelope = erasedEntry(awaitedView(wait), erasedAt);
    const rest = { ...envelope.rest, ...askerOf(wait), ...(state === EntryKind.EXPIRED ? {} : { reason: ERASED }) };
    const entry = this.#options.append({ envelope, kind: state, eventId, rest });
    this.#end(wait, { state, endedById: undefined, position: entry.position });
    return true;
  }

  /** The wait with a deadline that is no earlier than this. */
  #raise(wait: Wait, expiresAt: Micros): Wait {
    if (expiresAt <= wait.expiresAt) return wait;
    const raised = { ...wait, expiresAt };
    this.#touch(raised);
    this.#options.undo.set(this.#open, waitKeyText(wait.shapeId, wait.hash), raised);
    return raised;
  }

  #deadlineOf({ terms }: Push): Micros {
    return this.#options.time + (terms?.waitMicros ?? 0);
  }

  #isDue(wait: Wait): boolean {
    return wait.expiresAt <= this.#options.time;
  }

  #openWait(key: WaitKey): Wait | undefined {
    if (this.#open.has(key.text)) return this.#open.get(key.text);
    const stored = this.#options.locked?.awaited.get(key.text);
    if (stored === undefined || !isFor(stored, key)) return undefined;
    const { wait } = this.#touched.get(stored.eventId) ?? { wait: stored };
    this.#options.undo.set(this.#open, key.text, wait);
    return wait;
  }

  #occurrenceOf(key: WaitKey, push: Push): Occurrence | undefined {
    const stored = this.#options.locked?.found.get(findOf(push).text);
    if (stored !== undefined) return stored;
    const since = push.terms?.since ?? 0;
    return this.#occurred.get(key.text)?.find(({ createdAt }) => createdAt > since);
  }

  #found(
    push: Push,
    { eventId, position }: Occurrence,
    wait: Wait | undefined,
    isKnownUnder: (position: Position, eventId: EventId) => void,
  ): PushOutcome {
    this.#note(push, eventId);
    isKnownUnder(0, eventId);
    const { context, topic } = push.draft;
    const occurred = { eventId, state: EntryKind.OCCURRED, entryEventId: eventId, position, expiresAt: undefined };
    const event = wait === undefined ? { ...occurred, context, topic } : outcomeOf(wait);
    return { kind: 'found', eventId, position, cawinAt: this.#attach(push.cawin, event) };
  }

  #await(push: Push, key: WaitKey, isKnownUnder: (position: Position, eventId: EventId) => void): PushOutcome {
    const { draft, messageId } = push;
    const { description } = draft;
    if (description === undefined) throw bug('a wait without a description');
    const wait: Wait = {
      eventId: this.#options.mintEventId(),
      state: EntryKind.AWAITED,
      envelope: envelopeOf(draft),
      messageId,
      description: description.text,
      shapeId: key.shapeId,
      hash: key.hash,
      createdAt: this.#options.time,
      expiresAt: this.#deadlineOf(push),
      endedById: undefined,
      position: 0,
    };
    this.#options.undo.set(this.#touched, wait.eventId, { wait, isNew: true });
    this.#options.undo.set(this.#open, key.text, wait);
    this.#note(push, wait.eventId);
    isKnownUnder(0, wait.eventId);
    return { kind: 'awaited', wait, cawinAt: this.#attach(push.cawin, outcomeOf(wait)) };
  }

  #note({ draft, messageId, digest }: Push, eventId: EventId): void {
    const { context, issuer } = draft;
    const createdAt = this.#options.time;
    this.#options.undo.push(this.#ledger, { context, messageId, issuer, digest, eventId, createdAt });
  }

  /** Plans the cawin, if there is one; returns its index. */
  #attach(cawin: PreparedCawin | undefined, event: EventOutcome): number | undefined {
    if (cawin === undefined) return undefined;
    this.#options.undo.push(this.#cawins, { cawin, event });
    return this.#cawins.length - 1;
  }

  /** Another event may have it already: one that ends a wait for what occurred before `since`. Each keeps it from being free. */
  #identify(identity: Identity, occurrence: Occurrence): void {
    const { undo } = this.#options;
    undo.push(this.#identified, { identity, occurrence });
    if (!this.#identities.has(identity.text)) undo.set(this.#identities, identity.text, occurrence);
  }

  #touch(wait: Wait): void {
    const isNew = this.#touched.get(wait.eventId)?.isNew ?? false;
    this.#options.undo.set(this.#touched, wait.eventId, { wait, isNew });
  }

  #end(wait: Wait, end: Pick<Wait, 'state' | 'endedById' | 'position'>): void {
    this.#touch({ ...wait, ...end });
    this.#options.undo.set(this.#open, waitKeyText(wait.shapeId, wait.hash), undefined);
  }

  #expire(wait: Wait): void {
    const { eventId, description, expiresAt } = wait;
    const rest = { ...wait.envelope.rest, ...askerOf(wait), description, expiresAt };
    const entry = this.#options.append({ envelope: wait.envelope, kind: EntryKind.EXPIRED, eventId, rest });
    this.#end(wait, { state: EntryKind.EXPIRED, endedById: undefined, position: entry.position });
  }

  #withdraw(wait: Wait, reason: string): void {
    const { eventId, description } = wait;
    const rest = { ...wait.envelope.rest, ...askerOf(wait), description, reason };
    const entry = this.#options.append({ envelope: wait.envelope, kind: EntryKind.INVALIDATED, eventId, rest });
    this.#end(wait, { state: EntryKind.INVALIDATED, endedById: undefined, position: entry.position });
  }

  #invalidate(entries: readonly LogEntry[], reason: string): void {
    const occurred = entries.find(({ kind }) => kind === EntryKind.OCCURRED);
    if (occurred === undefined) throw bug('an occurred event without its entry');
    const { eventId, createdAt } = occurred;
    const rest = { ...occurred.rest, reason, occurredAt: createdAt };
    const entry = this.#options.append({ envelope: occurred, kind: EntryKind.INVALIDATED, eventId, rest });
    this.#freed = { eventId, position: entry.position };
    this.#unindex(occurred);
  }

  /** What was indexed of the event; a build that is under way may index it again, so searches look for invalidations too. */
  #unindex({ context, topic, payload, position }: LogEntry): void {
    const watched = this.#options.catalog.of(context, topic);
    if (watched === undefined || payload === undefined || !isJsonContentType(payload.contentType)) return;
    const keys = keysOf({ context, topic, payload: payload.bytes }, watched.matcher);
    for (const key of keys) this.#unindexed.push({ key, position });
  }
}

function envelopeOf(draft: Push['draft']): Wait['envelope'] {
  const { messageId: _id, payload: _payload, description: _description, ...envelope } = draft;
  return envelope;
}
