// The callers of Fetch that share one member name: they are served one after the other, the longest waiting first, and their
// events stay leased to the name when they are gone.

import type { Delivery } from '../../domain/consumers/delivery-types.js';
import type { ConsumerGap } from '../../storage/ports/unread-storage.js';
import type { Millis, Position } from '../../units.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import { MemberGaps } from './gaps/member-gaps.js';
import { type DeliveryBatch, type MeasureEntry, PendingDeliveries } from './pending-deliveries.js';
import { RememberedCalls } from './remembered-calls.js';

/** Bytes of one answer, about. */
const ANSWER_BYTES = 3 * 1024 * 1024;

export interface FetchOptions {
  /** Events at most. */
  readonly limit: number;
  /** How long to wait for a first event. */
  readonly waitMs: Millis;
  /** Id by which the call is remembered; empty: it is not. */
  readonly requestId: string;
  /** Where the call comes from. */
  readonly address: string;
  readonly measure: MeasureEntry;
  readonly signal: AbortSignal;
}

interface Caller extends FetchOptions {
  readonly deadlineMs: Millis;
  readonly resolve: (batch: DeliveryBatch) => void;
  readonly reject: (error: Error) => void;
}

const NOTHING: DeliveryBatch = { entries: [], deliveries: [] };

export class FetchMember implements SessionMember {
  readonly name: string;
  /** Where the newest call came from. */
  address = '';
  readonly subscribedAtMs: Millis;
  readonly pending = new PendingDeliveries();
  /** See SessionMember. */
  isHungry = false;
  isTouched = false;
  wakeAtMs: Millis = Number.POSITIVE_INFINITY;
  readonly #host: MemberHost;
  readonly #callers: Caller[] = [];
  /** Made for the first one. */
  #gaps: MemberGaps | undefined;
  readonly #remembered: RememberedCalls;
  #usedAtMs: Millis;

  /** Makes a member that remembers request ids for `rememberMs`, the ack time-out. */
  constructor({ name, host, rememberMs }: { name: string; host: MemberHost; rememberMs: Millis }) {
    this.name = name;
    this.#host = host;
    this.#remembered = new RememberedCalls(host.clock, rememberMs);
    this.subscribedAtMs = host.clock.nowMs();
    this.#usedAtMs = host.clock.monotonicMs();
  }

  /** See SessionMember.hungry. */
  get hungry(): boolean {
    const [first] = this.#callers;
    return first !== undefined && this.pending.size < first.limit;
  }

  /** When it was last used; undefined while somebody waits. */
  get unusedSinceMs(): Millis | undefined {
    return this.#callers.length > 0 ? undefined : this.#usedAtMs;
  }

  /**
   * Returns the next deliveries; none when there was nothing within the wait. The signal ends the wait with none. A
   * call that repeats a request id gets the deliveries of the first call; those that are no longer leased are the
   * caller's to leave out.
   */
  fetch(options: FetchOptions): { readonly batch: Promise<DeliveryBatch>; readonly repeated: boolean } {
    const { requestId, address } = options;
    this.address = address;
    if (this.#gaps !== undefined) this.#host.gapsTaken(this.#gaps.lived(this.#host.clock.monotonicMs(), address));
    const former = requestId === '' ? undefined : this.#remembered.get(requestId);
    if (former !== undefined) return { batch: former, repeated: true };
    const batch = this.#enqueue(options);
    if (requestId !== '') this.#remembered.add(requestId, batch);
    this.#host.pull(this);
    return { batch, repeated: false };
  }

  /** See SessionMember.roundDone. */
  roundDone(idle: boolean, now: Millis): void {
    this.#host.prune(this.pending);
    for (let [first] = this.#callers; first !== undefined && this.pending.size > 0; [first] = this.#callers) {
      this.#answer(first, this.#withGaps(this.pending.take(first.limit, ANSWER_BYTES, first.measure), first));
    }
    if (!idle) return;
    const [next] = this.#callers;
    // What is gone is news, too, the first time.
    if (next !== undefined && this.#gaps?.isWaiting === true) this.#answer(next, this.#withGaps(NOTHING, next));
    for (const caller of [...this.#callers]) {
      if (caller.deadlineMs <= now) this.#answer(caller, this.#withGaps(NOTHING, caller));
    }
  }

  /** See SessionMember.nextWakeAtMs. */
  nextWakeAtMs(): Millis | undefined {
    return this.#callers.length === 0 ? undefined : Math.min(...this.#callers.map((caller) => caller.deadlineMs));
  }

  /** See SessionMember.tellGap. */
  tellGap(gap: ConsumerGap): boolean {
    if (this.#callers.length === 0) return false;
    this.#gaps ??= new MemberGaps();
    this.#gaps.add(gap, this.#host.nextLease);
    return true;
  }

  /** See SessionMember.answered. */
  answered(lease: number): void {
    if (this.#gaps !== undefined) this.#host.gapsTaken(this.#gaps.answered(lease));
  }

  /** The answer with what was deleted, also with what was told before and may have been lost with its answer. */
  #withGaps(batch: DeliveryBatch, { address }: Caller): DeliveryBatch {
    const now = this.#host.clock.monotonicMs();
    const gaps = this.#gaps?.all({ now, address, lease: batch.deliveries[0]?.lease }) ?? [];
    return gaps.length === 0 ? batch : { ...batch, gaps };
  }

  /** See SessionMember.end. */
  end(error: Error | undefined): void {
    for (const caller of this.#callers.splice(0)) {
      if (error === undefined) caller.resolve(NOTHING);
      else caller.reject(error);
    }
    this.pending.clear();
    if (this.#gaps !== undefined) this.#host.gapsReturned(this.#gaps.takeAll());
  }

  /** Tells callers whose time is over that nothing can be read at present. */
  failExpired(error: Error, now: Millis): void {
    for (const caller of [...this.#callers]) {
      if (caller.deadlineMs > now) continue;
      this.#remove(caller);
      caller.reject(error);
    }
  }

  #enqueue(options: FetchOptions): Promise<DeliveryBatch> {
    return new Promise((resolve, reject) => {
      const caller: Caller = {
        ...options,
        deadlineMs: this.#host.clock.monotonicMs() + options.waitMs,
        resolve,
        reject,
      };
      this.#callers.push(caller);
      const abort = () => this.#answer(caller, NOTHING);
      options.signal.addEventListener('abort', abort, { once: true });
      if (options.signal.aborted) abort();
      else if (this.#callers[0] === caller) this.#giveCredit();
    });
  }

  #answer(caller: Caller, batch: DeliveryBatch): void {
    this.#remove(caller);
    caller.resolve(batch);
  }

  #remove(caller: Caller): void {
    const index = this.#callers.indexOf(caller);
    if (index === -1) return;
    this.#callers.splice(index, 1);
    // Leaves to others what nobody waits for here.
    if (this.#callers.length === 0 && this.#gaps !== undefined) this.#host.gapsReturned(this.#gaps.takeWaiting());
    this.#usedAtMs = this.#host.clock.monotonicMs();
    if (index !== 0) return;
    this.#giveCredit();
    // The next one's turn; not from within the round that served this one.
    if (this.#callers.length > 0) queueMicrotask(() => this.#host.pull(this));
  }

  /** Gives credit for what the first caller may still get; without callers nothing more is leased. */
  #giveCredit(): void {
    const [first] = this.#callers;
    const { events, bytes } = this.#host.inFlight(this.name);
    const room = first === undefined ? 0 : Math.max(0, first.limit - this.pending.size);
    this.#host.setCredit(this.name, {
      maxInFlight: room === 0 ? 0 : events + room,
      maxInFlightBytes: room === 0 ? 0 : bytes + ANSWER_BYTES,
    });
  }
}

/** Returns the deliveries of a batch that are still leased as they were, as they stand now. */
export function stillLeased(
  batch: DeliveryBatch,
  current: (position: Position) => Delivery | undefined,
): DeliveryBatch {
  const kept = batch.deliveries.flatMap((delivery, index) => {
    const now = current(delivery.position);
    return now?.lease === delivery.lease ? [{ delivery: now, entry: batch.entries[index] }] : [];
  });
  return {
    entries: kept.flatMap(({ entry }) => entry ?? []),
    deliveries: kept.map(({ delivery }) => delivery),
    ...(batch.gaps !== undefined && { gaps: batch.gaps }),
  };
}
