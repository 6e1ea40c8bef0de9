// What members answer to deliveries, made durable.

import type { AckStatus, Answer } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { Clock } from '../../lib/clock.js';
import type { Position } from '../../units.js';
import type { LogSource } from '../log/log-source.js';
import type { ConsumerDispatcher } from './consumer-dispatcher.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';

/** Positions without a lease that one call has looked up; people name a few. */
const MAX_LOOKED_UP = 100;
/** Events that are read at a time for it, payloads included. */
const LOOKED_UP_AT_ONCE = 8;

export interface Acknowledged {
  /** The durable offset. */
  readonly offset: Position;
  readonly statuses: readonly AckStatus[];
  /** Events that `upTo` acknowledged. */
  readonly upTo: number;
}

export interface ConsumerAnswersOptions {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly members: ConsumerMembers;
  readonly progress: ConsumerProgress;
  readonly dispatcher: ConsumerDispatcher;
  readonly source: LogSource;
  readonly clock: Clock;
}

export class ConsumerAnswers {
  readonly #options: ConsumerAnswersOptions;

  constructor(options: ConsumerAnswersOptions) {
    this.#options = options;
  }

  /** Acknowledges, and resolves once the result is durable. */
  async acknowledge(
    answers: readonly Answer[],
    upTo: Position | undefined,
    member: string | undefined,
  ): Promise<Acknowledged> {
    const { window, life, members, progress, dispatcher, clock } = this.#options;
    life.assertRunning();
    life.use();
    const now = clock.monotonicMs();
    const statuses = window.answers.ack(answers, now);
    const passed = upTo === undefined ? [] : window.answers.ackUpTo(upTo, member, now);
    const withoutLease = answers.some((answer) => answer.lease === 0);
    // Only without a lease can one acknowledge what was not handed out yet.
    if (upTo !== undefined || withoutLease) members.markStale();
    members.wake();
    if (window.scan.isBehindAnswers) await dispatcher.passAnswered();
    if (withoutLease) await this.#tellForeign(answers, statuses);
    await progress.flush();
    life.assertRunning();
    return { offset: progress.storedOffset, statuses, upTo: passed.length };
  }

  /**
   * Finds among answers that count as repeated those for events that the consumer never gets, as the offset passed them, and has
   * them UNKNOWN. A lease proves the delivery, so only answers without one are looked up. What is not stored any more cannot be
   * told.
   */
  async #tellForeign(answers: readonly Answer[], statuses: AckStatus[]): Promise<void> {
    const { source, dispatcher } = this.#options;
    const { matches } = dispatcher.selection;
    const asked = [...answers.keys()].filter((index) => answers[index]?.lease === 0 && statuses[index] === 'ALREADY');
    for (let at = 0; at < Math.min(asked.length, MAX_LOOKED_UP); at += LOOKED_UP_AT_ONCE) {
      const some = asked.slice(at, at + LOOKED_UP_AT_ONCE);
      const entries = await source.readAt([...new Set(some.map((index) => answers[index]?.position ?? 0))]);
      const strange = new Set(entries.filter((entry) => !matches(entry)).map(({ position }) => position));
      for (const index of some) if (strange.has(answers[index]?.position ?? 0)) statuses[index] = 'UNKNOWN';
    }
  }
}
