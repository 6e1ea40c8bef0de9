// Deletes what is due of one topic, a batch at a time.

import { EntryKind } from '../../domain/events/event.js';
import { type DueTimes, dueTimes, surplusTimes } from '../../domain/retention/retention-policy.js';
import { isTooMuch, type StreamLimits } from '../../domain/retention/stream-limits.js';
import type {
  DueEntry,
  RetentionClock,
  RetentionHold,
  RetentionStore,
  RetentionTopic,
} from '../../storage/ports/retention-storage.js';
import type { StreamCountStore } from '../../storage/ports/stream-count-storage.js';
import type { Micros, Position } from '../../units.js';
import { BATCH_BYTES, type BatchPace } from './deletion-pace.js';
import { type EntryDeletion, goneOf } from './entry-deletion.js';
import type { Unpassed, UnpassedEvents } from './unpassed.js';

/** What one look at a topic did. */
export interface LookResult {
  /** False: the hold is lost. */
  readonly isHeld: boolean;
  readonly goneEntries: number;
  readonly goneBytes: number;
  /** Whether more may be due right now. */
  readonly isMore: boolean;
  /** The time until the next entry is due, about; undefined: there is none. */
  readonly dueIn: Micros | undefined;
  /** How long the oldest entry is due that is left, about; 0: none is. */
  readonly overdue: Micros;
  /** The first entry that is held for consumers, if one is. */
  readonly held: { readonly position: Position; readonly by: readonly Unpassed[] } | undefined;
}

export interface TopicDeletionOptions {
  readonly store: RetentionStore;
  readonly counts: Pick<StreamCountStore, 'counts'>;
  readonly unpassed: UnpassedEvents;
  readonly deletion: EntryDeletion;
  readonly pace: BatchPace;
}

/** What is to be done with the next entries of a topic. */
interface Plan {
  readonly due: readonly DueEntry[];
  readonly held: LookResult['held'];
}

const NOTHING = {
  isHeld: true,
  goneEntries: 0,
  goneBytes: 0,
  isMore: false,
  dueIn: undefined,
  overdue: 0,
  held: undefined,
} as const;

export class TopicDeletion {
  readonly #options: TopicDeletionOptions;
  /** Positions up to which topics were looked at. */
  readonly #lookedTo = new Map<number, Position>();

  constructor(options: TopicDeletionOptions) {
    this.#options = options;
  }

  /** Forgets where topics are: another instance may have deleted since. */
  forget(): void {
    this.#lookedTo.clear();
    this.#options.deletion.forget();
  }

  /** Looks at the next entries of the topic, up to a position, and deletes those that are due. */
  async look(
    hold: RetentionHold,
    topic: RetentionTopic,
    { clock, upTo }: { readonly clock: RetentionClock; readonly upTo: Position },
  ): Promise<LookResult> {
    const after = await this.#placeOf(topic.topicId);
    if (after >= upTo) return NOTHING;
    const { store } = this.#options;
    const { topicId } = topic;
    const page = await store.due({ topicId, after, upTo, limit: this.#options.pace.batch, maxBytes: BATCH_BYTES });
    const times = dueTimes(topic.policy, clock.now, clock.leapt);
    const moves = await this.#movesBefore(page.entries, times);
    const { due, held } = await this.#plan(topic, page.entries, times);
    const next = page.entries[due.length];
    const isAll = next === undefined;
    const isMore = isAll && page.lookedTo < upTo;
    const left = isMore ? page.entries.at(-1) : next;
    const overdue = left === undefined ? 0 : Math.max(0, times.due - left.createdAt);
    const rest = { held, isMore, dueIn: next && next.createdAt - times.due, overdue };
    // Nothing but the topic's end was seen: that need not be written down, it is found by one look into an index.
    if (due.length === 0) return { ...NOTHING, ...rest };
    const waiting = { ...NOTHING, overdue: times.due - (due[0]?.createdAt ?? times.due) };
    if (await this.#options.deletion.isHeld(topicId)) return waiting;
    const lookedTo = isAll ? page.lookedTo : (due.at(-1)?.position ?? after);
    const deleted = await this.#options.deletion.delete(hold, topic, { due, lookedTo, times, moves, now: clock.now });
    if (deleted === 'lost') return { ...NOTHING, isHeld: false };
    if (deleted === 'held') return waiting;
    if (deleted === 'moved') return { ...NOTHING, overdue, isMore: true };
    this.#lookedTo.set(topicId, lookedTo);
    return { ...NOTHING, ...rest, ...goneOf(deleted) };
  }

  /** Deletes what was kept alone, and has no reason to stay any more. `after`: where to go on; undefined: that was all. */
  async lookAtKept(
    hold: RetentionHold,
    topic: RetentionTopic,
    { clock, after }: { readonly clock: RetentionClock; readonly after: Position },
  ): Promise<{ readonly after: Position | undefined; readonly result: LookResult }> {
    const { store, unpassed, deletion, pace } = this.#options;
    const { batch } = pace;
    const kept = await store.kept(topic.topicId, after, batch);
    const times = dueTimes(topic.policy, clock.now, clock.leapt);
    const more = kept.length === batch ? kept.at(-1)?.position : undefined;
    const { ripe, mayBeHeld } = await this.#ripe(topic, kept, { clock, times });
    const { moves, positions: held } = await unpassed.held(topic, mayBeHeld);
    const due = ripe.filter(({ position }) => !held.has(position));
    if (due.length === 0 || (await deletion.isHeld(topic.topicId))) return { after: more, result: NOTHING };
    const deleted = await deletion.delete(hold, topic, { due, lookedTo: undefined, times, moves, now: clock.now });
    if (deleted === 'lost') return { after, result: { ...NOTHING, isHeld: false } };
    return { after: more, result: typeof deleted === 'string' ? NOTHING : { ...NOTHING, ...goneOf(deleted) } };
  }

  /** Finds those of what is kept alone that are due, by their age or as there are too many, and of these what consumers may hold. */
  async #ripe(
    { topicId, policy }: RetentionTopic,
    kept: readonly DueEntry[],
    { clock, times }: { readonly clock: RetentionClock; readonly times: DueTimes },
  ) {
    const isTooMany = policy.streamLimits && (await this.#tooMany(topicId, policy.streamLimits, kept));
    const { overdue } = surplusTimes(policy, clock);
    const isOld = ({ createdAt }: DueEntry) => createdAt <= times.due;
    const ripe = kept.filter((entry) => isOld(entry) || isTooMany?.(entry));
    const isHeldUntil = (entry: DueEntry) => (isOld(entry) ? times.overdue : overdue);
    return { ripe, mayBeHeld: ripe.filter((entry) => entry.createdAt > isHeldUntil(entry)) };
  }

  /** What was kept alone is not counted: it goes if it were one too many. */
  async #tooMany(topicId: number, limits: StreamLimits, kept: readonly DueEntry[]) {
    const streams = new Set(kept.flatMap(({ streamId }) => streamId ?? []));
    const counts = await this.#options.counts.counts(topicId, [...streams]);
    return ({ streamId = 0, kind, bytes }: DueEntry) => {
      const count = counts.get(streamId);
      if (count === undefined) return false;
      const withIt = { events: count.events + 1, bytes: count.bytes + bytes };
      return kind !== EntryKind.OCCURRED || isTooMuch(withIt, limits);
    };
  }

  async #placeOf(topicId: number): Promise<Position> {
    const known = this.#lookedTo.get(topicId);
    if (known !== undefined) return known;
    const lookedTo = (await this.#options.store.places([topicId])).get(topicId)?.lookedTo ?? 0;
    this.#lookedTo.set(topicId, lookedTo);
    return lookedTo;
  }

  /** Finds the entries that are due, up to the first one that is held: what is held holds what comes after it. */
  async #plan(topic: RetentionTopic, entries: readonly DueEntry[], times: DueTimes): Promise<Plan> {
    const ripe = until(entries, ({ createdAt }) => createdAt > times.due);
    const holders = await this.#holders(topic, ripe, times);
    const first = Math.min(...holders.flatMap(({ positions }) => positions[0] ?? []));
    if (first === Number.POSITIVE_INFINITY) return { due: ripe, held: undefined };
    const by = holders.filter(({ positions }) => positions[0] === first);
    return { due: until(ripe, ({ position }) => position >= first), held: { position: first, by } };
  }

  /** Finds the consumers that hold some of the entries, with those entries. */
  async #holders(topic: RetentionTopic, entries: readonly DueEntry[], times: DueTimes): Promise<readonly Unpassed[]> {
    const mayBeHeld = entries.filter(({ createdAt }) => createdAt > times.overdue);
    return this.#options.unpassed.of(topic, mayBeHeld);
  }

  /** Has to be asked before it is looked who holds the entries; undefined: nobody may. */
  async #movesBefore(entries: readonly DueEntry[], times: DueTimes): Promise<number | undefined> {
    const mayBeHeld = ({ createdAt }: DueEntry) => createdAt <= times.due && createdAt > times.overdue;
    return entries.some(mayBeHeld) ? this.#options.store.moves() : undefined;
  }
}

/** The entries before the first one of which something holds. */
function until(entries: readonly DueEntry[], holds: (entry: DueEntry) => boolean): readonly DueEntry[] {
  const end = entries.findIndex(holds);
  return end === -1 ? entries : entries.slice(0, end);
}
