// The state machine of one consumer: what may be delivered to whom, what an answer means, and how
// far the offset is. Pure: it reads no events, no clock and no storage; the session that owns it does.

import type { Position } from '../../units.js';
import { bug } from '../errors.js';
import { DeliveryAnswers } from './delivery-answers.js';
import { DeliveryLeases } from './delivery-leases.js';
import { DeliveryScan } from './delivery-scan.js';
import { DeliveryState } from './delivery-state.js';
import { DeliveryTroubles } from './delivery-troubles.js';
import type {
  AckStatus,
  Answer,
  Delivery,
  Expiry,
  MemberCredit,
  MemberUse,
  OfferedEvent,
  OfferResult,
  Rejection,
  StreamReread,
  WindowActivity,
  WindowChanges,
  WindowLimits,
  WindowSettings,
  WindowState,
  WindowStats,
} from './delivery-types.js';
import { type DeliveryRecord, RecordState } from './open-events.js';
import { decodeRanges, encodeRanges } from './position-ranges.js';

export interface DeliveryWindowOptions {
  readonly settings: WindowSettings;
  readonly state: WindowState;
  readonly limits?: Partial<WindowLimits>;
}

const DEFAULT_LIMITS: WindowLimits = { maxAckedRanges: 10_000, maxAckedAhead: 100_000, maxOutstanding: 1_000_000 };
/** Units of a lost member that count a loss: each costs a row to store. */
const MAX_LOSSES_COUNTED = 1_000;

/**
 * States of a matching event. "Unit" is a stream under BY_STREAM; an event without stream, and every event under NONE, is
 * a unit of its own.
 *
 * | state     | entered when                                              | left when                                         |
 * |-----------|-----------------------------------------------------------|---------------------------------------------------|
 * | unseen    | it is stored (position > `scanned`)                       | offered by the scan: held, in flight or done      |
 * | held      | offered while its stream waits, or its stream's member    | re-read and delivered: in flight; re-read with a  |
 * |           | has no credit; only the first of a stream is remembered   | stored trouble that is not due: waiting           |
 * | in flight | a delivery mints a lease                                  | answered: done, waiting (RETRY) or parked; its    |
 * |           |                                                           | clock runs out, an earlier event of its stream    |
 * |           |                                                           | returns, its member goes: waiting, or parked      |
 * | waiting   | it returned; until `notBeforeMs` it is not delivered      | delivered: in flight; answered late: done, parked |
 * | done      | acknowledged, skipped, or no longer stored (`gone`)       | never in this generation                          |
 * | parked    | rejected with PARK, or attempts or losses used up         | `replay`: queued; `discard` or a late ack: done   |
 * | queued    | replayed by an operator; parked for the offset            | in flight as a replay; back to parked when its    |
 * |           |                                                           | attempts are used up again; answered: done        |
 *
 * A seek sends every event after its target back to unseen.
 *
 * Invariants:
 * - The offset passes a matching event only when it is done or parked, never passes `scanned`, and falls only by a seek.
 * - The open events of a stream are, in position order: in flight ones (all with one member), then waiting ones, then held
 *   ones. So nothing of a stream is delivered past an open event that was not delivered before it in this run.
 * - A member's use never passes its credit, but for one event alone that is larger than the byte limit.
 * - An attempt is raised only for the event whose own clock ran out or that was itself rejected with RETRY.
 * - A lease is minted once.
 *
 * How to drive it; one call at a time, and after each change (an answer, a timer, a member) again from the top:
 * 1. `expire(now)`; while `hasUnsavedTroubles`, store `changes()` before the next step.
 * 2. `nextRedeliveries` → read those positions → `gone` for the missing ones → `redeliver` the others in position order.
 * 3. `streamsToReread` → read each stream → `offerHeld` in position order → `rereadTo`.
 * 4. read after `scanned` → `offer` in position order → `scannedTo`.
 * 5. send what was delivered; sleep until something arrives or `nextWakeAt`.
 * Steps 2 and 3 come before 4, so that new events do not take the credit that older ones wait for. After each `await` of a
 * read compare `era` with that before it, and drop what was read if it differs.
 *
 * Times are milliseconds since 1970 UTC; a `now` that lies before an earlier one counts as that earlier one.
 */
export class DeliveryWindow {
  readonly #limits: WindowLimits;
  readonly #leases: DeliveryLeases;
  readonly #troubles: DeliveryTroubles;
  #state: DeliveryState;
  #scan: DeliveryScan;
  #answers: DeliveryAnswers;
  #generation: number;
  #era = 1;
  #savedVersion = 0;
  #now = 0;

  constructor({ settings, state, limits }: DeliveryWindowOptions) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#leases = new DeliveryLeases(state);
    this.#troubles = new DeliveryTroubles(state.troubles);
    this.#generation = state.generation;
    this.#state = this.#stateAt(settings, state.offset, decodeRanges(state.acked), 0);
    this.#scan = new DeliveryScan(this.#state, this.#limits, this.#era);
    this.#answers = new DeliveryAnswers(this.#state, this.#limits);
  }

  // --- where it stands

  get generation(): number {
    return this.#generation;
  }

  /** Rises when all that was read before has to be dropped, as the scan begins anew: a seek, another ordering. */
  get era(): number {
    return this.#era;
  }

  /** Everything that matches at or below is done or parked. */
  get offset(): Position {
    return this.#state.progress.offset;
  }

  /** The scan has looked at everything up to here: read on after it. */
  get scanned(): Position {
    return this.#state.progress.scanned;
  }

  /** The next lease to be minted. */
  get nextLease(): number {
    return this.#leases.next;
  }

  get memberCount(): number {
    return this.#state.pool.size;
  }

  // --- members

  /** Adds a member with its credit. The name must not be in use: `removeMember` first. */
  addMember(name: string, credit: MemberCredit): void {
    if (this.#state.pool.get(name) !== undefined) throw bug(`member ${name} is there already`);
    this.#state.addMember(name, credit);
  }

  /** Changes a member's credit; what is in flight stays. */
  setCredit(name: string, credit: MemberCredit): void {
    const member = this.#state.pool.get(name);
    if (member === undefined) throw bug(`no member ${name}`);
    member.maxInFlight = credit.maxInFlight;
    member.maxInFlightBytes = credit.maxInFlightBytes;
    this.#state.pool.changed(member);
  }

  /**
   * Takes a member away. Its events wait to be delivered again at once, without an attempt. `lost` (its stream broke; not
   * a replacement, not an orderly end): the oldest event of each unit that it held counts a loss, for the 1,000 oldest
   * units. Returns how many events came back; 0 for a name that is not there.
   */
  removeMember(name: string, how: { readonly lost: boolean }, now: number): number {
    const at = this.#tick(now);
    const state = this.#state;
    const member = state.pool.get(name);
    if (member === undefined) return 0;
    const records = member.records();
    const oldest: DeliveryRecord[] = [];
    for (const record of records) {
      // By position, so that the first of a stream takes the others back with it.
      if (record.state !== RecordState.IN_FLIGHT) continue;
      state.takeBack(record);
      oldest.push(record);
    }
    state.pool.remove(member);
    oldest.forEach((record, index) => {
      if (how.lost && index < MAX_LOSSES_COUNTED) state.countLoss(record, at);
      else state.settle(record, at);
    });
    return records.length;
  }

  /** A member's credit and use; undefined if there is none of the name. */
  member(name: string): MemberUse | undefined {
    return this.#state.pool.get(name)?.use;
  }

  /** All members in the order they came. */
  members(): MemberUse[] {
    return [...this.#state.pool.all()].map((member) => member.use);
  }

  /** Events that all members together may have in flight. */
  get maxInFlight(): number {
    return this.#state.pool.maxInFlight;
  }

  /** Whether any member could take an event of no bytes: false saves the reading. */
  hasCredit(): boolean {
    return this.#state.pool.hasCredit;
  }

  // --- scan

  /**
   * Offers the next matching event after `scanned`, in position order. On `delivered`, `held` and `done` the scan has
   * passed it; on `no-credit` and `blocked` nothing changed. Throws if the position is at or below `scanned`.
   */
  offer(event: OfferedEvent, now: number): OfferResult {
    return this.#scan.offer(event, this.#tick(now));
  }

  /** Everything up to this position was read and offered, so that the offset may pass what does not match. */
  scannedTo(position: Position): void {
    this.#scan.scannedTo(position);
  }

  // --- delivering again

  /**
   * Positions that wait and could be delivered now, in position order, at most `limit`. Not empty: `redeliver` of the
   * first one delivers it, if nothing else happened in between.
   */
  nextRedeliveries(now: number, limit: number): Position[] {
    const at = this.#tick(now);
    if (this.#state.waiting === 0 || this.#leases.left <= 0) return [];
    return this.#state.redelivery.next(this.#state.pool, at, limit);
  }

  /**
   * Offers an event of `nextRedeliveries`; the result is never `blocked`. Of one stream only in position order.
   */
  redeliver(event: OfferedEvent, now: number): OfferResult {
    return this.#scan.redeliver(event, this.#tick(now));
  }

  /**
   * The event at this position is no longer stored: done, unless it is in flight (then it is when it returns) or nothing
   * is known of it. A replay that is gone leaves the parked list.
   */
  gone(position: Position): void {
    this.#scan.gone(position, this.#now);
  }

  /** Streams with passed over events that a member could take now, oldest first, at most `limit`. */
  streamsToReread(limit: number): StreamReread[] {
    return this.#scan.streamsToReread(limit);
  }

  /**
   * Offers an event of a stream from `streamsToReread`, in position order from its `from` and without leaving any out.
   * Positions after `scanned`, and events that are done or in flight, are `done`: go on. `held` and `no-credit`: stop with
   * this stream; it will be named again, from this event on. After a seek every event is `done`.
   */
  offerHeld(reread: StreamReread, event: OfferedEvent, now: number): OfferResult {
    return this.#scan.offerHeld(reread, event, this.#tick(now));
  }

  /**
   * Everything of the stream from `reread.from` up to this position was offered by `offerHeld` with `delivered` or `done`.
   * Call it also when the read found nothing, else the stream is named again. After `held` or `no-credit` it does nothing.
   */
  rereadTo(reread: StreamReread, position: Position): void {
    this.#scan.rereadTo(reread, position, this.#now);
  }

  /** A parked event is wanted again: queued outside its stream's order. False if it is not parked. */
  replay(position: Position): boolean {
    const trouble = this.#troubles.get(position);
    if (trouble?.state !== 'PARKED') return false;
    this.#state.replay(trouble);
    return true;
  }

  /** Takes an event from the parked list for good. False if it is not parked. */
  discard(position: Position): boolean {
    if (this.#troubles.get(position)?.state !== 'PARKED') return false;
    this.#state.forgetParked(position);
    return true;
  }

  // --- answers

  /**
   * Acknowledges; one status per answer, in their order. Positions above the head of the log are the caller's to refuse:
   * the window does not know the head. Every accepted answer restarts the clocks of its member.
   */
  ack(answers: readonly Answer[], now: number): AckStatus[] {
    return this.#answers.ack(answers, this.#tick(now));
  }

  /**
   * Acknowledges what was delivered in this generation, is in flight and lies at or below the position; with `member` only
   * what that member holds. Returns the positions, in no order.
   */
  ackUpTo(position: Position, member: string | undefined, now: number): Position[] {
    return this.#answers.ackUpTo(position, member, this.#tick(now));
  }

  /** Rejects; statuses as of `ack`, and for accepted ones the action was taken. */
  reject(answers: readonly Answer[], rejection: Rejection, now: number): AckStatus[] {
    return this.#answers.reject(answers, rejection, this.#tick(now));
  }

  /**
   * Gives events in flight time until `now + ms` at least, also beyond ten times the ack time-out. Statuses as of `ack`;
   * nothing is acknowledged. An event that is not in flight answers as an ack would and gets no time.
   */
  extend(answers: readonly Answer[], ms: number, now: number): AckStatus[] {
    return this.#answers.extend(answers, ms, this.#tick(now));
  }

  /** The delivery that is in flight at this position, as it stands now; undefined if there is none. */
  inFlightAt(position: Position): Delivery | undefined {
    const record = this.#state.records.get(position);
    if (record?.state !== RecordState.IN_FLIGHT || record.member === undefined) return undefined;
    return this.#state.delivery(record, record.member);
  }

  // --- time

  /** Returns events whose clock ran out by now to the waiting ones, with a raised attempt, or parks them. */
  expire(now: number): Expiry[] {
    const at = this.#tick(now);
    const state = this.#state;
    state.redelivery.promote(at);
    return state.clocks.takeDue(state.pool.all(), at).map((record) => {
      const attempt = record.attempts + 1;
      state.takeBack(record);
      const parked = state.failAttempt(record, 'ACK_TIMEOUT', 0, at);
      return { position: record.position, member: record.member?.name ?? '', attempt, parked };
    });
  }

  /** When `expire` or `nextRedeliveries` will have something to do; may be early, never late; undefined: never. */
  nextWakeAt(): number | undefined {
    const clock = this.#state.clocks.nextDue(this.#state.pool.all());
    const delay = this.#state.redelivery.nextDue();
    if (clock === undefined || delay === undefined) return clock ?? delay;
    return Math.min(clock, delay);
  }

  // --- the consumer's own changes

  /**
   * A new generation that begins after this position: a seek, a reset or a changed filter. Everything in flight, waiting
   * and done is forgotten, older leases are stale, members stay. Parked events after the position leave the parked list;
   * queued replays at or before it stay queued.
   */
  seek(position: Position, generation: number): void {
    this.#generation = generation;
    this.#leases.beginGeneration();
    for (const trouble of this.#troubles.all()) {
      if (trouble.state === 'RETRY' || trouble.position > position) this.#troubles.over(trouble.position);
    }
    this.#begin(this.#state.settings, position, []);
  }

  /**
   * Other settings from now on. Another `ordering` begins the scan anew from the offset, in the same generation: what was
   * in flight is delivered again unless it is acknowledged before, and attempts and what is done are kept.
   */
  configure(settings: WindowSettings): void {
    if (settings.ordering !== this.#state.settings.ordering) {
      this.#leases.forget();
      this.#troubles.unclaim();
      this.#begin(settings, this.offset, [...this.#state.progress.acked]);
    } else {
      this.#state.settings = settings;
      this.#state.clocks.ackTimeoutMs = settings.ackTimeoutMs;
    }
  }

  /** Leases below this are reserved for this owner in storage. */
  reserveLeases(limit: number): void {
    this.#leases.reserve(limit);
  }

  /** Leases that can be minted before `reserveLeases` is needed; Infinity without a bound. */
  get leasesLeft(): number {
    return this.#leases.left;
  }

  // --- storage

  /** Whether `changes` has something that was not confirmed as stored. `nextLease` alone does not count. */
  get dirty(): boolean {
    return this.#state.progress.version !== this.#savedVersion || this.#troubles.hasUnsaved;
  }

  /** Whether a trouble changed that was not confirmed as stored: store `changes` before anything is delivered again. */
  get hasUnsavedTroubles(): boolean {
    return this.#troubles.hasUnsaved;
  }

  /** All that was not confirmed. A cost of the number of ranges: once a flush, not once an event. */
  changes(): WindowChanges {
    const { progress } = this.#state;
    const { changed, over } = this.#troubles.unsaved();
    return {
      version: progress.version,
      generation: this.#generation,
      offset: progress.offset,
      acked: encodeRanges(progress.acked),
      nextLease: this.#leases.next,
      generationFirstLease: this.#leases.generationFirst,
      troubles: changed,
      troublesOver: over,
    };
  }

  /** These changes are stored; what changed since stays to be written. */
  saved(changes: WindowChanges): void {
    this.#savedVersion = Math.max(this.#savedVersion, changes.version);
    this.#troubles.saved(changes.troubles, changes.troublesOver);
  }

  // --- what people see

  stats(): WindowStats {
    const state = this.#state;
    return {
      inFlight: state.inFlight,
      waiting: state.waiting,
      heldStreams: state.heldStreams,
      parked: this.#troubles.parked,
      ackedAhead: state.progress.acked.eventCount,
      oldestUnacknowledged: state.progress.oldestRecord()?.position ?? 0,
    };
  }

  /** Why it does or does not deliver; `head` is the newest visible position. */
  activity(head: Position, now: number): { readonly activity: WindowActivity; readonly cause: string } {
    const { pool, inFlight, waiting, heldStreams, freeHeld, progress, redelivery } = this.#state;
    const at = this.#tick(now);
    if (pool.size === 0) return { activity: 'NO_MEMBER', cause: 'nobody is subscribed' };
    const blocker = this.#scan.blockedBy(Math.max(head, progress.acked.last + 1));
    if (blocker !== undefined) {
      return {
        activity: 'BLOCKED_BY_RETRY',
        cause: `too much is acknowledged after position ${blocker}, which is not`,
      };
    }
    if (inFlight === 0 && waiting === 0 && heldStreams === 0 && progress.scanned >= head) {
      return { activity: 'IDLE', cause: 'everything is acknowledged and there is nothing new' };
    }
    if (!pool.hasCredit) {
      const cause = inFlight === 0 ? 'no member asks for events' : `all credit is used by ${inFlight} events in flight`;
      return { activity: 'WAITING_FOR_ACKS', cause };
    }
    const nothingElse = inFlight === 0 && freeHeld.size === 0 && progress.scanned >= head;
    const delayed = nothingElse && redelivery.next(pool, at, 1).length === 0 ? redelivery.firstDelayed() : undefined;
    if (delayed !== undefined) {
      const wait = Math.ceil((delayed.notBeforeMs - at) / 1000);
      return { activity: 'BLOCKED_BY_RETRY', cause: `position ${delayed.position} is tried again in ${wait} s` };
    }
    return { activity: 'DELIVERING', cause: `${inFlight} events are in flight` };
  }

  // --- inside

  /** Time never goes back here: the clocks' order rests on it. */
  #tick(now: number): number {
    if (now > this.#now) this.#now = now;
    return this.#now;
  }

  #stateAt(
    settings: WindowSettings,
    offset: Position,
    acked: Iterable<readonly [Position, Position]>,
    version: number,
  ): DeliveryState {
    return new DeliveryState({ settings, leases: this.#leases, troubles: this.#troubles, offset, acked, version });
  }

  /** Forgets what is open; the members stay with their credit. */
  #begin(settings: WindowSettings, offset: Position, acked: Iterable<readonly [Position, Position]>): void {
    const former = this.#state;
    this.#era++;
    this.#state = this.#stateAt(settings, offset, acked, former.progress.version + 1);
    for (const member of former.pool.all()) this.#state.addMember(member.name, member);
    this.#scan = new DeliveryScan(this.#state, this.#limits, this.#era);
    this.#answers = new DeliveryAnswers(this.#state, this.#limits);
  }
}
