// The transitions of the table in delivery-window.ts but the failing ones, and the bookkeeping that each of them owes to its
// stream, its member, the clocks and the offset.

import type { Millis, Position } from '../../units.js';
import { Ordering } from './consumer.js';
import { AckClocks } from './delivery-clocks.js';
import { DeliveryLeases } from './delivery-leases.js';
import { DeliveryProgress } from './delivery-progress.js';
import type {
  Delivery,
  FailureRecord,
  OfferedEvent,
  WindowLimits,
  WindowSettings,
  WindowState,
} from './delivery-types.js';
import { FailureRecords } from './failure-records.js';
import { MemberPool } from './member-pool.js';
import { type DeliveryMember, DeliveryRecord, RecordState, StreamQueue } from './open-events.js';
import { decodeRanges } from './position-ranges.js';
import { RedeliveryQueue } from './redelivery-queue.js';

/** What the parts of a window share. The parts stay for the window's life; what they share is new after each `begin`. */
export class DeliveryState {
  settings: WindowSettings;
  generation: number;
  /** See WindowState.generationOffset. */
  generationOffset: Position;
  /** Rises with each `begin`: what was read before has to be dropped. */
  era = 1;
  readonly limits: WindowLimits;
  readonly leases: DeliveryLeases;
  readonly failures: FailureRecords;
  progress: DeliveryProgress;
  pool = new MemberPool();
  clocks: AckClocks;
  redelivery = new RedeliveryQueue();
  /** Open events that are known as such, replays included. */
  records = new Map<Position, DeliveryRecord>();
  streams = new Map<string, StreamQueue>();
  /** Streams with passed over events and nothing in flight nor waiting. */
  freeHeld = new Set<StreamQueue>();
  /** The members with streams of which events were passed over, and perhaps others; made for the first one. */
  heldBy: Set<DeliveryMember> | undefined;
  inFlight = 0;
  waiting = 0;
  heldStreams = 0;
  /** Replays with a record, and those of them that are in flight. */
  openReplays = 0;
  replaysInFlight = 0;
  /** Whether nothing is to be delivered; it outlasts each `begin`. */
  isPaused: boolean;
  #now: Millis = 0;

  constructor(settings: WindowSettings, stored: WindowState, limits: WindowLimits) {
    this.settings = settings;
    this.generation = stored.generation;
    this.generationOffset = stored.generationOffset;
    this.limits = limits;
    this.leases = new DeliveryLeases(stored);
    this.failures = new FailureRecords(stored.failures);
    this.progress = new DeliveryProgress(stored.offset, decodeRanges(stored.acked), 0);
    this.clocks = new AckClocks(settings.ackTimeoutMs);
    this.isPaused = stored.paused ?? false;
  }

  /** Forgets what is open and begins after this offset; the members stay with their credit. */
  begin(settings: WindowSettings, offset: Position, acked: Iterable<readonly [Position, Position]>): void {
    const former = this.pool;
    this.settings = settings;
    this.era++;
    this.progress = new DeliveryProgress(offset, acked, this.progress.version + 1);
    this.pool = new MemberPool();
    this.clocks = new AckClocks(settings.ackTimeoutMs);
    this.redelivery = new RedeliveryQueue();
    this.records = new Map();
    this.streams = new Map();
    this.freeHeld = new Set();
    this.heldBy = undefined;
    this.inFlight = 0;
    this.waiting = 0;
    this.heldStreams = 0;
    this.openReplays = 0;
    this.replaysInFlight = 0;
    for (const member of former.all()) this.pool.add(member.anew());
  }

  /** The newest time that the window was told. */
  get now(): Millis {
    return this.#now;
  }

  /** Takes note of a time and returns the newest: it never goes back here, the order of the clocks rests on that. */
  tick(now: Millis): Millis {
    if (now > this.#now) this.#now = now;
    return this.#now;
  }

  // --- opening

  /** Whether there may be a delivery: it is not paused, and has a lease left. */
  get mayDeliver(): boolean {
    return !this.isPaused && this.leases.left > 0;
  }

  /** Whether there may be one record more. */
  get hasRoom(): boolean {
    return this.mayDeliver && this.records.size < this.limits.maxOutstanding;
  }

  /** Replays that have no record yet. */
  get queuedReplays(): number {
    return this.failures.replaying - this.openReplays;
  }

  /** How many replays more may be in flight: half of the credit at most is theirs, so that others go on. */
  get replayRoom(): number {
    return Math.max(1, Math.floor(this.pool.credit.maxInFlight / 2)) - this.replaysInFlight;
  }

  /** Lets a replay wait to be delivered. */
  openReplay(record: DeliveryRecord): void {
    this.records.set(record.position, record);
    this.waiting++;
    this.openReplays++;
    this.redelivery.schedule(record, this.#now);
  }

  /** Returns the stream of an event, if it has order and anything of it is open. */
  streamOf(event: OfferedEvent): StreamQueue | undefined {
    return this.#isOrdered(event) ? this.streams.get(event.stream as string) : undefined;
  }

  /**
   * Makes a record for an event that was not open; it is the newest of its stream, of which `known` is what `streamOf`
   * says.
   */
  open(
    event: OfferedEvent,
    coversFrom: Position,
    known: StreamQueue | undefined,
    failure: FailureRecord | undefined,
  ): DeliveryRecord {
    const stream = known ?? (this.#isOrdered(event) ? this.#addStream(event.stream as string) : undefined);
    const record = new DeliveryRecord(event.position, coversFrom, event.bytes, stream, false);
    record.failure = failure;
    this.records.set(event.position, record);
    if (record.streamLink !== undefined) stream?.records.append(record.streamLink);
    return record;
  }

  /** Lets a new record wait before its first delivery by this owner. */
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

  /** Takes note that every passed over event of the stream was offered. */
  unhold(stream: StreamQueue): void {
    stream.heldFrom = 0;
    this.heldStreams--;
  }

  // --- in flight

  /** Leases an open event to a member that can take it. `isNew`: it never waited. */
  deliver(record: DeliveryRecord, member: DeliveryMember, now: number, isNew: boolean): Delivery {
    record.leasedTo(member, this.leases.mint());
    this.inFlight++;
    if (record.replay) this.replaysInFlight++;
    if (!isNew) this.waiting--;
    if (record.reservedOn !== undefined) this.pool.release(record);
    member.take(record);
    if (member.inFlight === 1) this.pool.noteBusy(member);
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
      leaseCheck: this.leases.check(record.position, record.lease),
      attempt: record.attempts + 1,
      member: member.name,
      deadlineMs: record.clockRuns ? this.clocks.deadline(record, member) : undefined,
      replay: record.replay,
    };
  }

  /**
   * Takes an event in flight back from its member, and with it the later ones of its stream, which have to come after it
   * again. Nothing is settled yet: the caller may still change the event. The time that the member asked for is over, unless
   * they keep it.
   */
  takeBack(record: DeliveryRecord, { keepsTime } = { keepsTime: false }): void {
    const stream = record.stream;
    if (stream === undefined) {
      this.#comeBack(record, keepsTime);
      return;
    }
    let later: DeliveryRecord | undefined = record;
    while (later?.state === RecordState.IN_FLIGHT) {
      this.#comeBack(later, keepsTime);
      stream.inFlight--;
      later = later.streamLink?.next?.value;
    }
    stream.firstWaiting = record;
    if (stream.inFlight === 0) stream.holder = undefined;
  }

  // --- done

  /** Ends an event that is done: acknowledged, skipped or gone. */
  finish(record: DeliveryRecord, now: number): void {
    if (record.failure !== undefined) this.failures.over(record.position);
    this.close(record, now);
  }

  /** Takes a record out of everything that it is linked into; what is remembered of its failures is the caller's. */
  close(record: DeliveryRecord, now: number): void {
    const stream = record.stream;
    if (record.state === RecordState.IN_FLIGHT) {
      this.#leaveMember(record);
      if (stream !== undefined) stream.inFlight--;
    }
    this.waiting--;
    if (record.replay) this.openReplays--;
    record.state = RecordState.DONE;
    this.records.delete(record.position);
    if (stream !== undefined) this.#leaveStream(record, stream, now);
    if (!record.replay) this.progress.finished(record);
  }

  /** Ends an event without a record: acknowledged or skipped with a lease of a former owner. */
  finishUnseen(position: Position): void {
    this.failures.over(position);
    this.progress.finishedUnseen(position);
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
    if (!isNext || stream.holder === undefined) return;
    this.heldBy ??= new Set();
    this.heldBy.add(stream.holder);
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

  #comeBack(record: DeliveryRecord, keepsTime: boolean): void {
    this.#leaveMember(record);
    if (record.extendedUntilMs !== 0 && !keepsTime) record.failure = this.failures.endExtension(record.position);
  }

  /** Has the member give the event back; its stream's numbers are the caller's. */
  #leaveMember(record: DeliveryRecord): void {
    const member = record.member as DeliveryMember;
    record.state = RecordState.WAITING;
    this.inFlight--;
    this.waiting++;
    if (record.replay) this.replaysInFlight--;
    this.clocks.stop(record);
    member.giveBack(record);
    if (member.inFlight === 0) this.pool.noteBusy(member);
    this.pool.changed(member);
  }

  #leaveStream(record: DeliveryRecord, stream: StreamQueue, now: number): void {
    const link = record.streamLink as NonNullable<typeof record.streamLink>;
    if (stream.firstWaiting === record) stream.firstWaiting = link.next?.value;
    stream.records.remove(link);
    if (stream.inFlight === 0) stream.holder = undefined;
    this.settleStream(stream, now);
  }
}
