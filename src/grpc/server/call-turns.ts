// New calls, begun in turns of the event loop. Node hands over all calls of what it read from a socket one after the other, and each costs
// what is above it a few tenths of a millisecond: a thousand of them would be a third of a second in which nothing else is read.
// Here a turn begins as many as a millisecond holds, callers taking turns; the others wait until the loop has looked for what else came.
//
// Nothing is lost meanwhile: a stream keeps what comes for it until it is read, within its window. Only a deadline (`grpc-timeout`)
// counts from the beginning of the call here, which is when the library reads it. Who gave up, or whose connection ended, costs
// next to nothing. What waits is part of its connection's open calls, so that a connection that is closed in order is still served it.

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../lib/clock.js';
import { FairQueue, TURN } from '../../lib/fair-queue.js';
import type { Millis } from '../../units.js';

/** What the calls of a turn may take before the others wait for the next one. */
const TURN_MS: Millis = 1;
/**
 * Calls that are begun in one turn, at least and at most. Where the process waits for the machine's processors time goes by
 * without work, and a turn of one call would cost more than the call.
 */
export const IN_TURN = { least: 4, most: 32 } as const;
/** Calls that wait before those are looked for that nobody waits for any more. */
const SWEPT_FROM = 64;

/** What is looked at of a call's stream. */
export interface CallStream {
  /** Whether the call was cancelled or its connection ended. */
  readonly closed: boolean;
  /** Whether the stream has told that nothing more comes. */
  readonly readableEnded: boolean;
  on(event: 'error', listener: () => void): unknown;
  emit(event: 'end'): boolean;
}

/** Begins a call: with what Node tells of a new stream. */
export type BeginCall<S> = (stream: S, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]) => void;

type Call<S> = Parameters<BeginCall<S>>;

export class CallTurns<S extends CallStream = ServerHttp2Stream> {
  readonly #clock: Clock;
  readonly #begin: BeginCall<S>;
  /** Each call is a turn of its caller. */
  readonly #waiting = new FairQueue<Call<S>>(() => TURN);
  #waitingCount = 0;
  #sweepAt = SWEPT_FROM;
  /** When the first call of this turn came or was begun. */
  #turnAtMs: Millis | undefined;
  /** Calls that this turn has begun. */
  #begun = 0;
  /** Steps of this turn that are still to come; the last one ends it. */
  #steps = 0;

  constructor(clock: Clock, begin: BeginCall<S>) {
    this.#clock = clock;
    this.#begin = begin;
  }

  /** Begins a call, now or in a later turn. */
  take(caller: string, stream: S, headers: IncomingHttpHeaders, flags: number, rawHeaders: string[]): void {
    if (stream.closed) return;
    if (this.#steps === 0) this.#addStep();
    if (this.#waitingCount === 0 && this.#hasRoom()) {
      this.#begun += 1;
      this.#begin(stream, headers, flags, rawHeaders);
    } else {
      this.#wait(caller, [stream, headers, flags, rawHeaders]);
    }
  }

  #wait(caller: string, call: Call<S>): void {
    // Nobody else listens yet, and an error that nobody listens to would end the process.
    call[0].on('error', ignored);
    this.#waiting.push(caller, call);
    this.#waitingCount += 1;
    if (this.#waitingCount >= this.#sweepAt) this.#sweep();
  }

  /** Lets go of calls that are over, behind others that go on, each time that there are twice as many as there were. */
  #sweep(): void {
    this.#waitingCount -= this.#waiting.drop(isOpen).length;
    this.#sweepAt = Math.max(SWEPT_FROM, 2 * this.#waitingCount);
  }

  /** Whether this turn may begin one more. */
  #hasRoom(): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#turnAtMs ??= nowMs;
    return this.#begun < IN_TURN.least || (this.#begun < IN_TURN.most && nowMs - this.#turnAtMs < TURN_MS);
  }

  /** Adds a step: what a call does by ticks and promises is done before the next one, and counts. */
  #addStep(): void {
    this.#steps += 1;
    setImmediate(this.#step);
  }

  readonly #step = (): void => {
    const call = this.#waitingCount > 0 && this.#hasRoom() ? this.#next() : undefined;
    if (call !== undefined) this.#begun += 1;
    this.#steps -= 1;
    if (this.#steps === 0) this.#endTurn();
    if (call !== undefined) this.#beginLate(call);
  };

  /** Ends the turn. The steps that are set here come when the loop has looked for what else came. */
  #endTurn(): void {
    this.#turnAtMs = undefined;
    this.#begun = 0;
    for (let n = Math.min(this.#waitingCount, IN_TURN.most); n > 0; n -= 1) this.#addStep();
  }

  /** Takes the next call that is not over. */
  #next(): Call<S> | undefined {
    while (this.#waitingCount > 0) {
      const call = this.#waiting.shift();
      this.#waitingCount -= 1;
      if (call === undefined || isOpen(call)) return call;
    }
    return undefined;
  }

  #beginLate(call: Call<S>): void {
    const [stream] = call;
    this.#begin(...call);
    // A request without a single byte ends by itself: it is told again to who listens only now.
    if (stream.readableEnded) stream.emit('end');
  }
}

function isOpen([stream]: Call<CallStream>): boolean {
  return !stream.closed;
}

function ignored(): void {}
