// What a consumer's session knows of each of its members, be it a subscriber or callers of Fetch.

import type { Leave, MemberCredit } from '../../domain/consumers/delivery-types.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import type { Clock } from '../../lib/clock.js';
import type { ConsumerGap } from '../../storage/ports/unread-storage.js';
import type { Millis } from '../../units.js';
import type { PendingDeliveries } from './pending-deliveries.js';

export interface SessionMember {
  readonly name: string;
  /** Where its calls come from. */
  readonly address: string;
  /** The time of its coming by the wall clock, for people. */
  readonly subscribedAtMs: Millis;
  readonly pending: PendingDeliveries;
  /** Whether somebody waits for more events than are pending for it. */
  readonly hungry: boolean;
  /** Notes of its session: whether it was hungry when it was looked at, whether it is to be looked at, and when at the latest. */
  isHungry: boolean;
  isTouched: boolean;
  wakeAtMs: Millis;
  /** Called when the session has handed out what it could for now; `idle`: nothing more will come without news. */
  roundDone(idle: boolean, now: Millis): void;
  /** Returns when the member wants to be called again; undefined: never. */
  nextWakeAtMs(): Millis | undefined;
  /** Tells it of a gap; false: nobody is there to take it. */
  tellGap(gap: ConsumerGap): boolean;
  /** Takes note that it answered an event that it got by this lease: it has what was sent before. */
  answered(lease: number): void;
  /** Ends it, with an error or in order. */
  end(error: Error | undefined): void;
}

/** What members ask of their session. */
export interface MemberHost {
  /** Asks for events, as somebody waits now at the member. */
  pull(member: SessionMember): void;
  setCredit(member: string, credit: MemberCredit): void;
  /** Returns how many events of a member are in flight, and their bytes. */
  inFlight(member: string): { readonly events: number; readonly bytes: number };
  /** Drops from the pending deliveries what is no longer leased. */
  prune(pending: PendingDeliveries): void;
  /** Takes note that somebody has gaps. */
  gapsTaken(gaps: readonly ConsumerGap[]): void;
  /** Takes back gaps that a member leaves to others. */
  gapsReturned(gaps: readonly ConsumerGap[]): void;
  /** Ends a member whose stream is over. */
  left(member: SessionMember, how: Leave): void;
  /** The next lease that is minted. */
  readonly nextLease: number;
  readonly head: number;
  readonly offset: number;
  /** Undefined: the consumer is not paused. */
  readonly pause: ConsumerPause | undefined;
  readonly clock: Clock;
}
