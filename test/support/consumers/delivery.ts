// A delivery window over a log in memory, driven as the window's docstring prescribes.

import { Ordering } from '../../../src/domain/consumers/consumer.js';
import { leaseCheck } from '../../../src/domain/consumers/delivery-leases.js';
import type {
  Answer,
  Delivery,
  MemberCredit,
  OfferedEvent,
  OfferResult,
  Rejection,
  WindowLimits,
  WindowSettings,
  WindowState,
} from '../../../src/domain/consumers/delivery-types.js';
import { DeliveryWindow } from '../../../src/domain/consumers/delivery-window.js';

export const BY_STREAM: WindowSettings = {
  ordering: Ordering.BY_STREAM,
  ackTimeoutMs: 1_000,
  maxAttempts: 3,
  retryBackoff: { initialMs: 1_000, maxMs: 5_000, jitter: 0.5 },
};
export const NO_ORDER: WindowSettings = { ...BY_STREAM, ordering: Ordering.NONE };

/** The greatest of what is left to chance. */
export const ALMOST_ONE = 1 - 2 ** -30;

export const CONSUMER_ID = 1;

export const NEW_STATE: WindowState = {
  consumerId: CONSUMER_ID,
  generation: 1,
  offset: 0,
  acked: new Uint8Array(0),
  failures: [],
  nextLease: 1,
  generationFirstLease: 1,
  generationOffset: 0,
  ownerFirstLease: 1,
};

export interface DeliveryDriverOptions {
  /** Stream of each event, from position 1 on; null: none; undefined: the position holds no matching event. */
  readonly log: readonly (string | null | undefined)[];
  /** Size of every event, or of each position. */
  readonly bytes?: number | Readonly<Record<number, number>>;
  readonly settings?: WindowSettings;
  readonly state?: Partial<WindowState>;
  readonly limits?: Partial<WindowLimits>;
}

export class DeliveryDriver {
  readonly window: DeliveryWindow;
  readonly log: (OfferedEvent | undefined)[];
  now = 10_000;
  /** What is left to chance: 0, the least, up to 1. */
  random = 0;

  constructor({ log, bytes = 100, settings = BY_STREAM, state, limits = {} }: DeliveryDriverOptions) {
    this.log = log.map((stream, index) => {
      const size = typeof bytes === 'number' ? bytes : (bytes[index + 1] ?? 100);
      return stream === undefined ? undefined : { position: index + 1, stream, bytes: size };
    });
    this.window = new DeliveryWindow({
      settings,
      limits,
      state: { ...NEW_STATE, ...state },
      random: () => this.random,
    });
  }

  get head(): number {
    return this.log.length;
  }

  /** Adds a member; credit is generous where it is not given. */
  join(name: string, credit: Partial<MemberCredit> = {}): void {
    this.window.members.add(name, { maxInFlight: 100, maxInFlightBytes: 1_000_000, ...credit });
  }

  /** Deletes an event from the log. */
  delete(position: number): void {
    this.log[position - 1] = undefined;
  }

  event(position: number): OfferedEvent {
    const event = this.log[position - 1];
    if (event === undefined) throw new Error(`no event at ${position}`);
    return event;
  }

  /** One round of everything that can be done at this time; the deliveries in their order. */
  deliver(): Delivery[] {
    this.window.redeliveries.expire(this.now);
    return [...this.redeliver(), ...this.reread(), ...this.scan()];
  }

  /** As `deliver`, but only the positions. */
  positions(): number[] {
    return this.deliver().map((delivery) => delivery.position);
  }

  redeliver(): Delivery[] {
    const delivered: Delivery[] = [];
    for (const position of this.window.redeliveries.next(this.now, 1_000)) {
      const event = this.log[position - 1];
      if (event === undefined) this.window.redeliveries.gone(position);
      else collect(delivered, this.window.redeliveries.offer(event, this.now));
    }
    return delivered;
  }

  reread(): Delivery[] {
    const delivered: Delivery[] = [];
    for (const reread of this.window.rereads.next(1_000)) {
      let stopped = false;
      for (const event of this.log.slice(reread.from - 1)) {
        if (event?.stream !== reread.stream) continue;
        const result = this.window.rereads.offer(reread, event, this.now);
        collect(delivered, result);
        stopped = result.kind === 'held' || result.kind === 'no-credit';
        if (stopped) break;
      }
      if (!stopped) this.window.rereads.passedTo(reread, this.window.scan.position);
    }
    return delivered;
  }

  /** Offers what comes after `scanned` until it is refused. */
  scan(): Delivery[] {
    const delivered: Delivery[] = [];
    for (const event of this.log.slice(this.window.scan.position)) {
      if (event === undefined) continue;
      const result = this.window.scan.offer(event, this.now);
      collect(delivered, result);
      if (result.kind === 'no-credit' || result.kind === 'blocked') return delivered;
    }
    this.window.scan.passedTo(this.head);
    return delivered;
  }

  ack(...deliveries: readonly Delivery[]) {
    return this.window.answers.ack(deliveries, this.now);
  }

  retry(delivery: Delivery, delayMs: number | undefined = 0, reason = 'failed') {
    return this.reject(delivery, { action: 'RETRY', delayMs, cause: { code: '', reason } });
  }

  /** Rejects for a retry without a delay. */
  backOff(delivery: Delivery) {
    return this.reject(delivery, { action: 'RETRY', delayMs: undefined, cause: { code: '', reason: 'failed' } });
  }

  park(delivery: Delivery, reason = 'cannot', code = '') {
    return this.reject(delivery, { action: 'PARK', cause: { code, reason } });
  }

  skip(delivery: Delivery) {
    return this.reject(delivery, { action: 'SKIP', cause: { code: '', reason: 'needless' } });
  }

  reject(answer: Answer, rejection: Rejection) {
    return this.window.answers.reject([answer], rejection, this.now);
  }

  /** A window of a new owner, from what this one has to store. */
  takeOver(options: Partial<DeliveryDriverOptions> = {}): DeliveryDriver {
    const { offset, acked, generation, nextLease, generationFirstLease, generationOffset, failures } =
      this.window.unsaved.take();
    const log = this.log.map((event) => event?.stream);
    const generationState = { generation, generationFirstLease, ...(generationOffset && { generationOffset }) };
    const state = { offset, acked, ...generationState, nextLease, failures, ownerFirstLease: nextLease };
    const driver = new DeliveryDriver({ log, ...options, state });
    driver.now = this.now;
    return driver;
  }
}

function collect(delivered: Delivery[], result: OfferResult): void {
  if (result.kind === 'delivered') delivered.push(result);
}

/** An answer with a lease as it goes out for that position; 0: whatever is current. */
export function answerOf(position: number, lease: number): Answer {
  return { position, lease, leaseCheck: lease === 0 ? 0 : leaseCheck(CONSUMER_ID, position, lease) };
}

/** The delivery of a position, for tests that have several. */
export function of(deliveries: readonly Delivery[], position: number): Delivery {
  const delivery = deliveries.find((one) => one.position === position);
  if (delivery === undefined) throw new Error(`position ${position} was not delivered`);
  return delivery;
}
