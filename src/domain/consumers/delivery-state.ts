// The transitions of the table in delivery-window.ts, and the bookkeeping that each of them owes to its stream, its member,
// the clocks and the offset.

import type { Millis, Position } from '../../units.js';
import { Ordering } from './consumer.js';
import { AckClocks } from './delivery-clocks.js';
import type { DeliveryLeases } from './delivery-leases.js';
import { DeliveryProgress } from './delivery-progress.js';
import { RedeliveryQueue } from './delivery-redelivery.js';
import type { DeliveryTroubles } from './delivery-troubles.js';
import type { Delivery, MemberCredit, OfferedEvent, Trouble, WindowSettings } from './delivery-types.js';
import { MemberPool } from './member-pool.js';
import { DeliveryMember, DeliveryRecord, RecordState, StreamQueue } from './open-events.js';

export interface DeliveryStateOptions {
  readonly settings: WindowSettings;
  readonly leases: DeliveryLeases;
  readonly troubles: DeliveryTroubles;
  readonly offset: Position;
  readonly acked: Iterable<readonly [Position, Position]>;
  /** Version of the progress to begin with. */
  readonly version: number;
}

/** Everything that a seek forgets. */
export class DeliveryState {
  settings: WindowSettings;
  readonly leases: DeliveryLeases;
  readonly troubles: DeliveryTroubles;
  readonly progress: DeliveryProgress;
  readonly pool = new MemberPool();
  readonly clocks: AckClocks;
  readonly redelivery = new RedeliveryQueue();
  /** Open events that are known as such, replays included. */
  readonly records = new Map<Position, DeliveryRecord>();
  readonly streams = new Map<string, StreamQueue>();
  /** Streams with passed over events and nothing in flight nor waiting. */
  readonly freeHeld = new Set<StreamQueue>();
  /** Leases of parked events, the first and the last of each, for late answers. */
  readonly #parkedLeases = new Map<Position, readonly [number, number]>();
  inFlight = 0;
  waiting = 0;
  heldStreams = 0;

  constructor(options: DeliveryStateOptions) {
    this.settings = options.settings;
    this.leases = options.leases;
    this.troubles = options.troubles;
    this.progress = new DeliveryProgress(options.offset, options.acked, options.version);
    this.clocks = new AckClocks(options.settings.ackTimeoutMs);
    for (const trouble of options.troubles.all()) {
      if (trouble.state === 'REPLAY') this.#queueReplay(trouble);
    }
  }

  addMember(name: string, credit: MemberCredit): void {
    this.pool.add(new DeliveryMember(name, credit));
  }

  // --- opening

  /** The stream of an event, if it has order and anything of it is open. */
  streamOf(event: OfferedEvent): StreamQueue | undefined {
    return this.#isOrdered(event) ? this.streams.get(event.stream as string) : undefined;
  }

  /** A record for an event that was not open; it is the newest of its stream, of which `known` is what `streamOf` says. */
  open(
    event: OfferedEvent,
    coversFrom: Position,
    known: StreamQueue | undefined,
    trouble: Trouble | undefined,
  ): DeliveryRecord {
    const stream = known ?? (this.#isOrdered(event) ? this.#addStream(event.stream as string) : undefined);
    const record = new DeliveryRecord(event.position, coversFrom, event.bytes, stream, false);
    record.trouble = trouble;
    this.records.set(event.position, record);
    if (record.streamLink !== undefined) stream?.records.append(record.streamLink);
    return record;
  }

  /** A record that has to wait before its first delivery by this owner. */
  openWaiting(record: DeliveryRecord, now: number): void {
    this.waiting++;
    if (record.stream !== undefined) record.stream.firstWaiting ??= record;
    this.settle(record, now);
  }

  /** Remembers that the stream's events from this one on were passed over. */
  hold(stream: StreamQueue, event: OfferedEvent, now: number): void {
    if (stream.heldFrom !== 0) return;
    this.heldStreams++;
    this.holdFrom(stream, event.position, event.bytes);
    this.settleStream(stream, now);
  }

  /** Moves the mark of a stream with passed over events. */
  holdFrom(stream: StreamQueue, position: Position, bytes: number): void {
    stream.heldBytes = bytes;
    if (stream.heldFrom === position) return;
    stream.heldFrom = position;
    this.progress.held(stream);
  }

  /** Every passed over event of the stream was offered. */
  unhold(stream: StreamQueue): void {
    stream.heldFrom = 0;
    this.heldStreams--;
  }

  // --- in flight

  /** Leases an open event to a member that can take it. `isNew`: it never waited. */
  deliver(record: DeliveryRecord, member: DeliveryMember, now: number, isNew: boolean): Delivery {
    record.leasedTo(member, this.leases.mint());
    this.inFlight++;
    if (!isNew) this.waiting--;
    if (record.reservedOn !== undefined) this.pool.release(record);
    member.take(record);
    this.pool.changed(member);
    const stream = record.stream;
    if (stream === undefined) this.clocks.start(record, member, now);
    else this.#deliverOfStream(record, stream, member, now, isNew);
    return this.delivery(record, member);
  }

  delivery(record: DeliveryRecord, member: DeliveryMember): Delivery {
    return {
      kind: 'delivered',
      position: record.position,
      lease: record.lease,
      attempt: record.attempts + 1,
      member: member.name,
      deadlineMs: record.clockRuns ? this.clocks.deadline(record, member) : undefined,
      replay: record.replay,
    };
  }

  /**
   * Takes an event in flight back from its member, and with it the later ones of its stream, which have to come after it
   * again. Nothing is settled yet: the caller may still change the event.
   */
  takeBack(record: DeliveryRecord): void {
    const stream = record.stream;
    if (stream === undefined) {
      this.#leaveMember(record);
      return;
    }
    let later: DeliveryRecord | undefined = record;
    while (later?.state === RecordState.IN_FLIGHT) {
      this.#leaveMember(later);
      stream.inFlight--;
      later = later.streamLink?.next?.value;
    }
    stream.firstWaiting = record;
    if (stream.inFlight === 0) stream.holder = undefined;
  }

  // --- failing

  /** A delivery of a waiting event failed: one attempt more, and delivered again no earlier than `notBeforeMs`. */
  failAttempt(record: DeliveryRecord, reason: string, notBeforeMs: Millis, now: number): boolean {
    const attempts = record.attempts + 1;
    const usedUp = this.settings.parking && attempts >= this.settings.maxAttempts;
    return this.#fail(record, { ...this.#trouble(record), attempts, reason, notBeforeMs }, usedUp, now);
  }

  /** A waiting event was with a member that was lost. */
  countLoss(record: DeliveryRecord, now: number): boolean {
    const trouble = this.#trouble(record);
    const losses = trouble.losses + 1;
    const usedUp = this.settings.parking && losses >= this.settings.maxAttempts;
    return this.#fail(record, { ...trouble, losses, reason: 'MEMBER_LOST' }, usedUp, now);
  }

  park(record: DeliveryRecord, reason: string, now: number): void {
    const trouble = this.#trouble(record);
    this.#park(record, { ...trouble, reason }, now);
  }

  // --- done

  /** The event is done: acknowledged, skipped or gone. */
  finish(record: DeliveryRecord, now: number): void {
    if (record.trouble !== undefined) this.troubles.over(record.position);
    this.#close(record, now);
  }

  /** An event without a record is done: acknowledged or skipped with a lease of a former owner. */
  finishUnseen(position: Position): void {
    this.troubles.over(position);
    this.progress.finishedUnseen(position);
  }

  /** An event without a record failed with a lease of a former owner; without `notBeforeMs` it is to be parked. */
  failUnseen(position: Position, reason: string, notBeforeMs: Millis | undefined): void {
    const former = this.troubles.get(position) ?? newTrouble(position);
    const attempts = former.attempts + (notBeforeMs === undefined ? 0 : 1);
    const usedUp = this.settings.parking && attempts >= this.settings.maxAttempts;
    if (notBeforeMs === undefined || usedUp) {
      this.troubles.set({ ...former, attempts, reason, notBeforeMs: 0, state: 'PARKED' });
      this.progress.finishedUnseen(position);
    } else {
      this.troubles.set({ ...former, attempts, reason, notBeforeMs });
      this.troubles.addUnclaimed(position);
    }
  }

  /** Whether the event is parked and the lease one of those that it was parked from. */
  isLeaseOfParked(position: Position, lease: number): boolean {
    if (this.troubles.get(position)?.state !== 'PARKED') return false;
    const own = this.#parkedLeases.get(position);
    if (own === undefined) return this.leases.isOfFormerOwner(lease);
    return lease >= own[0] && lease <= own[1];
  }

  forgetParked(position: Position): void {
    this.#parkedLeases.delete(position);
    this.troubles.over(position);
  }

  replay(trouble: Trouble): void {
    const replay: Trouble = { ...trouble, state: 'REPLAY', attempts: 0, losses: 0, notBeforeMs: 0 };
    this.troubles.set(replay);
    const record = this.#queueReplay(replay);
    const leases = this.#parkedLeases.get(trouble.position);
    if (leases !== undefined) [record.firstLease, record.lease] = leases;
    this.#parkedLeases.delete(trouble.position);
  }

  // --- settling

  /** Puts a record's unit where it belongs after a change. */
  settle(record: DeliveryRecord, now: number): void {
    if (record.stream !== undefined) this.settleStream(record.stream, now);
    else if (record.state === RecordState.WAITING) this.redelivery.schedule(record, now);
  }

  settleStream(stream: StreamQueue, now: number): void {
    const oldest = stream.records.first;
    if (oldest?.state === RecordState.IN_FLIGHT && !oldest.clockRuns) {
      this.clocks.start(oldest, oldest.member as DeliveryMember, now);
    }
    if (stream.firstWaiting !== undefined) this.redelivery.schedule(stream.firstWaiting, now);
    this.#settleHeld(stream);
    if (stream.isEmpty) this.streams.delete(stream.key);
  }

  #settleHeld(stream: StreamQueue): void {
    const isNext = stream.heldFrom !== 0 && stream.firstWaiting === undefined;
    const target = isNext ? (stream.holder?.held ?? this.freeHeld) : undefined;
    if (stream.heldIn === target) return;
    stream.heldIn?.delete(stream);
    target?.add(stream);
    stream.heldIn = target;
  }

  // --- inside

  #isOrdered(event: OfferedEvent): boolean {
    return event.stream !== null && this.settings.ordering === Ordering.BY_STREAM;
  }

  #addStream(key: string): StreamQueue {
    const stream = new StreamQueue(key);
    this.streams.set(key, stream);
    return stream;
  }

  #deliverOfStream(
    record: DeliveryRecord,
    stream: StreamQueue,
    member: DeliveryMember,
    now: number,
    isNew: boolean,
  ): void {
    if (stream.reservedOn !== undefined) this.pool.release(stream);
    const tookStream = stream.holder === undefined;
    stream.inFlight++;
    stream.holder = member;
    if (!isNew) stream.firstWaiting = record.streamLink?.next?.value;
    // A new event of a stream in which nothing else happened needs no more than its clock.
    if (!isNew || (tookStream && stream.heldFrom !== 0)) this.settleStream(stream, now);
    else if (stream.records.first === record) this.clocks.start(record, member, now);
  }

  /** The member gives the event back; its stream's numbers are the caller's. */
  #leaveMember(record: DeliveryRecord): void {
    const member = record.member as DeliveryMember;
    record.state = RecordState.WAITING;
    this.inFlight--;
    this.waiting++;
    this.clocks.stop(record);
    member.giveBack(record);
    this.pool.changed(member);
  }

  #trouble(record: DeliveryRecord): Trouble {
    return record.trouble ?? newTrouble(record.position);
  }

  #fail(record: DeliveryRecord, trouble: Trouble, usedUp: boolean, now: number): boolean {
    this.pool.release(record.stream ?? record);
    if (usedUp) {
      this.#park(record, trouble, now);
    } else {
      record.trouble = trouble;
      this.troubles.set(trouble);
      this.settle(record, now);
    }
    return usedUp;
  }

  #park(record: DeliveryRecord, trouble: Trouble, now: number): void {
    if (record.lease !== 0) this.#parkedLeases.set(record.position, [record.firstLease, record.lease]);
    this.troubles.set({ ...trouble, state: 'PARKED', notBeforeMs: 0 });
    this.#close(record, now);
  }

  /** The record leaves everything that it is linked into. */
  #close(record: DeliveryRecord, now: number): void {
    const stream = record.stream;
    if (record.state === RecordState.IN_FLIGHT) {
      this.#leaveMember(record);
      if (stream !== undefined) stream.inFlight--;
    }
    this.waiting--;
    record.state = RecordState.DONE;
    this.records.delete(record.position);
    if (stream !== undefined) this.#leaveStream(record, stream, now);
    if (!record.replay) this.progress.finished(record);
  }

  #leaveStream(record: DeliveryRecord, stream: StreamQueue, now: number): void {
    const link = record.streamLink as NonNullable<typeof record.streamLink>;
    if (stream.firstWaiting === record) stream.firstWaiting = link.next?.value;
    stream.records.remove(link);
    if (stream.inFlight === 0) stream.holder = undefined;
    this.settleStream(stream, now);
  }

  #queueReplay(trouble: Trouble): DeliveryRecord {
    const record = new DeliveryRecord(trouble.position, trouble.position, 0, undefined, true);
    record.trouble = trouble;
    this.records.set(trouble.position, record);
    this.waiting++;
    this.redelivery.schedule(record, 0);
    return record;
  }
}

function newTrouble(position: Position): Trouble {
  return { position, attempts: 0, losses: 0, notBeforeMs: 0, reason: '', state: 'RETRY' };
}
