// What streams have too much of one topic by some limits, found in its log from the newest entry back: a dry run, as far as it looks, which
// asks for nothing that was counted before.

import type { ConsumerKey } from '../../domain/consumers/consumer.js';
import { NewestOfStreams, type StreamLimits } from '../../domain/retention/stream-limits.js';
import type { ConsumerBehind, DueEntry, RetentionStore } from '../../storage/ports/retention-storage.js';
import type { StreamCountStore } from '../../storage/ports/stream-count-storage.js';
import type { Micros, Position } from '../../units.js';
import type { UnpassedEvents } from './unpassed.js';

/** Entries that are looked at, and how many at a time. */
const MAX_LOOKED_AT = 100_000;
const PAGE = 5_000;
/** Entries, and their payloads, of which it is asked at a time who has not passed them. */
const ASKED = { entries: 500, bytes: 4 * 1024 * 1024 };

/** A consumer that has not passed events; `isMinimum`: there are more, or may be. */
export interface Holder extends ConsumerKey {
  readonly offset: Position;
  readonly events: number;
  readonly isMinimum: boolean;
}

export interface Surplus {
  /** Ascending. */
  readonly entries: readonly DueEntry[];
  /** What lies up to here was not looked at; 0: everything was. */
  readonly notLookedTo: Position;
}

export interface SurplusHolders {
  /** Consumers that have not passed some of it, those with the most first. */
  readonly holders: readonly Holder[];
  /** The first position that one of them has not passed and may hold; 0: there is none. */
  readonly first: Position;
}

export interface SurplusReportOptions {
  readonly store: Pick<RetentionStore, 'behind'>;
  readonly counts: Pick<StreamCountStore, 'before'>;
  readonly unpassed: UnpassedEvents;
}

interface TopicName {
  readonly context: string;
  readonly name: string;
}

export class SurplusReport {
  readonly #options: SurplusReportOptions;

  constructor(options: SurplusReportOptions) {
    this.#options = options;
  }

  /** Finds what is too much of what lies after a position. */
  async of(topicId: number, limits: StreamLimits, after: Position): Promise<Surplus> {
    const newest = new NewestOfStreams(limits);
    const found: DueEntry[] = [];
    let before: Position = Number.MAX_SAFE_INTEGER;
    for (let lookedAt = 0; lookedAt < MAX_LOOKED_AT; lookedAt += PAGE) {
      const page = await this.#options.counts.before(topicId, { before, after, limit: PAGE });
      for (const entry of page) if (newest.goes(entry)) found.push(entry);
      before = page.at(-1)?.position ?? before;
      if (page.length < PAGE) return { entries: found.reverse(), notLookedTo: 0 };
    }
    return { entries: found.reverse(), notLookedTo: before - 1 };
  }

  /**
   * Finds the durable consumers that have not passed some of it. Of one that is behind what was looked at, more may go: at least none.
   * `heldSince`: what was created up to then nobody holds.
   */
  async holders(topic: TopicName, { entries, notLookedTo }: Surplus, heldSince: Micros): Promise<SurplusHolders> {
    const { store, unpassed } = this.#options;
    const upTo = entries.at(-1)?.position ?? notLookedTo;
    const behind = await store.behind(topic, upTo);
    const counts = new Map(
      behind.filter(({ offset }) => offset < notLookedTo).map((one) => [one.id, { one, events: 0 }]),
    );
    let first = Number.POSITIVE_INFINITY;
    for (const some of behind.length === 0 ? [] : parts(entries)) {
      const young = some.find(({ createdAt }) => createdAt > heldSince)?.position ?? Number.POSITIVE_INFINITY;
      for (const { consumer, positions } of await unpassed.of(topic, some)) {
        const { events } = counts.get(consumer.id) ?? { events: 0 };
        counts.set(consumer.id, { one: consumer, events: events + positions.length });
        first = Math.min(first, positions.find((position) => position >= young) ?? first);
      }
    }
    const holders = [...counts.values()].map(({ one, events }) => holderOf(one, events, one.offset < notLookedTo));
    return {
      holders: holders.sort((a, b) => b.events - a.events),
      first: Number.isFinite(first) ? first : 0,
    };
  }
}

function holderOf({ context, name, offset }: ConsumerBehind, events: number, isMinimum: boolean): Holder {
  return { context, name, offset, events, isMinimum };
}

/** The entries in parts whose payloads can be read at a time. */
function* parts(entries: readonly DueEntry[]): Iterable<readonly DueEntry[]> {
  let from = 0;
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    if (index > from && (index - from >= ASKED.entries || bytes + entry.bytes > ASKED.bytes)) {
      yield entries.slice(from, index);
      from = index;
      bytes = 0;
    }
    bytes += entry.bytes;
  }
  if (from < entries.length) yield entries.slice(from);
}

/** The holders of both, each once, those with the most first. */
export function bothHolders(some: readonly Holder[], others: readonly Holder[]): readonly Holder[] {
  const all = new Map(some.map((holder) => [`${holder.context} ${holder.name}`, holder]));
  for (const holder of others) {
    const key = `${holder.context} ${holder.name}`;
    const { events = 0, isMinimum = false } = all.get(key) ?? {};
    all.set(key, { ...holder, events: holder.events + events, isMinimum: holder.isMinimum || isMinimum });
  }
  return [...all.values()].sort((a, b) => b.events - a.events);
}
