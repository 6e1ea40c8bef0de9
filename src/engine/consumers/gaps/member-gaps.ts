// The gaps that one member is told of, until it is known that it has them: a frame may be lost with its connection, and then somebody else
// is told.
//
// | state   | entered when            | left when                                                                                 |
// |---------|-------------------------|-------------------------------------------------------------------------------------------|
// | waiting | the member is to be told | it is in a frame or an answer: given; the member leaves: others are told                   |
// | given   | it was sent             | the member answered what it got with it or later, or its connection lived on: it has it; it leaves: others are told |

import type { ConsumerGap } from '../../../storage/ports/unread-storage.js';
import type { Millis } from '../../../units.js';

/** A connection that is alive so long after something was written has delivered it: the server asks a silent one whether it is. */
export const LIVED_MS: Millis = 60_000;
/** Gaps that were given and not answered, at most: of who never answers anything, the oldest ones count as had. */
export const MAX_GIVEN = 100;

/** Where something is sent to, and when. */
export interface Sending {
  readonly now: Millis;
  /** Names the connection; empty: the member has but one. */
  readonly address: string;
  /** The lease of the first event that goes with it, or after it; undefined: none is known. */
  readonly lease: number | undefined;
}

interface Told {
  readonly gap: ConsumerGap;
  /** Who has an event of this lease, or of a greater one, has the gap. */
  lease: number;
  /** Undefined: it waits. */
  given: { readonly atMs: Millis; readonly address: string } | undefined;
}

export class MemberGaps {
  #told: Told[] = [];

  get isEmpty(): boolean {
    return this.#told.length === 0;
  }

  get isWaiting(): boolean {
    return this.#told.some(({ given }) => given === undefined);
  }

  /** Has the member told of a gap; `lease`: the next one that is minted. */
  add(gap: ConsumerGap, lease: number): void {
    this.#told.push({ gap, lease, given: undefined });
  }

  /** The next one that waits, which is given now. */
  next(sending: Sending): ConsumerGap | undefined {
    const told = this.#told.find(({ given }) => given === undefined);
    return told === undefined ? undefined : give(told, sending);
  }

  /** All, also those that were given before: they are given now. */
  all(sending: Sending): readonly ConsumerGap[] {
    return this.#told.map((told) => give(told, sending));
  }

  /** Takes out those that the member has for sure, as it answered an event of this lease. */
  answered(lease: number): readonly ConsumerGap[] {
    return this.#takeOut(({ given, lease: from }) => given !== undefined && lease >= from);
  }

  /** Takes out those that the member has, as the connection lives on over which they were given; and the oldest, if there are too many. */
  lived(now: Millis, address: string): readonly ConsumerGap[] {
    const over = this.#told.length - MAX_GIVEN;
    const oldest = over > 0 ? new Set(this.#told.slice(0, over)) : undefined;
    return this.#takeOut((told) => {
      const { given } = told;
      if (given === undefined) return false;
      return (given.address === address && now - given.atMs >= LIVED_MS) || oldest?.has(told) === true;
    });
  }

  /** Takes out those that wait. */
  takeWaiting(): readonly ConsumerGap[] {
    return this.#takeOut(({ given }) => given === undefined);
  }

  takeAll(): readonly ConsumerGap[] {
    return this.#takeOut(() => true);
  }

  #takeOut(isMeant: (told: Told) => boolean): readonly ConsumerGap[] {
    const taken = this.#told.filter(isMeant);
    if (taken.length > 0) this.#told = this.#told.filter((told) => !taken.includes(told));
    return taken.map(({ gap }) => gap);
  }
}

function give(told: Told, { now, address, lease }: Sending): ConsumerGap {
  if (lease !== undefined) told.lease = Math.min(told.lease, lease);
  // The first connection counts as long as it may live.
  if (told.given === undefined || now - told.given.atMs >= LIVED_MS) told.given = { atMs: now, address };
  return told.gap;
}
