// The callers of Fetch that share one member name: they are served one after the other, the longest waiting first, and their
// events stay leased to the name when they are gone.

import type { Delivery } from '../../domain/consumers/delivery-types.js';
import type { Millis, Position } from '../../units.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import { type Handout, type MeasureEntry, Outbox } from './consumer-outbox.js';

/** Bytes of one answer, about. */
const ANSWER_BYTES = 3 * 1024 * 1024;
/** Request ids that are remembered for one member; the oldest are forgotten first. */
const MAX_REQUESTS = 1_000;

export interface FetchOptions {
  /** Events at most. */
  readonly limit: number;
  /** How long to wait for a first event. */
  readonly waitMs: Millis;
  /** Empty: the call is not remembered. */
  readonly requestId: string;
  readonly measure: MeasureEntry;
  readonly signal: AbortSignal;
}

interface Caller extends FetchOptions {
  readonly deadlineMs: Millis;
  readonly resolve: (handout: Handout) => void;
  readonly reject: (error: Error) => void;
}

const NOTHING: Handout = { entries: [], deliveries: [] };

export class FetchMember implements SessionMember {
  readonly name: string;
  readonly subscribedAtMs: Millis;
  readonly outbox = new Outbox();
  readonly #host: MemberHost;
  readonly #rememberMs: Millis;
  readonly #callers: Caller[] = [];
  readonly #requests = new Map<string, { readonly handout: Promise<Handout>; readonly untilMs: Millis }>();
  #usedAtMs: Millis;

  /** `rememberMs`: how long request ids are remembered, the ack timeout. */
  constructor({ name, host, rememberMs }: { name: string; host: MemberHost; rememberMs: Millis }) {
    this.name = name;
    this.#host = host;
    this.#rememberMs = rememberMs;
    this.subscribedAtMs = host.clock.nowMs();
    this.#usedAtMs = host.clock.monotonicMs();
  }

  /** See SessionMember.hungry. */
  get hungry(): boolean {
    const [first] = this.#callers;
    return first !== undefined && this.outbox.size < first.limit;
  }

  /** When it was last used; undefined while somebody waits. */
  get unusedSinceMs(): Millis | undefined {
    return this.#callers.length > 0 ? undefined : this.#usedAtMs;
  }

  /**
   * The next deliveries; none when there was nothing within the wait. The signal ends the wait with none. A call that repeats
   * a request id gets the deliveries of the first call; those that are no longer leased are the caller's to leave out.
   */
  fetch(options: FetchOptions): { readonly handout: Promise<Handout>; readonly repeated: boolean } {
    const former = options.requestId === '' ? undefined : this.#requests.get(options.requestId);
    if (former !== undefined && former.untilMs > this.#host.clock.monotonicMs())
      return { handout: former.handout, repeated: true };
    const handout = this.#enqueue(options);
    if (options.requestId !== '') this.#remember(options.requestId, handout);
    this.#host.pull();
    return { handout, repeated: false };
  }

  /** See SessionMember.roundDone. */
  roundDone(idle: boolean, now: Millis): void {
    this.#host.prune(this.outbox);
    for (let [first] = this.#callers; first !== undefined && this.outbox.size > 0; [first] = this.#callers) {
      this.#answer(first, this.outbox.take(first.limit, ANSWER_BYTES, first.measure));
    }
    if (!idle) return;
    for (const caller of [...this.#callers]) if (caller.deadlineMs <= now) this.#answer(caller, NOTHING);
  }

  /** See SessionMember.nextWakeAtMs. */
  nextWakeAtMs(): Millis | undefined {
    return this.#callers.length === 0 ? undefined : Math.min(...this.#callers.map((caller) => caller.deadlineMs));
  }

  /** See SessionMember.end. */
  end(error: Error | undefined): void {
    for (const caller of this.#callers.splice(0)) {
      if (error === undefined) caller.resolve(NOTHING);
      else caller.reject(error);
    }
    this.outbox.clear();
  }

  /** Nothing can be read at present: callers whose time is over are told. */
  failExpired(error: Error, now: Millis): void {
    for (const caller of [...this.#callers]) {
      if (caller.deadlineMs > now) continue;
      this.#remove(caller);
      caller.reject(error);
    }
  }

  #enqueue(options: FetchOptions): Promise<Handout> {
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

  #answer(caller: Caller, handout: Handout): void {
    this.#remove(caller);
    caller.resolve(handout);
  }

  #remove(caller: Caller): void {
    const index = this.#callers.indexOf(caller);
    if (index === -1) return;
    this.#callers.splice(index, 1);
    this.#usedAtMs = this.#host.clock.monotonicMs();
    if (index !== 0) return;
    this.#giveCredit();
    // The next one's turn; not from within the round that served this one.
    if (this.#callers.length > 0) queueMicrotask(() => this.#host.pull());
  }

  /** Credit for what the first caller may still get; without callers nothing more is leased. */
  #giveCredit(): void {
    const [first] = this.#callers;
    const { events, bytes } = this.#host.inFlight(this.name);
    const room = first === undefined ? 0 : Math.max(0, first.limit - this.outbox.size);
    this.#host.setCredit(this.name, {
      maxInFlight: room === 0 ? 0 : events + room,
      maxInFlightBytes: room === 0 ? 0 : bytes + ANSWER_BYTES,
    });
  }

  #remember(requestId: string, handout: Promise<Handout>): void {
    this.#requests.delete(requestId);
    this.#requests.set(requestId, { handout, untilMs: this.#host.clock.monotonicMs() + this.#rememberMs });
    const [oldest] = this.#requests.keys();
    if (this.#requests.size > MAX_REQUESTS && oldest !== undefined) this.#requests.delete(oldest);
    const forget = (): boolean => this.#requests.delete(requestId);
    // A call that leased nothing may as well be made anew.
    handout.then((given) => given.deliveries.length > 0 || forget(), forget);
  }
}

/** The deliveries of a handout that are still leased as they were, as they stand now. */
export function stillLeased(handout: Handout, current: (position: Position) => Delivery | undefined): Handout {
  const kept = handout.deliveries.flatMap((delivery, index) => {
    const now = current(delivery.position);
    return now?.lease === delivery.lease ? [{ delivery: now, entry: handout.entries[index] }] : [];
  });
  return {
    entries: kept.flatMap(({ entry }) => entry ?? []),
    deliveries: kept.map(({ delivery }) => delivery),
  };
}
