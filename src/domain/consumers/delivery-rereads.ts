// Offers the events that the scan passed over because their stream had to wait, by re-reading that stream.

import type { Millis, Position } from '../../units.js';
import type { DeliveryState } from './delivery-state.js';
import {
  DONE,
  type FailureRecord,
  HELD,
  NO_CREDIT,
  type OfferedEvent,
  type OfferResult,
  type StreamReread,
} from './delivery-types.js';
import type { DeliveryMember, StreamQueue } from './open-events.js';

/** Streams that are looked at in vain before the rest has to wait for room too. */
const MAX_MISSES = 16;

export class DeliveryRereads {
  readonly #state: DeliveryState;

  constructor(state: DeliveryState) {
    this.#state = state;
  }

  /** Names streams with passed over events that a member could take now, oldest first, at most `limit`. */
  next(limit: number): StreamReread[] {
    const { pool, freeHeld, heldBy, heldStreams, mayDeliver } = this.#state;
    const rereads: StreamReread[] = [];
    if (heldStreams === 0 || !mayDeliver) return rereads;
    const tooLarge: StreamQueue[] = [];
    for (const member of heldBy ?? []) {
      if (member.held.size === 0) heldBy?.delete(member);
      else if (member.free > 0) this.#name(member.held, member, limit, rereads, tooLarge);
    }
    if (pool.hasCredit) this.#name(freeHeld, undefined, limit, rereads, tooLarge);
    // Only if nothing fits: a reservation would take the room from under what was named.
    if (rereads.length === 0) for (const stream of tooLarge) pool.reserve(stream, stream.holder);
    return rereads.sort((a, b) => a.from - b.from);
  }

  /**
   * Offers an event of a stream from `next`, in position order from its `from` and without leaving any out. Positions that
   * the scan has not passed, and events that are done or in flight, are `done`: go on. `held` and `no-credit`: stop with
   * this stream; it will be named again, from this event on. After a seek every event is `done`.
   */
  offer(reread: StreamReread, event: OfferedEvent, now: Millis): OfferResult {
    const state = this.#state;
    const at = state.tick(now);
    const stream = this.#streamOf(reread);
    const { position, bytes } = event;
    if (stream === undefined || position < stream.heldFrom || position > state.progress.scanned) return DONE;
    if (state.records.has(position) || state.progress.isDone(position)) return DONE;
    if (stream.firstWaiting !== undefined || !state.hasRoom) return this.#stop(stream, event);
    const failure = state.failures.get(position);
    if (failure !== undefined && failure.notBeforeMs > at) return this.#passWaiting(stream, event, failure, at);
    const member = state.pool.taker(stream.holder, bytes);
    if (member === undefined) return this.#stop(stream, event);
    const record = state.open(event, position, stream, failure);
    state.progress.openedByReread(record);
    return state.deliver(record, member, at, true);
  }

  /**
   * Takes note that everything of the stream from `reread.from` up to this position was offered with `delivered` or
   * `done`. Call it also when the read found nothing, else the stream is named again. After `held` or `no-credit` it
   * does nothing.
   */
  passedTo(reread: StreamReread, position: Position): void {
    const state = this.#state;
    const stream = this.#streamOf(reread);
    if (stream === undefined || stream.rereadStopped || position < stream.heldFrom) return;
    if (position >= state.progress.scanned) state.unhold(stream);
    else state.holdFrom(stream, position + 1, 0);
    state.settleStream(stream, state.now);
    state.progress.advance();
  }

  // --- inside

  #streamOf(reread: StreamReread): StreamQueue | undefined {
    if (reread.era !== this.#state.era) return undefined;
    const stream = this.#state.streams.get(reread.stream);
    return stream === undefined || stream.heldFrom === 0 ? undefined : stream;
  }

  #passWaiting(stream: StreamQueue, event: OfferedEvent, failure: FailureRecord, now: number): OfferResult {
    const record = this.#state.open(event, event.position, stream, failure);
    this.#state.progress.openedByReread(record);
    this.#stop(stream, event);
    this.#state.openWaiting(record, now);
    return HELD;
  }

  /** The re-read cannot go on at this event: everything of the stream before it was offered. */
  #stop(stream: StreamQueue, event: OfferedEvent): OfferResult {
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
    let credit = holder?.free ?? pool.totalFree;
    for (const stream of streams) {
      if (credit <= 0 || rereads.length >= limit || tooLarge.length >= MAX_MISSES) return;
      const { heldBytes } = stream;
      const member = pool.taker(holder, heldBytes);
      if (member !== undefined) {
        rereads.push(this.#reread(stream, member));
        credit--;
      } else {
        tooLarge.push(stream);
        if (holder !== undefined) return;
      }
    }
  }

  #reread(stream: StreamQueue, { free: room, freeBytes: bytes }: DeliveryMember): StreamReread {
    stream.rereadStopped = false;
    return { stream: stream.key, era: this.#state.era, from: stream.heldFrom, room, bytes };
  }
}
