// One subscriber of a consumer: a source of frames that are made only when the next one is asked for, so that a slow reader
// holds no more than its credit.

import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import type { UnreadSpan } from '../../domain/consumers/unread/unread-spans.js';
import { bug } from '../../domain/errors.js';
import type { ConsumerGap } from '../../storage/ports/unread-storage.js';
import type { Millis, Position } from '../../units.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import { MemberGaps } from './gaps/member-gaps.js';
import { type DeliveryBatch, type MeasureEntry, PendingDeliveries } from './pending-deliveries.js';

export type SubscribeFrame =
  | ({ readonly kind: 'deliveries' } & DeliveryBatch)
  | ({ readonly kind: 'gap' } & UnreadSpan)
  | {
      readonly kind: 'heartbeat';
      readonly head: Position;
      readonly offset: Position;
      readonly pause: ConsumerPause | undefined;
    }
  | { readonly kind: 'caught_up'; readonly position: Position }
  | { readonly kind: 'going_away'; readonly position: Position };

/** Deliveries in one frame at most. */
export const FRAME_EVENTS = 256;
/** Silence after which a heartbeat is sent. */
const SILENCE_MS = 10_000;

export interface SubscriptionOptions {
  readonly name: string;
  readonly host: MemberHost;
  readonly measure: MeasureEntry;
  readonly address: string;
}

/** Bytes that a frame may have, about. */
export interface RoomForFrame {
  /** What it would have now. */
  readonly left: number;
  /** Whether all that was sent before is written. */
  readonly isWritten: boolean;
  /** Reserves it; returns how much it is. */
  reserve(): number;
}

interface Waiting {
  readonly room: RoomForFrame;
  readonly resolve: (frame: SubscribeFrame | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * | state    | entered when                              | left when                                                |
 * |----------|-------------------------------------------|----------------------------------------------------------|
 * | open     | subscribed                                | `drain`: leaving; `end` or `close`: ended                |
 * | leaving  | the server drains                         | it was told so, `end`, `close`: ended                    |
 * | ended    | replaced, deleted, lost, closed, drained  | never                                                    |
 */
export class Subscription implements SessionMember {
  readonly name: string;
  readonly address: string;
  readonly subscribedAtMs: Millis;
  readonly pending = new PendingDeliveries();
  /** See SessionMember. */
  isHungry = false;
  isTouched = false;
  wakeAtMs: Millis = Number.POSITIVE_INFINITY;
  readonly #host: MemberHost;
  readonly #measure: MeasureEntry;
  #waiting: Waiting | undefined;
  /** Made for the first one: most subscribers are told of none. */
  #gaps: MemberGaps | undefined;
  #caughtUp: Position | undefined;
  /** Whether a heartbeat is due before there was silence. */
  #signDue = false;
  #leaving: { readonly position: Position; readonly error: Error } | undefined;
  #ended: { readonly error: Error | undefined } | undefined;
  #lastFrameMs: Millis;
  /** Whether it was given a frame in this turn of the event loop. */
  #hadTurn = false;

  constructor({ name, host, measure, address }: SubscriptionOptions) {
    this.name = name;
    this.address = address;
    this.#host = host;
    this.#measure = measure;
    this.subscribedAtMs = host.clock.nowMs();
    this.#lastFrameMs = host.clock.monotonicMs();
  }

  /** See SessionMember.hungry. */
  get hungry(): boolean {
    if (this.#waiting === undefined || this.#hadTurn || this.#leaving !== undefined) return false;
    const { size, bytes } = this.pending;
    return size === 0 || (size < FRAME_EVENTS && bytes < this.#waiting.room.left);
  }

  /**
   * Returns the next frame, with deliveries as far as there is room; undefined when the subscription ended in order. Rejects with what ended it otherwise. It
   * waits until there is something to say, at most 10 s, or until `close`. One call at a time.
   */
  next(room: RoomForFrame): Promise<SubscribeFrame | undefined> {
    if (this.#waiting !== undefined) throw bug('two calls of next at once');
    return new Promise((resolve, reject) => {
      this.#waiting = { room, resolve, reject };
      if (this.#answerEnd()) return;
      // A consumer that catches up would otherwise make frame after frame, and neither sockets nor acknowledgements nor other
      // consumers would get a turn of the event loop before its credit is used up.
      if (this.#hadTurn) return;
      this.#takeTurn();
    });
  }

  #takeTurn(): void {
    if (!this.#answer()) {
      this.#host.pull(this);
      this.#answer();
    }
  }

  /**
   * Ends a subscription whose subscriber is gone, or wants no more. `lost`: its stream broke. Harmless when it ended
   * before.
   */
  close(how: { readonly lost: boolean }): void {
    if (this.#ended !== undefined) return;
    this.end(undefined);
    this.#host.left(this, how);
  }

  /** See SessionMember.end. The session has forgotten the member already. */
  end(error: Error | undefined): void {
    this.#ended ??= { error };
    this.pending.clear();
    this.#returnGaps();
    this.#answerEnd();
  }

  /** See SessionMember.tellGap. */
  tellGap(gap: ConsumerGap): boolean {
    if (this.#ended !== undefined || this.#leaving !== undefined) return false;
    this.#gaps ??= new MemberGaps();
    this.#gaps.add(gap, this.#host.nextLease);
    return true;
  }

  /** See SessionMember.answered. */
  answered(lease: number): void {
    if (this.#gaps !== undefined) this.#host.gapsTaken(this.#gaps.answered(lease));
  }

  #takeGap({ isWritten }: RoomForFrame): SubscribeFrame | undefined {
    const gaps = this.#gaps;
    if (gaps === undefined) return undefined;
    const now = this.#host.clock.monotonicMs();
    if (isWritten) this.#host.gapsTaken(gaps.lived(now, ''));
    if (gaps.isEmpty) this.#gaps = undefined;
    if (!gaps.isWaiting) return undefined;
    const gap = gaps.next({ now, address: '', lease: this.pending.deliveries[0]?.lease });
    if (gap === undefined) return undefined;
    const { first, last, events } = gap;
    return { kind: 'gap', first, last, events };
  }

  #returnGaps(): void {
    const gaps = this.#gaps;
    this.#gaps = undefined;
    if (gaps !== undefined) this.#host.gapsReturned(gaps.takeAll());
  }

  tellCaughtUp(position: Position): void {
    this.#caughtUp = position;
  }

  /** Has a heartbeat sent as soon as nothing else is to be sent: it has news. */
  tellSign(): void {
    this.#signDue = true;
  }

  /** Says that the server drains, and ends with the error. What it got can still be acknowledged; what it did not returns. */
  drain(position: Position, error: Error): void {
    this.#leaving ??= { position, error };
    this.#answer();
  }

  /** See SessionMember.roundDone. */
  roundDone(): void {
    if (this.#waiting !== undefined) this.#answer();
  }

  /** See SessionMember.nextWakeAtMs. */
  nextWakeAtMs(): Millis | undefined {
    const silent = this.#waiting !== undefined && this.#leaving === undefined;
    return silent ? this.#lastFrameMs + SILENCE_MS : undefined;
  }

  #endTurn(): void {
    this.#hadTurn = true;
    setImmediate(() => {
      this.#hadTurn = false;
      if (this.#waiting !== undefined) this.#takeTurn();
    });
  }

  #answerEnd(): boolean {
    if (this.#ended === undefined || this.#waiting === undefined) return false;
    const { resolve, reject } = this.#waiting;
    this.#waiting = undefined;
    if (this.#ended.error === undefined) resolve(undefined);
    else reject(this.#ended.error);
    return true;
  }

  #answer(): boolean {
    if (this.#waiting === undefined || this.#hadTurn) return false;
    const frame = this.#takeFrame(this.#waiting.room);
    if (frame === undefined) return false;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    this.#lastFrameMs = this.#host.clock.monotonicMs();
    this.#endTurn();
    resolve(frame);
    return true;
  }

  #takeFrame(room: RoomForFrame): SubscribeFrame | undefined {
    if (this.#leaving !== undefined) return this.#leave(this.#leaving);
    const gap = this.#takeGap(room);
    if (gap !== undefined) return gap;
    this.#host.prune(this.pending);
    if (this.pending.size > 0) {
      return { kind: 'deliveries', ...this.pending.take(FRAME_EVENTS, room.reserve(), this.#measure) };
    }
    const position = this.#caughtUp;
    this.#caughtUp = undefined;
    if (position !== undefined) return { kind: 'caught_up', position };
    return this.#heartbeat();
  }

  #leave({ position, error }: { readonly position: Position; readonly error: Error }): SubscribeFrame {
    this.#ended = { error };
    this.pending.clear();
    this.#returnGaps();
    this.#host.left(this, { lost: false, sentAway: true });
    return { kind: 'going_away', position };
  }

  #heartbeat(): SubscribeFrame | undefined {
    const { clock, head, offset, pause } = this.#host;
    if (!this.#signDue && clock.monotonicMs() - this.#lastFrameMs < SILENCE_MS) return undefined;
    this.#signDue = false;
    return { kind: 'heartbeat', head, offset, pause };
  }
}
