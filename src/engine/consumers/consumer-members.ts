// The members of one consumer: who they are, whether somebody waits, and what is on its way to them. The window knows their
// credit; this knows their pending deliveries. Members to whom nothing happens cost nothing: there may be thousands of them.

import { KeyedHeap } from '../../domain/collections/keyed-heap.js';
import type { Answer, Delivery, Leave, MemberCredit } from '../../domain/consumers/delivery-types.js';
import type { DeliveryWindow } from '../../domain/consumers/delivery-window.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import type { LogEntry } from '../../domain/events/event.js';
import type { Clock, WallTime } from '../../lib/clock.js';
import type { ConsumerGap } from '../../storage/ports/unread-storage.js';
import type { Millis, Position } from '../../units.js';
import { FetchMember, type FetchOptions, stillLeased } from './consumer-fetch.js';
import type { ConsumerLife } from './consumer-life.js';
import type { MemberHost, SessionMember } from './consumer-member.js';
import { Subscription } from './consumer-subscription.js';
import type { MemberView } from './consumer-view.js';
import type { ConsumerGaps } from './gaps/consumer-gaps.js';
import type { DeliveryBatch, MeasureEntry, PendingDeliveries } from './pending-deliveries.js';

/** A fetching member that nobody uses is forgotten. */
const FETCH_IDLE_MS = 30_000;

export interface ConsumerMembersOptions {
  readonly window: DeliveryWindow;
  readonly life: ConsumerLife;
  readonly gaps: Pick<ConsumerGaps, 'taken' | 'returned' | 'areWithMembers'>;
  readonly clock: Clock;
  readonly wallTime: WallTime;
  /** The newest visible position. */
  readonly head: () => Position;
  /** The position up to which everything was delivered; undefined while the consumer is behind. */
  readonly livePosition: () => Position | undefined;
  /** Undefined: the consumer is not paused. */
  readonly pause: () => ConsumerPause | undefined;
  /** Called when somebody may wait for events now. */
  readonly onWanted: () => void;
  /** Called when a member is gone and its events are free. */
  readonly onLeft: () => void;
}

/** A subscriber that comes. */
export interface NewMember {
  readonly credit: MemberCredit;
  readonly measure: MeasureEntry;
  /** Where its calls come from. */
  readonly address: string;
}

export class ConsumerMembers implements MemberHost {
  readonly #window: DeliveryWindow;
  readonly #options: ConsumerMembersOptions;
  readonly #members = new Map<string, SessionMember>();
  /** How many members wait for more than they were given. */
  #hungry = 0;
  /** Members to whom something happened since the last round. */
  #touched: SessionMember[] = [];
  /** When members want to be looked at, at the latest; an entry counts if it is the member's `wakeAtMs`. Made for the second one. */
  #times: KeyedHeap<SessionMember> | undefined;
  /** Rises when pending deliveries may have ended. */
  #staleEra = 0;

  constructor(options: ConsumerMembersOptions) {
    this.#options = options;
    this.#window = options.window;
  }

  get size(): number {
    return this.#members.size;
  }

  /** Whether somebody waits for more than it was given. */
  get wanted(): boolean {
    return this.#hungry > 0;
  }

  get hasSubscriptions(): boolean {
    for (const member of this.#members.values()) if (member instanceof Subscription) return true;
    return false;
  }

  /** Whether somebody waits for more than it was given, as the members themselves say. */
  get isAnyHungry(): boolean {
    if (this.wanted) return true;
    for (const member of this.#members.values()) if (member.hungry) return true;
    return false;
  }

  /** Adds a subscriber; a former member of the name ends with MEMBER_REPLACED, and its events are free. */
  subscribe(name: string, { credit, measure, address }: NewMember): Subscription {
    this.#options.life.assertOpen();
    const former = this.#members.get(name);
    if (former !== undefined) {
      this.#forget(former);
      this.#window.members.remove(name, { lost: false }, this.clock.monotonicMs());
      former.end(new MadeleineError('MEMBER_REPLACED', `another subscriber came as member "${name}"`));
    }
    const subscription = new Subscription({ name, host: this, measure, address });
    this.#add(subscription);
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
    if (member.pending.size === 1) this.#touch(member);
    if (member.isHungry && !member.hungry) this.#noteHunger(member, false);
  }

  /** Hands out what the members wait for; `idle`: nothing more comes without news. */
  handOut(idle: boolean): void {
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    const now = this.clock.monotonicMs();
    for (const member of touched) {
      member.isTouched = false;
      member.roundDone(idle, now);
      this.#settle(member);
      // In the middle of things more may come for it.
      if (!idle) this.#touch(member);
    }
  }

  /** Has done what can be done now, after a change of any kind. */
  wake(): void {
    this.#options.onWanted();
  }

  /** Tells one member of a gap, rather one that waits; false: nobody is there to be told. */
  tellGap(gap: ConsumerGap): boolean {
    const members = [...this.#members.values()].sort((a, b) => Number(b.isHungry) - Number(a.isHungry));
    const told = members.find((member) => member.tellGap(gap));
    if (told !== undefined) this.#touch(told);
    return told !== undefined;
  }

  /** See MemberHost. */
  gapsTaken(gaps: readonly ConsumerGap[]): void {
    for (const gap of gaps) this.#options.gaps.taken(gap);
  }

  /** See MemberHost. */
  gapsReturned(gaps: readonly ConsumerGap[]): void {
    this.#options.gaps.returned(gaps);
  }

  /** Takes note of what members have, as these answer: to be called before the window is told, which forgets the deliveries. */
  answered(answers: readonly Answer[]): void {
    if (!this.#options.gaps.areWithMembers) return;
    for (const { position, lease } of answers) {
      const delivery = this.#window.members.inFlightAt(position);
      if (delivery === undefined || (lease !== 0 && lease !== delivery.lease)) continue;
      this.#members.get(delivery.member)?.answered(delivery.lease);
    }
  }

  /** Takes note of it where all is answered that is in flight up to a position, of a member if one is named. */
  answeredUpTo(position: Position, name: string | undefined): void {
    if (!this.#options.gaps.areWithMembers) return;
    for (const member of this.#members.values()) {
      if (name !== undefined && name !== member.name) continue;
      const lease = this.#window.members.newestLease(member.name, position);
      if (lease !== undefined) member.answered(lease);
    }
  }

  tellCaughtUp(position: Position): void {
    for (const subscription of this.#subscriptions()) {
      subscription.tellCaughtUp(position);
      this.#touch(subscription);
    }
  }

  /** Has subscribers given a sign of life at once, as it has news. */
  tellSign(): void {
    for (const subscription of this.#subscriptions()) {
      subscription.tellSign();
      this.#touch(subscription);
    }
  }

  /** Takes note that deliveries may have ended that members were not given yet. */
  markStale(): void {
    this.#staleEra += 1;
  }

  /** Asks all members anew whether they wait. */
  recount(): void {
    for (const member of this.#members.values()) this.#settle(member);
  }

  /** Takes away and returns what members were not given yet. */
  takePending(): readonly Delivery[] {
    const pending = [...this.#members.values()].flatMap((member) => member.pending.deliveries);
    this.clearPending();
    return pending;
  }

  /** Drops all pending deliveries: none of them counts any more. */
  clearPending(): void {
    for (const member of this.#members.values()) {
      member.pending.clear();
      this.#settle(member);
    }
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
    for (const member of members) this.#forget(member);
    for (const member of members) member.end(error);
  }

  /** Tells callers of Fetch whose time is over that nothing can be read at present. */
  failFetches(error: Error): void {
    for (const member of this.#members.values()) {
      if (member instanceof FetchMember) member.failExpired(error, this.clock.monotonicMs());
    }
  }

  /**
   * Has the next round look at those whose time has come. Forgets fetching members that nobody used for long and of which nothing is
   * in flight.
   */
  lookAtDue(): void {
    const now = this.clock.monotonicMs();
    for (const member of this.#takeDue(now)) {
      member.wakeAtMs = Number.POSITIVE_INFINITY;
      if (this.#unusedEndMs(member) <= now) this.#forgetUnused(member);
      else this.#touch(member);
    }
  }

  /** Returns when a member may have something to do, or is to be forgotten; Infinity: never. */
  nextWakeAtMs(): Millis {
    const earliest = this.#times === undefined ? this.#onlyMember?.wakeAtMs : this.#times.minKey;
    return earliest ?? Number.POSITIVE_INFINITY;
  }

  views(): MemberView[] {
    const aheadMs = this.#options.wallTime.aheadMs;
    return this.#window.members.uses().map(({ answeredMs, ...use }) => {
      const member = this.#members.get(use.name);
      return {
        ...use,
        address: member?.address ?? '',
        subscribedAtMs: member?.subscribedAtMs ?? this.clock.nowMs(),
        answeredAtMs: answeredMs === undefined ? undefined : Math.round(answeredMs + aheadMs),
      };
    });
  }

  // --- what members ask

  get nextLease(): number {
    return this.#window.leases.next;
  }

  get head(): Position {
    return this.#options.head();
  }

  get offset(): Position {
    return this.#window.offset;
  }

  get pause(): ConsumerPause | undefined {
    return this.#options.pause();
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** See MemberHost. */
  pull(member: SessionMember): void {
    this.#touch(member);
    this.#settle(member);
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
    if (pending.era !== this.#staleEra) pending.markStale();
    pending.era = this.#staleEra;
    pending.prune(({ position, lease }) => this.#window.members.inFlightAt(position)?.lease === lease);
  }

  /** See MemberHost. */
  left(member: SessionMember, how: Leave): void {
    if (this.#members.get(member.name) !== member) return;
    this.#members.delete(member.name);
    this.#forget(member);
    this.#window.members.remove(member.name, how, this.clock.monotonicMs());
    this.#options.onLeft();
  }

  // --- inside

  #forgetUnused(member: SessionMember): void {
    member.end(undefined);
    this.left(member, { lost: false });
  }

  #fetching(name: string): FetchMember {
    const present = this.#members.get(name);
    if (present instanceof FetchMember) return present;
    if (present !== undefined) throw fieldInvalid('member', 'is subscribed at present; fetch under another name');
    const member = new FetchMember({ name, host: this, rememberMs: this.#window.settings.ackTimeoutMs });
    this.#add(member);
    this.#window.members.add(name, { maxInFlight: 0, maxInFlightBytes: 0 });
    return member;
  }

  #add(member: SessionMember): void {
    this.#members.set(member.name, member);
    if (this.#members.size < 2 || this.#times !== undefined) return;
    this.#times = new KeyedHeap();
    for (const one of this.#members.values()) {
      if (one.wakeAtMs < Number.POSITIVE_INFINITY) this.#times.add(one.wakeAtMs, one);
    }
  }

  /** The one that there is, as long as there never was another: most consumers have one. */
  get #onlyMember(): SessionMember | undefined {
    const [member] = this.#members.values();
    return member;
  }

  /** Takes out and returns the members whose time has come. */
  #takeDue(now: Millis): SessionMember[] {
    if (this.#times === undefined) {
      const only = this.#onlyMember;
      return only !== undefined && only.wakeAtMs <= now ? [only] : [];
    }
    const due: SessionMember[] = [];
    while ((this.#times.minKey ?? Number.POSITIVE_INFINITY) <= now) {
      const dueMs = this.#times.minKey;
      const member = this.#times.pop() as SessionMember;
      if (member.wakeAtMs === dueMs) due.push(member);
    }
    return due;
  }

  #touch(member: SessionMember): void {
    if (member.isTouched || this.#members.get(member.name) !== member) return;
    member.isTouched = true;
    this.#touched.push(member);
  }

  #noteHunger(member: SessionMember, hungry: boolean): void {
    if (member.isHungry === hungry) return;
    member.isHungry = hungry;
    this.#hungry += hungry ? 1 : -1;
  }

  /** Notes whether the member waits, and when to look at it, after something happened to it. */
  #settle(member: SessionMember): void {
    if (this.#members.get(member.name) !== member) return;
    this.#noteHunger(member, member.hungry);
    const atMs = Math.min(member.nextWakeAtMs() ?? Number.POSITIVE_INFINITY, this.#unusedEndMs(member));
    // Too early does no harm: it is looked at then, and noted anew.
    if (atMs >= member.wakeAtMs) return;
    member.wakeAtMs = atMs;
    this.#times?.add(atMs, member);
  }

  /** Keeps nothing of a member that goes. */
  #forget(member: SessionMember): void {
    this.#noteHunger(member, false);
    member.wakeAtMs = Number.POSITIVE_INFINITY;
  }

  #subscriptions(): Subscription[] {
    return [...this.#members.values()].filter((member) => member instanceof Subscription);
  }

  /** When to look whether a fetching member is to be forgotten. */
  #unusedEndMs(member: SessionMember): Millis {
    const since = member instanceof FetchMember ? member.unusedSinceMs : undefined;
    if (since === undefined) return Number.POSITIVE_INFINITY;
    // What is in flight of it may be answered at any time.
    return (this.inFlight(member.name).events > 0 ? Math.max(since, this.clock.monotonicMs()) : since) + FETCH_IDLE_MS;
  }
}
