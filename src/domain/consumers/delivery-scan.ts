// Offering events to members: new ones in the order of the log, passed over ones by re-reading their stream, and those that
// wait to be delivered again.

import type { Position } from '../../units.js';
import { bug } from '../errors.js';
import type { DeliveryState } from './delivery-state.js';
import type { OfferedEvent, OfferResult, StreamReread, Trouble, WindowLimits } from './delivery-types.js';
import type { DeliveryMember, StreamQueue } from './open-events.js';
import { RecordState } from './open-events.js';

const NO_CREDIT: OfferResult = { kind: 'no-credit' };
const HELD: OfferResult = { kind: 'held' };
const DONE: OfferResult = { kind: 'done' };

/** Streams that are looked at in vain before the rest has to wait for room too. */
const MAX_MISSES = 16;

/** The methods are those of DeliveryWindow. */
export class DeliveryScan {
  readonly #state: DeliveryState;
  readonly #limits: WindowLimits;
  readonly #era: number;

  constructor(state: DeliveryState, limits: WindowLimits, era: number) {
    this.#state = state;
    this.#limits = limits;
    this.#era = era;
  }

  offer(event: OfferedEvent, now: number): OfferResult {
    const state = this.#state;
    const { progress, pool } = state;
    const { position } = event;
    if (position <= progress.scanned) throw bug(`position ${position} was offered before`);
    if (progress.isDone(position)) return this.#passDone(position);
    if (!pool.hasCredit || !this.#hasRoom()) return NO_CREDIT;
    const blocker = this.blockedBy(position);
    if (blocker !== undefined) return { kind: 'blocked', by: blocker };
    const stream = state.streamOf(event);
    if (stream?.waits) return this.#passHeld(stream, event, now);
    const trouble = this.#retryOf(position);
    if (trouble !== undefined && trouble.notBeforeMs > now) return this.#passWaiting(event, trouble, now);
    const holder = stream?.holder;
    const member = holder === undefined ? pool.choose(event.bytes) : takes(holder, event.bytes);
    if (member !== undefined) return this.#passDelivered(event, stream, trouble, member, now);
    if (stream === undefined || holder === undefined || !pool.hasCreditBesides(holder)) return NO_CREDIT;
    return this.#passHeld(stream, event, now);
  }

  scannedTo(position: Position): void {
    const { progress, troubles, records } = this.#state;
    if (position > progress.scanned) progress.scanned = position;
    progress.advance();
    troubles.dropPassed(progress.offset, (p) => records.has(p));
  }

  /** What keeps the scan from going on at a position because too much is done above the offset; undefined: nothing. */
  blockedBy(position: Position): Position | undefined {
    const { acked } = this.#state.progress;
    if (acked.size < this.#limits.maxAckedRanges && acked.eventCount < this.#limits.maxAckedAhead) return undefined;
    // Up to the end of what is done the scan fills holes and has to go on: the blocker may not have been offered yet.
    return position > acked.last ? this.#state.progress.oldestOpen() : undefined;
  }

  redeliver(event: OfferedEvent, now: number): OfferResult {
    const { records, pool, leases } = this.#state;
    const record = records.get(event.position);
    if (record?.state !== RecordState.WAITING) return DONE;
    const { stream } = record;
    if (record.notBeforeMs > now || (stream !== undefined && stream.firstWaiting !== record)) return HELD;
    if (leases.left <= 0) return NO_CREDIT;
    record.bytes = event.bytes;
    const holder = stream?.holder;
    const member = holder === undefined ? pool.choose(event.bytes, record.failedWith) : takes(holder, event.bytes);
    return member === undefined ? NO_CREDIT : this.#state.deliver(record, member, now, false);
  }

  gone(position: Position, now: number): void {
    const state = this.#state;
    const record = state.records.get(position);
    if (record === undefined) {
      if (state.troubles.get(position)?.state === 'PARKED') state.forgetParked(position);
    } else if (record.state === RecordState.WAITING) {
      state.finish(record, now);
    }
  }

  // --- passed over events

  streamsToReread(limit: number): StreamReread[] {
    const { pool, freeHeld, heldStreams, leases } = this.#state;
    const rereads: StreamReread[] = [];
    if (heldStreams === 0 || leases.left <= 0) return rereads;
    const tooLarge: StreamQueue[] = [];
    for (const member of pool.all()) {
      if (member.free > 0) this.#name(member.held, member, limit, rereads, tooLarge);
    }
    if (pool.hasCredit) this.#name(freeHeld, undefined, limit, rereads, tooLarge);
    // Only if nothing fits: a reservation would take the room from under what was named.
    if (rereads.length === 0) for (const stream of tooLarge) pool.reserve(stream, stream.holder);
    return rereads.sort((a, b) => a.from - b.from);
  }

  offerHeld(reread: StreamReread, event: OfferedEvent, now: number): OfferResult {
    const state = this.#state;
    const stream = this.#streamOf(reread);
    const { position, bytes } = event;
    if (stream === undefined || position < stream.heldFrom || position > state.progress.scanned) return DONE;
    if (state.records.has(position) || state.progress.isDone(position)) return DONE;
    const trouble = this.#retryOf(position);
    const holder = stream.holder;
    let member: DeliveryMember | undefined;
    if (stream.firstWaiting === undefined && this.#hasRoom()) {
      if (trouble !== undefined && trouble.notBeforeMs > now) return this.#rereadWaiting(stream, event, trouble, now);
      member = holder === undefined ? state.pool.choose(bytes) : takes(holder, bytes);
    }
    if (member === undefined) return this.#stopReread(stream, event);
    const record = state.open(event, position, stream, trouble);
    state.progress.openedByReread(record);
    return state.deliver(record, member, now, true);
  }

  rereadTo(reread: StreamReread, position: Position, now: number): void {
    const state = this.#state;
    const stream = this.#streamOf(reread);
    if (stream === undefined || stream.rereadStopped || position < stream.heldFrom) return;
    if (position >= state.progress.scanned) state.unhold(stream);
    else state.holdFrom(stream, position + 1, 0);
    state.settleStream(stream, now);
    state.progress.advance();
  }

  // --- inside

  /** Whether there may be one record more. */
  #hasRoom(): boolean {
    return this.#state.leases.left > 0 && this.#state.records.size < this.#limits.maxOutstanding;
  }

  #retryOf(position: Position): Trouble | undefined {
    return this.#state.troubles.size === 0 ? undefined : this.#state.troubles.get(position);
  }

  #passDone(position: Position): OfferResult {
    const { progress } = this.#state;
    progress.acked.count(position);
    progress.passed(position);
    return DONE;
  }

  #passHeld(stream: StreamQueue, event: OfferedEvent, now: number): OfferResult {
    this.#state.hold(stream, event, now);
    this.#state.progress.passed(event.position);
    return HELD;
  }

  /** Its stored trouble is not due: it waits, and holds up its stream. */
  #passWaiting(event: OfferedEvent, trouble: Trouble, now: number): OfferResult {
    const { progress, records } = this.#state;
    const record = this.#state.open(event, progress.coversFrom, this.#state.streamOf(event), trouble);
    progress.passed(event.position);
    progress.openedByScan(record, records.size);
    this.#state.openWaiting(record, now);
    return HELD;
  }

  #passDelivered(
    event: OfferedEvent,
    stream: StreamQueue | undefined,
    trouble: Trouble | undefined,
    member: DeliveryMember,
    now: number,
  ): OfferResult {
    const { progress, records } = this.#state;
    const record = this.#state.open(event, progress.coversFrom, stream, trouble);
    progress.passed(event.position);
    progress.openedByScan(record, records.size);
    return this.#state.deliver(record, member, now, true);
  }

  #streamOf(reread: StreamReread): StreamQueue | undefined {
    if (reread.era !== this.#era) return undefined;
    const stream = this.#state.streams.get(reread.stream);
    return stream === undefined || stream.heldFrom === 0 ? undefined : stream;
  }

  #rereadWaiting(stream: StreamQueue, event: OfferedEvent, trouble: Trouble, now: number): OfferResult {
    const record = this.#state.open(event, event.position, stream, trouble);
    this.#state.progress.openedByReread(record);
    this.#stopReread(stream, event);
    this.#state.openWaiting(record, now);
    return HELD;
  }

  /** The re-read cannot go on at this event: everything of the stream before it was offered. */
  #stopReread(stream: StreamQueue, event: OfferedEvent): OfferResult {
    this.#state.holdFrom(stream, event.position, event.bytes);
    stream.rereadStopped = true;
    return stream.firstWaiting === undefined ? NO_CREDIT : HELD;
  }

  /** Adds streams of one set as long as there is credit for an event of each. */
  #name(
    streams: Set<StreamQueue>,
    holder: DeliveryMember | undefined,
    limit: number,
    rereads: StreamReread[],
    tooLarge: StreamQueue[],
  ): void {
    const { pool } = this.#state;
    let credit = holder?.free ?? pool.totalFree();
    for (const stream of streams) {
      if (credit <= 0 || rereads.length >= limit || tooLarge.length >= MAX_MISSES) return;
      const { heldBytes } = stream;
      const member = holder === undefined ? pool.choose(heldBytes) : takes(holder, heldBytes);
      if (member !== undefined) {
        rereads.push(this.#reread(stream, member.free));
        credit--;
      } else {
        tooLarge.push(stream);
        if (holder !== undefined) return;
      }
    }
  }

  #reread(stream: StreamQueue, room: number): StreamReread {
    stream.rereadStopped = false;
    return { stream: stream.key, era: this.#era, from: stream.heldFrom, room };
  }
}

function takes(member: DeliveryMember, bytes: number): DeliveryMember | undefined {
  return member.canTake(bytes) ? member : undefined;
}
