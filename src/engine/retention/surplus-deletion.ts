// Deletes of one topic what its streams have too much of, a batch at a time: follows the log of the topic from where it is counted, and
// takes the oldest events of the streams that have more than the topic's limits say. Nothing is looked at twice but what is held.
//
// A stream is looked at when it has grown, when the deletion begins or the limits are others, and now and then while something is held.

import { EntryKind } from '../../domain/events/event.js';
import { surplusTimes } from '../../domain/retention/retention-policy.js';
import { isTooMuch, type StreamCount, type StreamLimits, surplusOf } from '../../domain/retention/stream-limits.js';
import type { Clock } from '../../lib/clock.js';
import type { DueEntry, RetentionClock, RetentionHold, RetentionTopic } from '../../storage/ports/retention-storage.js';
import type { CountedStream, StreamCountStore, StreamSpan } from '../../storage/ports/stream-count-storage.js';
import type { Millis, Position } from '../../units.js';
import { BATCH_BYTES, type BatchPace } from './deletion-pace.js';
import { type EntryDeletion, goneOf } from './entry-deletion.js';
import type { UnpassedEvents } from './unpassed.js';

/** Entries of streams that are read for a batch, and the streams they are of, at most. */
const READ_ENTRIES = 2_000;
const READ_STREAMS = 100;
/** Entries that are read of a stream at first, and how many times as many each time that it is read again. */
const REACH = { first: 16, grows: 4 };
/** Streams with too much that are known at a time, but for those that grew. */
const STREAMS = 500;
/** How long it is waited until the streams are looked through again of which something was held; more where that takes long. */
const LOOK_AGAIN_MS: Millis = 10_000;
const LOOK_AGAIN_TIMES = 20;

/** What one look at a topic did. */
export interface SurplusLook {
  /** False: the hold is lost. */
  readonly isHeld: boolean;
  readonly goneEntries: number;
  readonly goneBytes: number;
  /** Whether something was written. */
  readonly isWork: boolean;
  /** Whether more may be there to do right now. */
  readonly isMore: boolean;
}

export interface SurplusDeletionOptions {
  readonly counts: StreamCountStore;
  readonly unpassed: UnpassedEvents;
  readonly deletion: EntryDeletion;
  readonly clock: Clock;
  readonly pace: BatchPace;
}

/** What is known of the moment. */
export interface SurplusMoment {
  readonly clock: RetentionClock;
  /** The position up to which entries may go. */
  readonly upTo: Position;
}

/** A stream that has too much. */
interface Stream extends CountedStream {
  /** Entries that are read of it. */
  readonly reach: number;
}

/** How far one topic is. */
interface Progress {
  limits: StreamLimits;
  /** The last entry of the topic that may be counted, as far as it was looked. */
  newest: Position;
  countedTo: Position;
  streams: Stream[];
  /** The stream up to which all were looked through; undefined: that is done. */
  lookedThrough: number | undefined;
  /** When they are looked through again; undefined: nothing asks for it. */
  againAtMs: Millis | undefined;
  tookMs: Millis;
}

/** What is to go of a batch's streams. */
interface Plan {
  readonly due: readonly DueEntry[];
  readonly counted: ReadonlyMap<number, StreamCount>;
  readonly moves: number | undefined;
}

const NOTHING: SurplusLook = { isHeld: true, goneEntries: 0, goneBytes: 0, isWork: false, isMore: false };

export class SurplusDeletion {
  readonly #options: SurplusDeletionOptions;
  readonly #progress = new Map<number, Progress>();
  #hasBegun = false;
  #upTo: Position | undefined;

  constructor(options: SurplusDeletionOptions) {
    this.#options = options;
  }

  /** Forgets where topics are: another instance may have deleted since. */
  forget(): void {
    this.#progress.clear();
    this.#hasBegun = false;
    this.#upTo = undefined;
  }

  /** Finds the topics of which there is something to do. */
  async due(topics: readonly RetentionTopic[], upTo: Position): Promise<readonly RetentionTopic[]> {
    if (upTo !== this.#upTo) await this.#lookAtEnds(topics, upTo);
    this.#upTo = upTo;
    return topics.filter((topic) => this.#isUnfinished(topic));
  }

  async #lookAtEnds(topics: readonly RetentionTopic[], upTo: Position): Promise<void> {
    const known = topics.flatMap(({ topicId }) => (this.#progress.has(topicId) ? topicId : []));
    for (const [topicId, newest] of await this.#options.counts.newest(known)) {
      const progress = this.#progress.get(topicId);
      if (progress !== undefined) progress.newest = Math.min(newest, upTo + 1);
    }
  }

  /** Counts what came, or deletes a batch of what is too much. */
  async look(hold: RetentionHold, topic: RetentionTopic, moment: SurplusMoment): Promise<SurplusLook> {
    const { counts } = this.#options;
    const { streamLimits: limits } = topic.policy;
    if (limits === undefined) return NOTHING;
    if (!this.#hasBegun && !(await counts.begin(hold))) return { ...NOTHING, isHeld: false };
    this.#hasBegun = true;
    const progress = this.#progressOf(topic.topicId, limits);
    if (progress.streams.length > 0 && (await this.#options.deletion.isHeld(topic.topicId)))
      return this.#wait(progress);
    if (progress.streams.length > 0) return this.#delete(hold, topic, progress, moment);
    return (await this.#count(hold, topic, progress, moment.upTo)) ?? this.#lookThrough(topic, progress);
  }

  #isUnfinished({ topicId, policy: { streamLimits: limits } }: RetentionTopic): boolean {
    const progress = this.#progress.get(topicId);
    if (progress === undefined || limits === undefined) return limits !== undefined;
    const { streams, lookedThrough, newest, countedTo, againAtMs = Number.POSITIVE_INFINITY } = progress;
    if (streams.length > 0 || lookedThrough !== undefined || newest > countedTo) return true;
    if (!isSame(progress.limits, limits)) return true;
    return againAtMs <= this.#options.clock.monotonicMs();
  }

  #progressOf(topicId: number, limits: StreamLimits): Progress {
    const known = this.#progress.get(topicId);
    if (known === undefined) {
      const progress: Progress = {
        ...{ limits, newest: 0, countedTo: 0, streams: [], lookedThrough: 0, againAtMs: undefined, tookMs: 0 },
      };
      this.#progress.set(topicId, progress);
      return progress;
    }
    if (!isSame(known.limits, limits)) {
      known.limits = limits;
      known.streams = [];
      known.lookedThrough = 0;
    }
    return known;
  }

  /** Counts the next entries of the topic, and finds which of the streams that grew have too much; undefined: there were none. */
  async #count(
    hold: RetentionHold,
    { topicId }: RetentionTopic,
    progress: Progress,
    upTo: Position,
  ): Promise<SurplusLook | undefined> {
    const { counts } = this.#options;
    const { newest, countedTo: after } = progress;
    // Nobody has asked for its end yet.
    const isNew = newest === 0;
    if (!isNew && after >= newest) return undefined;
    // One more than may go: the last one of all stays, and is one that its stream has.
    const page = await counts.count(hold, { topicId, after, upTo: upTo + 1 });
    if (page === 'lost') return { ...NOTHING, isHeld: false };
    progress.countedTo = page.countedTo;
    progress.newest = page.isMore ? upTo + 1 : page.countedTo;
    if (page.streamIds.length === 0) return page.isMore ? { ...NOTHING, isWork: true, isMore: true } : undefined;
    progress.streams = (await counts.tooMuch(topicId, progress.limits, { among: page.streamIds })).map(withReach);
    return { ...NOTHING, isWork: true, isMore: true };
  }

  /** Finds the next streams of the topic that have too much. */
  async #lookThrough({ topicId }: RetentionTopic, progress: Progress): Promise<SurplusLook> {
    const { counts, clock } = this.#options;
    const now = clock.monotonicMs();
    if (progress.lookedThrough === undefined) {
      if (progress.againAtMs === undefined || progress.againAtMs > now) return NOTHING;
      progress.lookedThrough = 0;
    }
    const after = progress.lookedThrough;
    if (after === 0) Object.assign(progress, { againAtMs: undefined, tookMs: 0 });
    const found = await counts.tooMuch(topicId, progress.limits, { after, limit: STREAMS });
    progress.tookMs += clock.monotonicMs() - now;
    progress.streams = found.map(withReach);
    progress.lookedThrough = found.length === STREAMS ? found.at(-1)?.streamId : undefined;
    return { ...NOTHING, isMore: found.length > 0 };
  }

  async #delete(
    hold: RetentionHold,
    topic: RetentionTopic,
    progress: Progress,
    { clock, upTo }: SurplusMoment,
  ): Promise<SurplusLook> {
    const spans = spansOf(progress.streams, Math.min(upTo, progress.countedTo));
    const read = await this.#options.counts.entries(topic.topicId, spans);
    const streams = progress.streams.slice(0, spans.length).map((stream, index) => {
      const { entries = [], scannedTo = upTo } = read[index] ?? {};
      return { stream, scannedTo, surplus: surplusOf(entries, stream, progress.limits) };
    });
    const all = this.#firstOf(streams.flatMap(({ surplus }) => surplus));
    const { due, counted, moves } = await this.#plan(
      topic,
      streams.map(({ stream }) => stream),
      all,
      clock,
    );
    const times = surplusTimes(topic.policy, clock);
    const gone =
      due.length === 0
        ? []
        : await this.#options.deletion.delete(hold, topic, {
            ...{ due, counted, lookedTo: undefined, moves, times, now: clock.now },
          });
    if (gone === 'lost') return { ...NOTHING, isHeld: false };
    if (gone === 'held') return this.#wait(progress);
    if (gone === 'moved') {
      progress.streams = [];
      progress.lookedThrough = 0;
      return { ...NOTHING, isMore: true };
    }
    const isTaken = new Set(all.map(({ position }) => position));
    const goes = new Set(due.map(({ position }) => position));
    const left = streams.flatMap(({ stream, scannedTo, surplus }) => {
      const own = surplus.filter(({ position }) => goes.has(position));
      const isHeld = surplus.some(({ position }) => isTaken.has(position) && !goes.has(position));
      const next = after(stream, own, surplus.length === 0 ? scannedTo : undefined);
      if (!isTooMuch(next, progress.limits)) return [];
      if (!isHeld && next.goneTo < Math.min(upTo, progress.countedTo)) return [next];
      this.#lookAgain(progress);
      return [];
    });
    progress.streams = [...progress.streams.slice(spans.length), ...left];
    return { isHeld: true, ...goneOf(gone), isWork: due.length > 0, isMore: true };
  }

  /** Leaves all for later, as it cannot be archived now. */
  #wait(progress: Progress): SurplusLook {
    progress.streams = [];
    this.#lookAgain(progress);
    return NOTHING;
  }

  #lookAgain(progress: Progress): void {
    const waitMs = Math.max(LOOK_AGAIN_MS, progress.tookMs * LOOK_AGAIN_TIMES);
    progress.againAtMs ??= this.#options.clock.monotonicMs() + waitMs;
  }

  /** Returns as many of the entries as go in one transaction, stream by stream. */
  #firstOf(entries: readonly DueEntry[]): readonly DueEntry[] {
    let bytes = 0;
    const end = entries.findIndex((entry, index) => {
      bytes += entry.bytes;
      return index >= this.#options.pace.batch || (index > 0 && bytes > BATCH_BYTES);
    });
    return (end === -1 ? entries : entries.slice(0, end)).toSorted((a, b) => a.position - b.position);
  }

  /** Leaves of each stream what comes from the first event on that a consumer holds. */
  async #plan(
    topic: RetentionTopic,
    streams: readonly Stream[],
    entries: readonly DueEntry[],
    clock: RetentionClock,
  ): Promise<Plan> {
    const { overdue } = surplusTimes(topic.policy, clock);
    const mayBeHeld = entries.filter(({ createdAt }) => createdAt > overdue);
    const { moves, positions: held } = await this.#options.unpassed.held(topic, mayBeHeld);
    const isHeld = new Set<number | undefined>();
    const due = entries.filter(({ streamId, position }) => {
      if (held.has(position)) isHeld.add(streamId);
      return !isHeld.has(streamId);
    });
    const goes = new Set(due.map(({ streamId }) => streamId));
    const counted = new Map(streams.filter(({ streamId }) => goes.has(streamId)).map((one) => [one.streamId, one]));
    return { due, counted, moves };
  }
}

function isSame(one: StreamLimits, other: StreamLimits): boolean {
  return one.maxEvents === other.maxEvents && one.maxBytes === other.maxBytes;
}

function withReach(stream: CountedStream): Stream {
  return { ...stream, reach: REACH.first };
}

/** What is read of the first of the streams. */
function spansOf(streams: readonly Stream[], upTo: Position): readonly StreamSpan[] {
  const spans: StreamSpan[] = [];
  let entries = 0;
  for (const { streamId, goneTo, reach } of streams.slice(0, READ_STREAMS)) {
    entries += reach;
    if (spans.length > 0 && entries > READ_ENTRIES) break;
    spans.push({ streamId, after: goneTo, upTo, limit: reach });
  }
  return spans;
}

/** The stream without what goes of it; nothing is found of the topic up to `scannedTo`. The next time more is read of it. */
function after(stream: Stream, goes: readonly DueEntry[], scannedTo: Position | undefined): Stream {
  const occurred = goes.filter(({ kind }) => kind === EntryKind.OCCURRED);
  return {
    streamId: stream.streamId,
    events: stream.events - occurred.length,
    bytes: stream.bytes - occurred.reduce((sum, { bytes }) => sum + bytes, 0),
    goneTo: Math.max(stream.goneTo, scannedTo ?? goes.at(-1)?.position ?? 0),
    reach: Math.min(READ_ENTRIES, stream.reach * REACH.grows),
  };
}
