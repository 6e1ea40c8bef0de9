// The figures of this instance's consumers for its metrics. A consumer has series of its own as long as there are not too many; of the
// others it is said how many they are, and how far behind.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { WindowStats } from '../../../domain/consumers/delivery-types.js';
import type { Clock } from '../../../lib/clock.js';
import type { Logger, Metrics } from '../../../telemetry.js';
import type { Millis, Position } from '../../../units.js';
import { type Effort, type EventCount, ROUGH } from './event-count.js';

/** Consumers with series of their own, at most; the first ones have them. */
export const MAX_MEASURED = 1_000;
/** How old a count of pending events may become, and how many consumers are counted in one go. */
const COUNT_MS = 10_000;
const COUNTED_AT_ONCE = 50;

/** A consumer as its figures are asked for. */
export interface MeasuredConsumer {
  readonly key: ConsumerKey;
  readonly report: {
    readonly offset: Position;
    readonly lag: Position;
    readonly isPaused: boolean;
    readonly expiredUnread: number;
    stats(): Pick<WindowStats, 'inFlight' | 'parked'>;
    countPending(effort: Effort): Promise<EventCount>;
  };
}

export interface ConsumerGaugesOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What was told of one consumer. */
class Measured {
  offset = -1;
  lag = -1;
  inFlight = -1;
  /** Most consumers have none, and are not paused, and have no series that say so. */
  parked = 0;
  paused = false;
  expiredUnread = 0;
  pending = -1;
  countedAtMs: Millis = Number.NEGATIVE_INFINITY;
}

export class ConsumerGauges {
  readonly #options: ConsumerGaugesOptions;
  readonly #measured = new Map<MeasuredConsumer, Measured>();
  #counting = false;

  constructor(options: ConsumerGaugesOptions) {
    this.#options = options;
  }

  /** Tells how the sessions are now. */
  measure(sessions: Iterable<MeasuredConsumer>): void {
    let leftOut = 0;
    let leftOutLag = 0;
    for (const session of sessions) {
      const measured = this.#measured.get(session) ?? this.#begin(session);
      if (measured !== undefined) {
        this.#tell(session, measured);
        continue;
      }
      leftOut += 1;
      leftOutLag = Math.max(leftOutLag, session.report.lag);
    }
    const { consumers, consumersLeftOutLag } = this.#options.metrics;
    consumers.set({ series: 'own' }, this.#measured.size);
    consumers.set({ series: 'left_out' }, leftOut);
    consumersLeftOutLag.set(leftOutLag);
    if (!this.#counting) void this.#count();
  }

  /** Forgets a session that is no longer run here. */
  remove(session: MeasuredConsumer): void {
    if (!this.#measured.delete(session)) return;
    const { consumerOffset, consumerLag, consumerPending, consumerInFlight, ...metrics } = this.#options.metrics;
    const { consumerParked, consumerPaused, consumerExpiredUnread } = metrics;
    const gauges = [consumerOffset, consumerLag, consumerPending, consumerInFlight, consumerParked, consumerPaused];
    for (const gauge of [...gauges, consumerExpiredUnread]) gauge.remove(labelsOf(session));
  }

  #begin(session: MeasuredConsumer): Measured | undefined {
    if (this.#measured.size >= MAX_MEASURED) return undefined;
    const measured = new Measured();
    this.#measured.set(session, measured);
    return measured;
  }

  /** Sets what is other than it was: a series costs more to set than to look at. */
  #tell(session: MeasuredConsumer, measured: Measured): void {
    const { consumerOffset, consumerLag, consumerInFlight, consumerParked } = this.#options.metrics;
    const { offset, lag } = session.report;
    const { inFlight, parked } = session.report.stats();
    if (offset !== measured.offset) consumerOffset.set(labelsOf(session), offset);
    if (lag !== measured.lag) consumerLag.set(labelsOf(session), lag);
    if (inFlight !== measured.inFlight) consumerInFlight.set(labelsOf(session), inFlight);
    if (parked !== measured.parked) consumerParked.set(labelsOf(session), parked);
    Object.assign(measured, { offset, lag, inFlight, parked });
    this.#tellPaused(session, measured);
    this.#tellExpired(session, measured);
    if (lag === 0) this.#tellPending(session, measured, 0);
  }

  #tellPaused(session: MeasuredConsumer, measured: Measured): void {
    const { isPaused } = session.report;
    if (isPaused === measured.paused) return;
    measured.paused = isPaused;
    this.#options.metrics.consumerPaused.set(labelsOf(session), isPaused ? 1 : 0);
  }

  #tellExpired(session: MeasuredConsumer, measured: Measured): void {
    const { expiredUnread } = session.report;
    if (expiredUnread === measured.expiredUnread) return;
    measured.expiredUnread = expiredUnread;
    this.#options.metrics.consumerExpiredUnread.set(labelsOf(session), expiredUnread);
  }

  #tellPending(session: MeasuredConsumer, measured: Measured, pending: number): void {
    if (pending === measured.pending) return;
    measured.pending = pending;
    this.#options.metrics.consumerPending.set(labelsOf(session), pending);
  }

  /** Counts what is pending of consumers that are behind, one after the other. */
  async #count(): Promise<void> {
    this.#counting = true;
    try {
      for (const [session, measured] of this.#due()) {
        const { count } = await session.report.countPending(ROUGH);
        if (this.#measured.get(session) === measured) this.#tellPending(session, measured, count);
      }
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'pending events not counted, tried again later');
    }
    this.#counting = false;
  }

  #due(): readonly (readonly [MeasuredConsumer, Measured])[] {
    const now = this.#options.clock.monotonicMs();
    const due: (readonly [MeasuredConsumer, Measured])[] = [];
    for (const [session, measured] of this.#measured) {
      if (due.length >= COUNTED_AT_ONCE) break;
      if (measured.lag <= 0 || now - measured.countedAtMs < COUNT_MS) continue;
      measured.countedAtMs = now;
      due.push([session, measured]);
    }
    return due;
  }
}

function labelsOf({ key }: MeasuredConsumer): { context: string; consumer: string } {
  return { context: key.context, consumer: key.name };
}
