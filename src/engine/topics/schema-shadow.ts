// A schema held against what is stored of a topic, the newest events first: what it would have refused. Bounded in events, bytes and time,
// and ended with the call that asks.

import { entryBytes } from '../../domain/events/entry-size.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import { withoutPayload } from '../../domain/events/event-views.js';
import { CheckRun } from '../../domain/schemas/check-run.js';
import type { Mismatch } from '../../domain/schemas/explanation.js';
import type { TopicSchema } from '../../domain/schemas/topic-schema.js';
import type { Clock } from '../../lib/clock.js';
import { CHECK_STEP, CODED_BYTE, type LoopSlices } from '../../lib/loop-slices.js';
import type { Millis, Position } from '../../units.js';
import type { EventQueries } from '../log/event-queries.js';
import type { LogTail } from '../log/log-tail.js';

/** What one run looks at, at most. */
export const SHADOW = { events: 100_000, bytes: 256 * 1024 * 1024, ms: 20_000, samples: 10 } as const;
/** What is read at a time. */
const PAGE = { limit: 500, maxBytes: 1024 * 1024 } as const;

export interface SchemaShadowOptions {
  readonly queries: Pick<EventQueries, 'list'>;
  readonly tail: Pick<LogTail, 'visible'>;
  /** Shared by all who have much to do at a time. */
  readonly slices: LoopSlices;
  readonly clock: Clock;
}

export interface ShadowRun {
  readonly context: string;
  readonly topic: string;
  /** Events that are looked at, at most. */
  readonly events: number;
  readonly caller: string;
  readonly signal: AbortSignal;
  /** How long it may take, where that is less than 20 s. */
  readonly timeMs?: Millis | undefined;
}

/** An event that would have been refused, without its payload. */
export interface RefusedEvent {
  readonly entry: LogEntry;
  readonly mismatches: readonly Mismatch[];
}

export interface ShadowResult {
  readonly examined: number;
  readonly refused: number;
  readonly bytes: number;
  /** The newest of the refused ones. */
  readonly samples: readonly RefusedEvent[];
  /** Everything of the topic after this position was looked at. */
  readonly lookedDownTo: Position;
  /** Whether it looked at as much as it was asked to, or at all that there is. */
  readonly isComplete: boolean;
}

export class SchemaShadow {
  readonly #options: SchemaShadowOptions;

  constructor(options: SchemaShadowOptions) {
    this.#options = options;
  }

  /** Rejects with the signal's reason. */
  async run(schema: TopicSchema, run: ShadowRun): Promise<ShadowResult> {
    const { queries, tail, slices, clock } = this.#options;
    const { context, topic, caller, signal } = run;
    const events = Math.min(run.events, SHADOW.events);
    const endsAt = clock.monotonicMs() + Math.min(run.timeMs ?? SHADOW.ms, SHADOW.ms);
    const seen = new Seen(schema);
    let upTo = tail.visible;
    while (upTo > 0 && seen.examined < events) {
      if (seen.bytes >= SHADOW.bytes || clock.monotonicMs() >= endsAt)
        return { ...seen.result(upTo), isComplete: false };
      signal.throwIfAborted();
      const criteria = { context, topics: [topic], kinds: [EntryKind.OCCURRED] };
      const limit = Math.min(PAGE.limit, events - seen.examined);
      const page = await queries.list(criteria, { ...PAGE, limit, after: 0, upTo, newestFirst: true, caller });
      const look = (entry: LogEntry) => seen.look(entry);
      const moreBytes = () => CHECK_STEP * seen.steps;
      await slices.each(caller, { items: page.entries, bytesOf: costOf, moreBytes, look }, signal);
      upTo = page.scannedTo;
    }
    return { ...seen.result(upTo), isComplete: true };
  }
}

function costOf(entry: LogEntry): number {
  return CODED_BYTE * entryBytes(entry);
}

/** What a run has seen. */
class Seen {
  examined = 0;
  bytes = 0;
  /** What the last check took. */
  steps = 0;
  #refused = 0;
  readonly #samples: RefusedEvent[] = [];
  readonly #schema: TopicSchema;

  constructor(schema: TopicSchema) {
    this.#schema = schema;
  }

  look(entry: LogEntry): boolean {
    const { payload } = entry;
    this.steps = 0;
    if (payload === undefined) return true;
    this.examined += 1;
    this.bytes += payload.bytes.byteLength;
    const run = new CheckRun();
    const mismatches = this.#schema.mismatches(payload, run);
    this.steps = run.spent;
    if (mismatches.length === 0) return true;
    this.#refused += 1;
    if (this.#samples.length < SHADOW.samples) this.#samples.push({ entry: withoutPayload(entry), mismatches });
    return true;
  }

  result(lookedDownTo: Position): Omit<ShadowResult, 'isComplete'> {
    const { examined, bytes } = this;
    return { examined, bytes, refused: this.#refused, samples: this.#samples, lookedDownTo };
  }
}
