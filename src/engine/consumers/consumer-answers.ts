// What members answer to deliveries, made durable.

import type { AckStatus, Answer } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { Clock } from '../../lib/clock.js';
import type { Position } from '../../units.js';
import type { ConsumerLife } from './consumer-life.js';
import type { ConsumerMembers } from './consumer-members.js';
import type { ConsumerProgress } from './consumer-progress.js';

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
    const { window, life, members, progress, clock } = this.#options;
    life.assertRunning();
    life.use();
    const now = clock.monotonicMs();
    const statuses = window.answers.ack(answers, now);
    const passed = upTo === undefined ? [] : window.answers.ackUpTo(upTo, member, now);
    // Only without a lease can one acknowledge what was not handed out yet.
    if (upTo !== undefined || answers.some((answer) => answer.lease === 0)) members.markStale();
    members.wake();
    await progress.flush();
    life.assertRunning();
    return { offset: progress.storedOffset, statuses, upTo: passed.length };
  }
}
