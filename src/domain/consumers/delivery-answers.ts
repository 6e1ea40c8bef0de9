// What members answer: acknowledgements, rejections, asking for more time.

import type { Millis, Position } from '../../units.js';
import { assertNever } from '../errors.js';
import type { DeliveryState } from './delivery-state.js';
import type { AckStatus, Answer, Rejection } from './delivery-types.js';
import type { FailingTransitions } from './failing-transitions.js';
import type { DeliveryMember } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

export class DeliveryAnswers {
  readonly #state: DeliveryState;
  readonly #failing: FailingTransitions;

  constructor(state: DeliveryState, failing: FailingTransitions) {
    this.#state = state;
    this.#failing = failing;
  }

  /**
   * Acknowledges; one status per answer, in their order. Positions above the head of the log are the caller's to refuse:
   * the window does not know the head. Every accepted answer restarts the clocks of its member.
   */
  ack(answers: readonly Answer[], now: Millis): AckStatus[] {
    const at = this.#state.tick(now);
    const statuses: AckStatus[] = [];
    for (const answer of answers) statuses.push(this.#ackOne(answer, at));
    return statuses;
  }

  /**
   * Acknowledges what was delivered in this generation, is in flight and lies at or below the position; with `name` only
   * what the member of that name holds. Returns the positions, in no order.
   */
  ackUpTo(position: Position, name: string | undefined, now: Millis): Position[] {
    const at = this.#state.tick(now);
    const positions: Position[] = [];
    for (const member of this.#membersOf(name)) {
      const records = member.recordsUpTo(position);
      if (records.length > 0) member.answeredMs = at;
      for (const record of records) {
        positions.push(record.position);
        this.#state.finish(record, at);
      }
    }
    return positions;
  }

  /** Rejects; statuses as of `ack`, and for accepted ones the action was taken. */
  reject(answers: readonly Answer[], rejection: Rejection, now: Millis): AckStatus[] {
    const at = this.#state.tick(now);
    return answers.map((answer) => {
      const record = this.#state.records.get(answer.position);
      const status = this.#statusOf(answer, record);
      if (status !== 'ACCEPTED') return status;
      if (record === undefined) this.#rejectUnseen(answer.position, rejection, at);
      else this.#rejectOpen(record, rejection, at);
      return status;
    });
  }

  /**
   * Gives events in flight time until `now + ms` at least, also beyond ten times the ack time-out. Statuses as of `ack`;
   * nothing is acknowledged. An event that is not in flight answers as an ack would and gets no time.
   */
  extend(answers: readonly Answer[], ms: Millis, now: Millis): AckStatus[] {
    const at = this.#state.tick(now);
    return answers.map((answer) => {
      const record = this.#state.records.get(answer.position);
      const status = this.#statusOf(answer, record);
      if (status === 'ACCEPTED' && record?.state === RecordState.IN_FLIGHT) {
        restartClocks(record, at);
        record.extendedUntilMs = Math.max(record.extendedUntilMs, at + ms);
      }
      return status;
    });
  }

  #ackOne(answer: Answer, now: number): AckStatus {
    const state = this.#state;
    const { position, lease } = answer;
    const record = state.records.get(position);
    const status = this.#statusOf(answer, record);
    if (status === 'ACCEPTED') {
      if (record === undefined) {
        state.finishUnseen(position);
      } else {
        restartClocks(record, now);
        state.finish(record, now);
      }
    } else if (status === 'ALREADY' && lease !== 0 && this.#failing.isLeaseOfParked(position, lease)) {
      // It was set aside while its member still worked on it: the work counts.
      this.#failing.discard(position);
      return 'ACCEPTED';
    }
    return status;
  }

  #statusOf(answer: Answer, record: DeliveryRecord | undefined): AckStatus {
    const { position, lease } = answer;
    if (position < 1) return 'UNKNOWN';
    const { leases, progress, limits } = this.#state;
    const status = leases.status(answer, record, record === undefined && progress.isDone(position));
    if (status === 'ALREADY' && lease === 0 && this.#liesBefore(position)) return 'UNKNOWN';
    // Only leases of a former owner name events that are not known here; each may add a range.
    if (status === 'ACCEPTED' && record === undefined && progress.acked.size >= 2 * limits.maxAckedRanges)
      return 'UNKNOWN';
    return status;
  }

  /** Whether the generation began after the event, which was passed over then, neither delivered nor acknowledged. */
  #liesBefore(position: Position): boolean {
    const { generationOffset, failures } = this.#state;
    return position <= generationOffset && failures.get(position) === undefined;
  }

  #rejectOpen(record: DeliveryRecord, rejection: Rejection, now: number): void {
    const state = this.#state;
    restartClocks(record, now);
    switch (rejection.action) {
      case 'SKIP':
        state.finish(record, now);
        break;
      case 'PARK':
        this.#failing.park(record, rejection.reason, now);
        break;
      case 'RETRY':
        if (record.state === RecordState.IN_FLIGHT) state.takeBack(record);
        this.#failing.failAttempt(record, rejection.reason, notBefore(rejection.delayMs, now), now);
        break;
      default:
        assertNever(rejection);
    }
  }

  #rejectUnseen(position: Position, rejection: Rejection, now: number): void {
    const failing = this.#failing;
    if (rejection.action === 'SKIP') this.#state.finishUnseen(position);
    else if (rejection.action === 'PARK') failing.failUnseen(position, rejection.reason, undefined);
    else failing.failUnseen(position, rejection.reason, notBefore(rejection.delayMs, now));
  }

  #membersOf(name: string | undefined): Iterable<DeliveryMember> {
    const { pool } = this.#state;
    // A copy: whoever answers the last of its events leaves the set.
    if (name === undefined) return [...pool.busy];
    const member = pool.get(name);
    return member === undefined ? [] : [member];
  }
}

function restartClocks(record: DeliveryRecord, now: number): void {
  if (record.member !== undefined) record.member.answeredMs = now;
}

function notBefore(delayMs: Millis, now: number): number {
  return delayMs <= 0 ? 0 : now + delayMs;
}
