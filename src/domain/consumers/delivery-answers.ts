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

  /**
   * Rejects; statuses as of `ack`, and for accepted ones the action was taken. A RETRY of a delivery that failed before is ALREADY
   * once the event was delivered anew. For PARK look at `mayPark` before.
   */
  reject(answers: readonly Answer[], rejection: Rejection, now: Millis): AckStatus[] {
    const at = this.#state.tick(now);
    return answers.map((answer) => {
      const record = this.#failing.recordAt(answer.position);
      const status = this.#statusOf(answer, record);
      if (status !== 'ACCEPTED') return status;
      if (record === undefined) this.#rejectUnseen(answer, rejection, at);
      else if (rejection.action === 'RETRY' && failedBefore(answer, record)) return 'ALREADY';
      else this.#rejectOpen(record, answer, rejection, at);
      return status;
    });
  }

  /** Whether there is room to park what these answers name. */
  mayPark(answers: readonly Answer[]): boolean {
    const { failures, limits } = this.#state;
    const room = limits.maxParked - failures.parked;
    if (answers.length <= room) return true;
    const named = answers.filter(
      (answer) => this.#statusOf(answer, this.#failing.recordAt(answer.position)) === 'ACCEPTED',
    );
    return new Set(named.map(({ position }) => position)).size <= room;
  }

  /**
   * Gives events in flight time until `now + ms` at least, as far as the ten-fold bound allows. Statuses as of `ack`;
   * nothing is acknowledged. An event that is not in flight answers as an ack would and gets no time.
   */
  extend(answers: readonly Answer[], ms: Millis, now: Millis): AckStatus[] {
    const at = this.#state.tick(now);
    return answers.map((answer) => {
      const record = this.#failing.recordAt(answer.position);
      const status = this.#statusOf(answer, record);
      if (status === 'ACCEPTED' && record?.state === RecordState.IN_FLIGHT) this.#extendOne(record, ms, at);
      return status;
    });
  }

  /** Extends all that is in flight; with `name` only what the member of that name holds. Returns how many those are. */
  extendAll(name: string | undefined, ms: Millis, now: Millis): number {
    const at = this.#state.tick(now);
    let extended = 0;
    for (const member of this.#membersOf(name)) {
      const records = member.records();
      for (const record of records) this.#extendOne(record, ms, at);
      extended += records.length;
    }
    return extended;
  }

  #ackOne(answer: Answer, now: number): AckStatus {
    const state = this.#state;
    const { position, lease } = answer;
    const record = this.#failing.recordAt(position);
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

  #rejectOpen(record: DeliveryRecord, answer: Answer, rejection: Rejection, now: number): void {
    const state = this.#state;
    restartClocks(record, now);
    switch (rejection.action) {
      case 'SKIP':
        state.finish(record, now);
        break;
      case 'PARK':
        this.#failing.park(record, rejection.cause, now);
        break;
      case 'RETRY':
        if (record.state === RecordState.IN_FLIGHT) state.takeBack(record);
        this.#failing.failAttempt(record, { ...rejection, lease: record.lease || answer.lease }, now);
        break;
      default:
        assertNever(rejection);
    }
  }

  #rejectUnseen({ position, lease }: Answer, rejection: Rejection, now: number): void {
    if (rejection.action === 'SKIP') this.#state.finishUnseen(position);
    else this.#failing.failUnseen({ position, lease }, rejection, now);
  }

  /** Extends an event in flight, and has it stored: a later owner is not to deliver it before. */
  #extendOne(record: DeliveryRecord, ms: Millis, now: number): void {
    restartClocks(record, now);
    this.#failing.extended(record, this.#state.clocks.extend(record, now + ms, now));
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

/** Whether the answer is to a delivery that has failed, and that another one to the same member followed. */
function failedBefore({ lease }: Answer, record: DeliveryRecord): boolean {
  if (lease === 0 || lease === record.lease || record.state !== RecordState.IN_FLIGHT) return false;
  return lease <= (record.failure?.failedLease ?? 0);
}
