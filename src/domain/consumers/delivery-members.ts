// The members of a consumer: who comes with how much credit, what becomes of the events of one that goes, and whether any is given some.

import type { Millis, Position } from '../../units.js';
import { bug } from '../errors.js';
import type { DeliveryState } from './delivery-state.js';
import type { Delivery, Leave, MemberCredit, MemberUse } from './delivery-types.js';
import type { FailingTransitions } from './failing-transitions.js';
import { DeliveryMember, type DeliveryRecord, RecordState } from './open-events.js';

/** Units of a lost member that count a loss: each costs a row to store. */
const MAX_LOSSES_COUNTED = 1_000;

export class DeliveryMembers {
  readonly #state: DeliveryState;
  readonly #failing: FailingTransitions;

  constructor(state: DeliveryState, failing: FailingTransitions) {
    this.#state = state;
    this.#failing = failing;
  }

  get size(): number {
    return this.#state.pool.size;
  }

  /** What all members together may have in flight. */
  get credit(): MemberCredit {
    return this.#state.pool.credit;
  }

  /** Whether any member could be given an event of no bytes: false saves the reading. */
  get hasCredit(): boolean {
    return !this.#state.isPaused && this.#state.pool.hasCredit;
  }

  /** Adds a member with its credit. The name must not be in use: `remove` first. */
  add(name: string, credit: MemberCredit): void {
    const { pool } = this.#state;
    if (pool.get(name) !== undefined) throw bug(`member ${name} is there already`);
    pool.add(new DeliveryMember(name, credit));
  }

  /** Changes a member's credit; what is in flight stays. */
  setCredit(name: string, credit: MemberCredit): void {
    const member = this.#state.pool.get(name);
    if (member === undefined) throw bug(`no member ${name}`);
    this.#state.pool.setCredit(member, credit);
  }

  /**
   * Takes a member away. Its events wait to be delivered again at once, without an attempt. Lost: the oldest event of each unit
   * that it held counts a loss, for the 1,000 oldest units. Returns how many events came back; 0 for a name that is not there.
   */
  remove(name: string, how: Leave, now: Millis): number {
    const state = this.#state;
    const at = state.tick(now);
    const member = state.pool.get(name);
    if (member === undefined) return 0;
    const records = member.records();
    const oldest = this.#takeBack(records, how);
    state.pool.remove(member);
    oldest.forEach((record, index) => {
      if (how.lost && index < MAX_LOSSES_COUNTED) this.#failing.countLoss(record, name, at);
      else state.settle(record, at);
    });
    return records.length;
  }

  /**
   * Has nothing delivered until `resume`. What was leased and not handed out yet waits, without an attempt. What members have stays
   * with them: its clocks go on, and answers to it count.
   */
  pause(unsent: readonly Pick<Delivery, 'position' | 'lease'>[], now: Millis): void {
    const state = this.#state;
    const at = state.tick(now);
    state.isPaused = true;
    // Pending deliveries may have ended.
    const isCurrent = ({ position, lease }: Pick<Delivery, 'position' | 'lease'>) =>
      state.records.get(position)?.lease === lease;
    const records = unsent.filter(isCurrent).flatMap(({ position }) => state.records.get(position) ?? []);
    records.sort((a, b) => a.position - b.position);
    for (const record of this.#takeBack(records, { lost: false })) state.settle(record, at);
  }

  resume(): void {
    this.#state.isPaused = false;
  }

  /** A member's credit and use; undefined if there is none of the name. */
  use(name: string): MemberUse | undefined {
    return this.#state.pool.get(name)?.use;
  }

  /** Credit and use of all members, in the order they came. */
  uses(): MemberUse[] {
    return [...this.#state.pool.all()].map((member) => member.use);
  }

  /** The delivery that is in flight at this position, as it stands now; undefined if there is none. */
  inFlightAt(position: Position): Delivery | undefined {
    const record = this.#state.records.get(position);
    if (record?.state !== RecordState.IN_FLIGHT || record.member === undefined) return undefined;
    return this.#state.delivery(record, record.member);
  }

  /** The greatest lease of what a member has in flight up to a position; undefined: that is nothing. */
  newestLease(name: string, position: Position): number | undefined {
    const leases = this.#state.pool
      .get(name)
      ?.recordsUpTo(position)
      .map(({ lease }) => lease);
    return leases?.reduce((newest: number | undefined, lease) => Math.max(newest ?? lease, lease), undefined);
  }

  /** Takes events in flight, by position, back from their member; returns the oldest of each unit. */
  #takeBack(records: readonly DeliveryRecord[], { sentAway = false }: Leave): DeliveryRecord[] {
    const oldest: DeliveryRecord[] = [];
    for (const record of records) {
      // By position, so that the first of a stream takes the others back with it.
      if (record.state !== RecordState.IN_FLIGHT) continue;
      this.#state.takeBack(record, { keepsTime: sentAway });
      oldest.push(record);
    }
    return oldest;
  }
}
