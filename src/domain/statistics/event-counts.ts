// What statistics keep of a part of the log. A tally is how many events of one topic, stream and UTC day the part has; it counts in each
// of the tables that statistics are read from.

import { type Count, monthOf } from './utc-days.js';

/** Events of one topic, stream and day. Contexts, topics and streams are named by their numbers. */
export interface Tally extends Count {
  readonly contextId: number;
  readonly topicId: number;
  /** Undefined: events without a stream. */
  readonly streamId: number | undefined;
  readonly day: number;
  /** Events among them that are addressed `to` a name. */
  readonly addressed: number;
  /** Whether the topic is the server's own. */
  readonly reserved: boolean;
}

export interface TopicDay extends Count {
  readonly day: number;
  readonly topicId: number;
  readonly contextId: number;
  readonly reserved: boolean;
}

export interface StreamDay extends Count {
  readonly day: number;
  readonly streamId: number;
  readonly topicId: number;
  readonly contextId: number;
}

export interface StreamMonth extends Count {
  readonly month: number;
  readonly streamId: number;
  readonly contextId: number;
}

/** Events since the beginning, and those of them that are addressed to a name. */
export interface Total {
  readonly events: number;
  readonly addressed: number;
}

export interface StreamTotal extends Total {
  readonly streamId: number;
  readonly topicId: number;
}

/** The topic of the series of all topics of a context but the server's own. */
export const EVERY_TOPIC = 0;

export interface SeriesTotal extends Total {
  readonly topicId: number;
  readonly contextId: number;
}

/** Counts to add to what is stored, at most one row of a key. */
export interface EventCounts {
  readonly topicDays: readonly TopicDay[];
  readonly streamDays: readonly StreamDay[];
  readonly streamMonths: readonly StreamMonth[];
  readonly streamTotals: readonly StreamTotal[];
  /** Counts of topics, and of contexts. */
  readonly seriesTotals: readonly SeriesTotal[];
}

type Numbers = Readonly<Record<'events' | 'bytes' | 'addressed', number>>;

/** Adds up tallies by what is counted alike. */
export function addUp(tallies: readonly Tally[]): EventCounts {
  const inStreams = tallies.filter((tally): tally is Tally & { streamId: number } => tally.streamId !== undefined);
  const inContexts = tallies.filter(({ reserved }) => !reserved).map((tally) => ({ ...tally, topicId: EVERY_TOPIC }));
  return {
    topicDays: sums(tallies, ({ day, topicId, contextId, reserved }) => ({ day, topicId, contextId, reserved })),
    streamDays: sums(inStreams, ({ day, streamId, topicId, contextId }) => ({ day, streamId, topicId, contextId })),
    streamMonths: sums(inStreams, ({ day, streamId, contextId }) => ({ month: monthOf(day), streamId, contextId })),
    streamTotals: sums(inStreams, ({ streamId, topicId }) => ({ streamId, topicId })),
    seriesTotals: sums([...tallies, ...inContexts], ({ topicId, contextId }) => ({ topicId, contextId })),
  };
}

function sums<Each extends Tally, Key extends object>(
  tallies: readonly Each[],
  keyOf: (tally: Each) => Key,
): (Key & Numbers)[] {
  const rows = new Map<string, Key & Numbers>();
  for (const tally of tallies) {
    const key = keyOf(tally);
    const name = Object.values(key).join();
    const before = rows.get(name) ?? { events: 0, bytes: 0, addressed: 0 };
    rows.set(name, {
      ...key,
      events: before.events + tally.events,
      bytes: before.bytes + tally.bytes,
      addressed: before.addressed + tally.addressed,
    });
  }
  return [...rows.values()];
}
