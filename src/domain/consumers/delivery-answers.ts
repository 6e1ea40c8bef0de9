// What members answer: acknowledgements, rejections, asking for more time.

import type { Millis, Position } from '../../units.js';
import { assertNever } from '../errors.js';
import type { DeliveryState } from './delivery-state.js';
import type { AckStatus, Answer, Rejection, WindowLimits } from './delivery-types.js';
import type { DeliveryMember } from './open-events.js';
import { type DeliveryRecord, RecordState } from './open-events.js';

/** The methods are those of DeliveryWindow. */
export class DeliveryAnswers {
  readonly #state: DeliveryState;
  readonly #maxUnseenRanges: number;

  constructor(state: DeliveryState, limits: WindowLimits) {
    this.#state = state;
    this.#maxUnseenRanges = 2 * limits.maxAckedRanges;
  }

  ack(answers: readonly Answer[], now: number): AckStatus[] {
    const statuses: AckStatus[] = [];
    for (const answer of answers) statuses.push(this.#ackOne(answer, now));
    return statuses;
  }

  ackUpTo(position: Position, name: string | undefined, now: number): Position[] {
    const positions: Position[] = [];
    for (const member of this.#membersOf(name)) {
      const records = member.recordsUpTo(position);
      if (records.length > 0) member.answeredMs = now;
      for (const record of records) {
        positions.push(record.position);
        this.#state.finish(record, now);
      }
    }
    return positions;
  }

  reject(answers: readonly Answer[], rejection: Rejection, now: number): AckStatus[] {
    return answers.map((answer) => {
      const record = this.#state.records.get(answer.position);
      const status = this.#statusOf(answer, record);
      if (status !== 'ACCEPTED') return status;
      if (record === undefined) this.#rejectUnseen(answer.position, rejection, now);
      else this.#rejectOpen(record, rejection, now);
      return status;
    });
  }

  extend(answers: readonly Answer[], ms: number, now: number): AckStatus[] {
    return answers.map((answer) => {
      const record = this.#state.records.get(answer.position);
      const status = this.#statusOf(answer, record);
      if (status === 'ACCEPTED' && record?.state === RecordState.IN_FLIGHT) {
        restartClocks(record, now);
        record.extendedUntilMs = Math.max(record.extendedUntilMs, now + ms);
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
    } else if (status === 'ALREADY' && lease !== 0 && state.isLeaseOfParked(position, lease)) {
      // It was set aside while its member still worked on it: the work counts.
      state.forgetParked(position);
      return 'ACCEPTED';
    }
    return status;
  }

  #statusOf({ position, lease }: Answer, record: DeliveryRecord | undefined): AckStatus {
    if (position < 1) return 'UNKNOWN';
    const { leases, progress } = this.#state;
    const status = leases.status(lease, record, record === undefined && progress.isDone(position));
    // Only leases of a former owner name events that are not known here; each may add a range.
    if (status === 'ACCEPTED' && record === undefined && progress.acked.size >= this.#maxUnseenRanges) return 'UNKNOWN';
    return status;
  }

  #rejectOpen(record: DeliveryRecord, rejection: Rejection, now: number): void {
    const state = this.#state;
    restartClocks(record, now);
    switch (rejection.action) {
      case 'SKIP':
        state.finish(record, now);
        break;
      case 'PARK':
        state.park(record, rejection.reason, now);
        break;
      case 'RETRY':
        if (record.state === RecordState.IN_FLIGHT) state.takeBack(record);
        state.failAttempt(record, rejection.reason, notBefore(rejection.delayMs, now), now);
        break;
      default:
        assertNever(rejection);
    }
  }

  #rejectUnseen(position: Position, rejection: Rejection, now: number): void {
    const state = this.#state;
    if (rejection.action === 'SKIP') state.finishUnseen(position);
    else if (rejection.action === 'PARK') state.failUnseen(position, rejection.reason, undefined);
    else state.failUnseen(position, rejection.reason, notBefore(rejection.delayMs, now));
  }

  #membersOf(name: string | undefined): Iterable<DeliveryMember> {
    const { pool } = this.#state;
    if (name === undefined) return pool.all();
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
