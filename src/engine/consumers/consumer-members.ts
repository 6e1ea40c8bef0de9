// The members of one consumer: who they are, whether somebody waits, and what is on its way to them. The window knows their
// credit; this knows their pending deliveries.

import type { Delivery, MemberCredit } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Clock } from '../../lib/clock.js';
import type { Millis, Position } from '../../units.js';
import { FetchMember, type FetchOptions, stillLeased } from './consumer-fetch.js';
import type { ConsumerLife } from './consumer-life.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import { Subscription } from './consumer-subscription.js';
import type { MemberView } from './consumer-view.js';
import type { DeliveryBatch, MeasureEntry, PendingDeliveries } from './pending-deliveries.js';

/** A fetching member that nobody uses is forgotten. */
const FETCH_IDLE_MS = 30_000;

export interface ConsumerMembersOptions {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly clock: Clock;
  /** The newest visible position. */
  readonly head: () => Position;
  /** The position up to which everything was delivered; undefined while the consumer is behind. */
  readonly livePosition: () => Position | undefined;
  /** Called when somebody may wait for events now. */
  readonly onWanted: () => void;
  /** Called when a member is gone and its events are free. */
  readonly onLeft: () => void;
}

export class ConsumerMembers implements MemberHost {
  readonly #window: DeliveryWindow;
  readonly #options: ConsumerMembersOptions;
  readonly #members = new Map<string, SessionMember>();
  #wanted = false;

  constructor(options: ConsumerMembersOptions) {
    this.#options = options;
    this.#window = options.window;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether somebody waits for more than it was given. */
  get wanted(): boolean {
    return this.#wanted;
  }

  get hasSubscriptions(): boolean {
    for (const member of this.#members.values()) if (member instanceof Subscription) return true;
    return false;
  }

  /** Adds a subscriber; a former member of the name ends with MEMBER_REPLACED, and its events are free. */
  subscribe(name: string, credit: MemberCredit, measure: MeasureEntry): Subscription {
    this.#options.life.assertOpen();
    const former = this.#members.get(name);
    if (former !== undefined) {
      this.#window.members.remove(name, { lost: false }, this.clock.monotonicMs());
      former.end(new MadeleineError('MEMBER_REPLACED', `another subscriber came as member "${name}"`));
    }
    const subscription = new Subscription({ name, host: this, measure });
    this.#members.set(name, subscription);
    this.#window.members.add(name, credit);
    const live = this.#options.livePosition();
    if (live !== undefined) subscription.tellCaughtUp(live);
    this.wake();
    return subscription;
  }

  /**
   * Leases events to callers that ask for them one by one; the member is shared by all that name it. FIELD_INVALID if a
   * subscriber has the name.
   */
  async fetch(name: string, options: FetchOptions): Promise<DeliveryBatch> {
    this.#options.life.assertOpen();
    const { batch, repeated } = this.#fetching(name).fetch(options);
    const given = await batch;
    return repeated ? stillLeased(given, (position) => this.#window.members.inFlightAt(position)) : given;
  }

  /** Gives a member the event that was leased to it. */
  deliver(entry: LogEntry, delivery: Delivery): void {
    const member = this.#members.get(delivery.member);
    if (member === undefined) return;
    member.pending.push(entry, delivery);
    if (!member.hungry) this.#lookWhoWaits();
  }

  /** Hands out what the members wait for; `idle`: nothing more comes without news. */
  handOut(idle: boolean): void {
    const now = this.clock.monotonicMs();
    for (const member of this.#members.values()) member.roundDone(idle, now);
    this.#lookWhoWaits();
  }

  /** Looks who waits and has done what can be done now, after a change of any kind. */
  wake(): void {
    this.#lookWhoWaits();
    this.#options.onWanted();
  }

  tellGap(first: Position, last: Position): void {
    for (const subscription of this.#subscriptions()) subscription.tellGap(first, last);
  }

  tellCaughtUp(position: Position): void {
    for (const subscription of this.#subscriptions()) subscription.tellCaughtUp(position);
  }

  /** Takes note that deliveries may have ended that members were not given yet. */
  markStale(): void {
    for (const member of this.#members.values()) member.pending.markStale();
  }

  /** Drops all pending deliveries: none of them counts any more. */
  clearPending(): void {
    for (const member of this.#members.values()) member.pending.clear();
  }

  /** Tells subscribers to go, and sends callers of Fetch away. */
  drain(position: Position, error: Error): void {
    for (const member of [...this.#members.values()]) {
      if (member instanceof Subscription) member.drain(position, error);
      else member.end(error);
    }
  }

  /** Ends every member with the error. */
  end(error: Error): void {
    const members = [...this.#members.values()];
    this.#members.clear();
    this.#wanted = false;
    for (const member of members) member.end(error);
  }

  /** Tells callers of Fetch whose time is over that nothing can be read at present. */
  failFetches(error: Error): void {
    for (const member of this.#members.values()) {
      if (member instanceof FetchMember) member.failExpired(error, this.clock.monotonicMs());
    }
  }

  /** Forgets fetching members that nobody used for long and of which nothing is in flight. */
  forgetUnused(): void {
    const now = this.clock.monotonicMs();
    for (const member of [...this.#members.values()]) {
      if (this.#unusedEndMs(member) <= now) this.left(member, { lost: false });
    }
  }

  /** Returns when a member has something to do; Infinity: never. */
  nextWakeAtMs(): Millis {
    let earliest = Number.POSITIVE_INFINITY;
    for (const member of this.#members.values()) {
      earliest = Math.min(earliest, member.nextWakeAtMs() ?? Number.POSITIVE_INFINITY, this.#unusedEndMs(member));
    }
    return earliest;
  }

  views(): MemberView[] {
    return this.#window.members.uses().map((use) => {
      return { ...use, subscribedAtMs: this.#members.get(use.name)?.subscribedAtMs ?? this.clock.nowMs() };
    });
  }

  // --- what members ask

  get head(): Position {
    return this.#options.head();
  }

  get offset(): Position {
    return this.#window.offset;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** See MemberHost. */
  pull(): void {
    this.#wanted = true;
    this.#options.onWanted();
  }

  /** See MemberHost. */
  setCredit(name: string, credit: MemberCredit): void {
    if (this.#members.has(name)) this.#window.members.setCredit(name, credit);
  }

  /** See MemberHost. */
  inFlight(name: string): { readonly events: number; readonly bytes: number } {
    const use = this.#window.members.use(name);
    return { events: use?.inFlight ?? 0, bytes: use?.inFlightBytes ?? 0 };
  }

  /** See MemberHost. */
  prune(pending: PendingDeliveries): void {
    pending.prune(({ position, lease }) => this.#window.members.inFlightAt(position)?.lease === lease);
  }

  /** See MemberHost. */
  left(member: SessionMember, how: { readonly lost: boolean }): void {
    if (this.#members.get(member.name) !== member) return;
    this.#members.delete(member.name);
    this.#window.members.remove(member.name, how, this.clock.monotonicMs());
    this.#options.onLeft();
  }

  // --- inside

  #fetching(name: string): FetchMember {
    const present = this.#members.get(name);
    if (present instanceof FetchMember) return present;
    if (present !== undefined) throw fieldInvalid('member', 'is subscribed at present; fetch under another name');
    const member = new FetchMember({ name, host: this, rememberMs: this.#window.settings.ackTimeoutMs });
    this.#members.set(name, member);
    this.#window.members.add(name, { maxInFlight: 0, maxInFlightBytes: 0 });
    return member;
  }

  #lookWhoWaits(): void {
    this.#wanted = false;
    for (const member of this.#members.values()) if (member.hungry) this.#wanted = true;
  }

  #subscriptions(): Subscription[] {
    return [...this.#members.values()].filter((member) => member instanceof Subscription);
  }

  #unusedEndMs(member: SessionMember): number {
    const since = member instanceof FetchMember ? member.unusedSinceMs : undefined;
    if (since === undefined || this.inFlight(member.name).events > 0) return Number.POSITIVE_INFINITY;
    return since + FETCH_IDLE_MS;
  }
}
