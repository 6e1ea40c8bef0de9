// Watches what every consumer of this instance owes its members: with a backlog, credit and nothing that holds it up, something is
// delivered soon. A consumer that stands all the same is a fault of ours: it is told, counted, and sent on its way.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { Clock } from '../../../lib/clock.js';
import type { Logger, Metrics } from '../../../telemetry.js';
import type { Millis } from '../../../units.js';

/** How long a consumer may do nothing though it could go on. */
export const STALL_MS = 10_000;
/** How long a consumer may wait for one read or write that has begun: its statements give up far sooner. */
export const ANSWER_MS = 60_000;
/** How long the next restarts of a consumer that stands again and again are apart, at most. */
const MAX_PATIENCE_MS = 600_000;
/** What counts of the time between two looks: where this process stood still, its consumers did so with it. */
const MAX_LOOK_MS = 2_000;

/** A consumer as the watch sees it. */
export interface WatchedConsumer {
  readonly key: ConsumerKey;
  /**
   * Whether it has a backlog, a member with credit and one that waits, and nothing holds it up: no retry, no answer that is missing, no
   * change under way, no drain, no failure of the database, no doubt about who runs it. Cheap where there is no backlog.
   */
  readonly canGoOn: boolean;
  /** Rises with all that it does: a read, a page that was looked through, a delivery. */
  readonly steps: number;
  /** Whether it waits for a read or write. */
  readonly isWaiting: boolean;
  /** Whether that has not begun, as others have their turn first. */
  readonly isQueued: boolean;
  /** Whether no member has anything: then whatever comes next fits. */
  readonly isEmptyHanded: boolean;
  /** Has it do what it can do now; returns whether it did, or began, anything. */
  prod(): boolean;
  /** Has it give up what it waits for and begin anew after its offset, in the same generation. */
  beginAnew(): void;
  /** Returns the state that matters, for the log. */
  describe(): object;
}

export interface ConsumerWatchOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** A consumer that could go on, and what it had done when it was last seen to do something. */
class Suspect {
  steps: number;
  sinceMs: Millis;
  /** How often the time until it counts as standing is doubled. */
  restarts = 0;

  constructor(steps: number, sinceMs: Millis) {
    this.steps = steps;
    this.sinceMs = sinceMs;
  }

  patience(ms: Millis): Millis {
    return Math.min(ms * 2 ** this.restarts, MAX_PATIENCE_MS);
  }
}

/**
 * | state     | entered when                                   | left when                                                          |
 * |-----------|------------------------------------------------|--------------------------------------------------------------------|
 * | unwatched | at first                                       | a look finds that it can go on: suspect                            |
 * | suspect   | it can go on, and did something since the look | it cannot go on: unwatched; nothing happens for STALL_MS, or for   |
 * |           | before                                         | ANSWER_MS in one read or write: prodded, or begun anew             |
 * | prodded   | it stood, and waits for nothing                | at once: it did something, which counts as a stall; else, with     |
 * |           |                                                | nothing in flight, it is begun anew; else nothing fits the credit  |
 *
 * Nothing is kept of consumers that are not suspect.
 */
export class ConsumerWatch {
  readonly #options: ConsumerWatchOptions;
  #suspects = new Map<WatchedConsumer, Suspect>();
  /** The time that was watched: it stands still with the process. */
  #watchedMs: Millis = 0;
  #lookedAtMs: Millis | undefined;

  constructor(options: ConsumerWatchOptions) {
    this.#options = options;
    for (const mended of ['prodded', 'begun_anew']) options.metrics.consumerStalls.inc({ mended }, 0);
  }

  /** Consumers that could go on at the last look. */
  get suspects(): number {
    return this.#suspects.size;
  }

  /** Looks at all consumers, once a second. */
  look(consumers: Iterable<WatchedConsumer>): void {
    const now = this.#options.clock.monotonicMs();
    this.#watchedMs += Math.min(now - (this.#lookedAtMs ?? now), MAX_LOOK_MS);
    this.#lookedAtMs = now;
    const suspects = new Map<WatchedConsumer, Suspect>();
    for (const consumer of consumers) {
      if (!consumer.canGoOn) continue;
      const suspect = this.#suspects.get(consumer) ?? new Suspect(consumer.steps, this.#watchedMs);
      suspects.set(consumer, suspect);
      this.#judge(consumer, suspect);
    }
    this.#suspects = suspects;
  }

  #judge(consumer: WatchedConsumer, suspect: Suspect): void {
    const standsMs = this.#watchedMs - suspect.sinceMs;
    if (consumer.steps !== suspect.steps) this.#acquit(consumer, suspect);
    else if (consumer.isWaiting) {
      if (standsMs >= suspect.patience(ANSWER_MS) && !consumer.isQueued) this.#restart(consumer, suspect, standsMs);
    } else if (standsMs >= suspect.patience(STALL_MS)) this.#prod(consumer, suspect, standsMs);
  }

  #acquit(consumer: WatchedConsumer, suspect: Suspect): void {
    suspect.steps = consumer.steps;
    suspect.sinceMs = this.#watchedMs;
  }

  #prod(consumer: WatchedConsumer, suspect: Suspect, standsMs: Millis): void {
    const state = consumer.describe();
    if (consumer.prod()) this.#tell(consumer, { mended: 'prodded', state, standsMs, waiting: false });
    else if (consumer.isEmptyHanded && !consumer.isWaiting) this.#restart(consumer, suspect, standsMs);
    // Where neither holds, what comes next does not fit what the members have in flight.
    this.#acquit(consumer, suspect);
  }

  #restart(consumer: WatchedConsumer, suspect: Suspect, standsMs: Millis): void {
    const stall = { mended: 'begun_anew', state: consumer.describe(), standsMs, waiting: consumer.isWaiting };
    suspect.restarts += 1;
    consumer.beginAnew();
    this.#tell(consumer, stall);
    this.#acquit(consumer, suspect);
  }

  #tell(
    { key }: WatchedConsumer,
    { mended, state, standsMs, waiting }: { mended: string; state: object; standsMs: Millis; waiting: boolean },
  ): void {
    const { metrics, logger } = this.#options;
    metrics.consumerStalls.inc({ mended });
    const standing = { standsMs: Math.round(standsMs), waitsForDatabase: waiting, mended };
    logger.warn({ context: key.context, consumer: key.name, ...standing, ...state }, 'consumer stood still');
  }
}
