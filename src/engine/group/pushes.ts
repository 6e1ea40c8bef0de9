// The way of a push through the engine: ids, the index of what it describes, the group, and the answer, with the first result of
// what was pushed before.

import type { MadeCawin, PreparedCawin } from '../../domain/cawins/prepared-cawin.js';
import { assertNever, MadeleineError } from '../../domain/errors.js';
import { contentDigest } from '../../domain/events/content-digest.js';
import type { EventDraft, LogEntry } from '../../domain/events/event.js';
import { goneView, withoutPayload } from '../../domain/events/event-views.js';
import type { PushOutcome } from '../../domain/group/group-outcomes.js';
import type { Push, ReplacedPlace, WaitTerms } from '../../domain/group/group-plan-types.js';
import type { SchemaMet } from '../../domain/schemas/topic-schema.js';
import { awaitedView, DEFAULT_WAIT_MICROS } from '../../domain/waits/wait.js';
import type { Uuid7Source } from '../../lib/uuid7.js';
import type { Metrics } from '../../telemetry.js';
import type { EventId, Micros, Position } from '../../units.js';
import type { EventLookUp } from '../log/event-look-up.js';
import type { LogReader } from '../log/log-reader.js';
import type { LogTail } from '../log/log-tail.js';
import { type Discards, discardedView } from './discards.js';
import { countRejection } from './event-counts.js';
import type { GroupCommit } from './group-commit.js';
import type { LookBack } from './look-back.js';
import type { ShapeIndex } from './shape-index.js';

/** Payloads that one call is given back of events that were there before: a few bytes may ask for a thousand large ones. */
const MAX_FOUND_BYTES = 3 * 1024 * 1024;
/** How often pushes are sent whose index is given back between being made and being looked into. */
const ROUNDS = 3;
/** Entries that were there before and are read together. */
const READ_TOGETHER = 32;

/** A validated push. */
export interface PushCommand {
  readonly draft: EventDraft;
  readonly expectedSequence: number | undefined;
  /** See Push. */
  readonly streamEpoch?: number | undefined;
  /** How long a push without a payload waits; undefined: the default. */
  readonly waitMicros?: Micros | undefined;
  /** What occurred before does not count for a push without a payload. Undefined: as far as the look-back goes. */
  readonly since?: Micros | undefined;
  /** The cawin to be made on the event that a push without a payload finds or awaits. */
  readonly cawin?: PreparedCawin | undefined;
  /** See Push. */
  readonly replaces?: ReplacedPlace | undefined;
  /** See Push. */
  readonly met?: SchemaMet | undefined;
}

/** What a push did. */
export type PushEffect = 'occurred' | 'satisfied' | 'awaited' | 'found' | 'duplicate' | 'discarded';

export type PushedEvent =
  | {
      readonly kind: 'stored';
      /** The entry; what was pushed under no id, if that was discarded. */
      readonly entry: LogEntry;
      readonly effect: PushEffect;
      /** The one that came with the push. */
      readonly cawin?: MadeCawin | undefined;
    }
  /** `fault`: index of the push that is to blame; of an atomic call it may be another one. */
  | { readonly kind: 'refused'; readonly error: MadeleineError; readonly fault: number };

/** A push whose description can be looked for, or why it cannot. */
export type Prepared = { readonly push: Push } | { readonly error: MadeleineError };

export interface PushesOptions {
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly shapes: Pick<ShapeIndex, 'ensure'>;
  readonly lookBack: Pick<LookBack, 'from'>;
  readonly events: EventLookUp;
  readonly reader: Pick<LogReader, 'readAt'>;
  readonly tail: Pick<LogTail, 'reach'>;
  readonly uuids: Uuid7Source;
  readonly discards: Pick<Discards, 'note' | 'isUnregistered'>;
  readonly metrics: Pick<Metrics, 'pushes' | 'schemaRejections'>;
}

/** Who pushes: callers take turns. Without one it is the server itself. */
export interface PushedBy {
  readonly caller?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PushOptions extends PushedBy {
  /** The entry of the audit that goes with what is pushed by a management call. */
  readonly audit?: Push | undefined;
}

export class Pushes {
  readonly #options: PushesOptions;

  constructor(options: PushesOptions) {
    this.#options = options;
  }

  /**
   * Pushes events and resolves once they are durable, one result an event, in order. `atomic`: all are stored or none.
   * Rejects with OVERLOADED, STORAGE_UNAVAILABLE, or the signal's reason while nothing was sent to the database.
   */
  async push(commands: readonly PushCommand[], atomic: boolean, by: PushOptions = {}): Promise<readonly PushedEvent[]> {
    const prepared = await this.#whenPrepared(commands, by);
    return this.pushPrepared(prepared, atomic, by);
  }

  /**
   * Makes what the descriptions of the commands need, so that `pushPrepared` submits at once: whoever has to keep an order
   * prepares in that order. Without descriptions there is nothing to wait for.
   */
  prepare(commands: readonly PushCommand[], by: PushedBy = {}): Promise<readonly Prepared[]> | readonly Prepared[] {
    const looks = commands.some(({ draft }) => draft.payload === undefined);
    return looks ? this.#prepareLooks(commands, by) : commands.map((command) => ({ push: this.#toPush(command) }));
  }

  /** Pushes what was prepared; see `push`. */
  async pushPrepared(
    prepared: readonly Prepared[],
    atomic: boolean,
    by: PushOptions = {},
  ): Promise<readonly PushedEvent[]> {
    const fault = prepared.findIndex((one) => 'error' in one);
    if (fault !== -1 && atomic) {
      const { error } = prepared[fault] as { error: MadeleineError };
      return prepared.map(() => this.#counted({ kind: 'refused', error, fault }));
    }
    const pushes = prepared.flatMap((one) => ('push' in one ? [one.push] : []));
    const outcomes = pushes.length === 0 ? [] : await this.#submit(pushes, atomic, by);
    const before = await this.#storedBefore(outcomes);
    let next = 0;
    const made = prepared.map((one, index) =>
      'push' in one
        ? this.#toResult(one.push, outcomes[next++] as PushOutcome, before)
        : ({ kind: 'refused', error: one.error, fault: index } as const),
    );
    const results = bounded(await allOf(made));
    this.#count(results);
    return results;
  }

  async #submit(pushes: readonly Push[], atomic: boolean, by: PushOptions): Promise<readonly PushOutcome[]> {
    let outcomes = await this.#submitOnce(pushes, atomic, by);
    // Sent again it would come behind what the caller has pushed since: who sent it repeats it.
    if (atomic && pushes.some(({ draft }) => draft.payload !== undefined)) return outcomes;
    for (let round = 1; round < ROUNDS && outcomes.some(isUnindexed); round += 1) {
      const again = pushes.filter((_, index) => isUnindexed(outcomes[index]));
      if (!(await this.#indexAgain(again, by))) return outcomes;
      const anew = await this.#submitOnce(atomic ? pushes : again, atomic, by);
      let next = 0;
      outcomes = atomic
        ? anew
        : outcomes.map((former) => (isUnindexed(former) ? (anew[next++] as PushOutcome) : former));
    }
    return outcomes;
  }

  async #submitOnce(
    pushes: readonly Push[],
    atomic: boolean,
    { signal, caller, audit }: PushOptions,
  ): Promise<readonly PushOutcome[]> {
    return (await this.#options.groupCommit.submit({ kind: 'push', pushes, atomic, audit }, signal, caller)).pushes;
  }

  /** Makes the indexes of the pushes; false: they stay refused, with an error that says to repeat them. */
  async #indexAgain(pushes: readonly Push[], by: PushedBy): Promise<boolean> {
    try {
      for (const { draft } of pushes) await this.#ensureIndex(draft, by);
      return true;
    } catch (error) {
      // Others of the same call may be stored.
      if (error instanceof MadeleineError) return false;
      throw error;
    }
  }

  /** Makes the index that the description of a push without a payload is looked for in. */
  async #ensureIndex(draft: EventDraft, by: PushedBy): Promise<void> {
    if (draft.payload !== undefined || draft.description === undefined) return;
    if (this.#options.discards.isUnregistered(draft)) return;
    await this.#options.shapes.ensure(draft, draft.description.shape, by);
  }

  async #whenPrepared(commands: readonly PushCommand[], by: PushedBy): Promise<readonly Prepared[]> {
    const prepared = this.prepare(commands, by);
    // Awaited only where there is something to wait for: pushes that come after one another stay in their order.
    return prepared instanceof Promise ? await prepared : prepared;
  }

  async #prepareLooks(commands: readonly PushCommand[], by: PushedBy): Promise<readonly Prepared[]> {
    const prepared: Prepared[] = [];
    for (const command of commands) prepared.push(await this.#prepareOne(command, by));
    return prepared;
  }

  async #prepareOne(command: PushCommand, by: PushedBy): Promise<Prepared> {
    const { draft, since, waitMicros = DEFAULT_WAIT_MICROS } = command;
    if (draft.payload !== undefined || draft.description === undefined) return { push: this.#toPush(command) };
    try {
      await this.#ensureIndex(draft, by);
      return { push: this.#toPush(command, { waitMicros, ...(await this.#options.lookBack.from(since)) }) };
    } catch (error) {
      if (error instanceof MadeleineError) return { error };
      throw error;
    }
  }

  /** Counts a push that was refused before it came here. */
  refused(error: MadeleineError): void {
    this.#options.metrics.pushes.inc({ outcome: error.reason });
  }

  #toPush({ draft, expectedSequence, streamEpoch, cawin, replaces, met }: PushCommand, terms?: WaitTerms): Push {
    const isMinted = draft.messageId === '';
    return {
      draft,
      expectedSequence,
      streamEpoch,
      messageId: isMinted ? this.#options.uuids.next() : draft.messageId,
      digest: isMinted ? undefined : contentDigest(draft),
      terms,
      cawin,
      replaces,
      met,
    };
  }

  /** The entries that duplicates and finds stand for. They may rest on a row above the durable mark, so it is raised first. */
  async #storedBefore(outcomes: readonly PushOutcome[]): Promise<ReadonlyMap<Position, LogEntry>> {
    const positions = outcomes.flatMap((outcome) => {
      const isBefore = outcome.kind === 'duplicate' || outcome.kind === 'found';
      return isBefore && outcome.position > 0 ? [outcome.position] : [];
    });
    if (positions.length === 0) return NONE;
    await this.#options.tail.reach(Math.max(...positions));
    const distinct = [...new Set(positions)];
    // What this very call stored is answered as it was sent.
    const own = new Set(outcomes.flatMap((o) => (o.kind === 'duplicate' && o.own === true ? [o.position] : [])));
    const before = new Map<Position, LogEntry>();
    for (let from = 0, bytes = 0; from < distinct.length; from += READ_TOGETHER) {
      for (const entry of await this.#options.reader.readAt(distinct.slice(from, from + READ_TOGETHER))) {
        const isOwn = own.has(entry.position);
        if (!isOwn) bytes += payloadBytes(entry);
        before.set(entry.position, bytes > MAX_FOUND_BYTES && !isOwn ? withoutPayload(entry) : entry);
      }
    }
    return before;
  }

  #toResult(
    push: Push,
    outcome: PushOutcome,
    before: ReadonlyMap<Position, LogEntry>,
  ): Promise<PushedEvent> | PushedEvent {
    switch (outcome.kind) {
      case 'discarded':
        if (!outcome.isRepeated) this.#options.discards.note(push);
        return { kind: 'stored', entry: discardedView(push), effect: 'discarded' };
      case 'occurred':
        return { kind: 'stored', entry: outcome.entry, effect: effectOf(outcome) };
      case 'awaited':
        return { kind: 'stored', entry: awaitedView(outcome.wait), effect: 'awaited', cawin: outcome.cawin };
      case 'refused':
        return outcome;
      case 'found':
        return this.#stored(push, outcome, { before, effect: 'found' });
      case 'duplicate':
        return this.#stored(push, outcome, { before, effect: outcome.own === true ? effectOf(outcome) : 'duplicate' });
      default:
        return assertNever(outcome);
    }
  }

  #stored(
    push: Push,
    { position, eventId, cawin, createdAt = 0 }: StoredBefore,
    { before, effect }: { readonly before: ReadonlyMap<Position, LogEntry>; readonly effect: PushEffect },
  ): Promise<PushedEvent> | PushedEvent {
    // Retention may have deleted it since, also between the group and this look.
    const gone = () => goneView(push.draft, { eventId, createdAt, messageId: push.messageId });
    const result = (entry: LogEntry | undefined) =>
      ({ kind: 'stored', entry: entry ?? gone(), effect, cawin }) as const;
    return position === 0 ? this.#options.events.byId(eventId).then(result) : result(before.get(position));
  }

  #counted(result: PushedEvent): PushedEvent {
    this.#count([result]);
    return result;
  }

  #count(results: readonly PushedEvent[]): void {
    const { pushes } = this.#options.metrics;
    const counts = new Map<string, number>();
    for (const result of results) {
      if (result.kind === 'refused') countRejection(this.#options.metrics, result.error);
      const outcome = result.kind === 'refused' ? result.error.reason : result.effect;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
    for (const [outcome, count] of counts) pushes.inc({ outcome }, count);
  }
}

/** Waits for the results that are not there yet: only a description may have to be read first, all else costs no promise. */
async function allOf(results: readonly (Promise<PushedEvent> | PushedEvent)[]): Promise<readonly PushedEvent[]> {
  const isReady = (result: Promise<PushedEvent> | PushedEvent): result is PushedEvent => !(result instanceof Promise);
  return results.every(isReady) ? results : Promise.all(results);
}

/** Whether the push was refused only because its index, or that of another push of its unit, was given back meanwhile. */
function isUnindexed(outcome: PushOutcome | undefined): boolean {
  return outcome?.kind === 'refused' && outcome.isUnindexed === true;
}

const NONE: ReadonlyMap<Position, LogEntry> = new Map();

/** An event that was there before. */
interface StoredBefore {
  readonly position: Position;
  readonly eventId: EventId;
  readonly cawin?: MadeCawin | undefined;
  readonly createdAt?: Micros | undefined;
}

function effectOf({ satisfied }: { readonly satisfied?: boolean }): PushEffect {
  return satisfied === true ? 'satisfied' : 'occurred';
}

function payloadBytes({ payload }: LogEntry): number {
  return payload?.bytes.byteLength ?? 0;
}

const WAS_THERE: ReadonlySet<PushEffect> = new Set(['found', 'duplicate']);

/** The results, those of events that were there before without their payloads from where they would be too many bytes. */
function bounded(results: readonly PushedEvent[]): readonly PushedEvent[] {
  if (!results.some((result) => result.kind === 'stored' && WAS_THERE.has(result.effect))) return results;
  let bytes = 0;
  return results.map((result) => {
    if (result.kind === 'refused' || !WAS_THERE.has(result.effect)) return result;
    bytes += payloadBytes(result.entry);
    return bytes > MAX_FOUND_BYTES ? { ...result, entry: withoutPayload(result.entry) } : result;
  });
}
