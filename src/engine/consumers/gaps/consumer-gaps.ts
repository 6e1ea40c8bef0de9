// What of a running consumer was deleted before it had passed it: taken from storage, told to one of its members before anything that lies
// beyond it, and forgotten there once it is known that this has it (see MemberGaps). What a member leaves is told to the next one, and
// whoever runs the consumer next tells what nobody is known to have: at least once, and never lost.

import type { ConsumerGap, UnreadStore } from '../../../storage/ports/unread-storage.js';
import type { Position } from '../../../units.js';
import type { ConsumerHold } from '../ownership/consumer-hold.js';

export interface ConsumerGapsOptions {
  readonly hold: ConsumerHold;
  readonly store: Pick<UnreadStore, 'takeGaps' | 'toldGaps'>;
  /** What was deleted unread so far, told or not, as it was stored when the consumer was taken over. */
  readonly expiredUnread: number;
  /** Whether storage has something to tell. */
  readonly isDue: boolean;
}

/** Hands a gap to a member that is there to take it; false: nobody is. */
export type TellGap = (gap: ConsumerGap) => boolean;

export class ConsumerGaps {
  readonly #hold: ConsumerHold;
  readonly #store: ConsumerGapsOptions['store'];
  #expiredUnread: number;
  /** Taken from storage and handed to nobody, by where they begin. Made for the first one: most consumers have none. */
  #waiting: ConsumerGap[] | undefined;
  /** Gaps that members are told of, and that nobody is known to have. */
  #withMembers = 0;
  /** What somebody has, and storage is still to forget. */
  #told: number[] | undefined;
  #isDue: boolean;

  constructor({ hold, store, expiredUnread, isDue }: ConsumerGapsOptions) {
    this.#hold = hold;
    this.#store = store;
    this.#expiredUnread = expiredUnread;
    this.#isDue = isDue;
  }

  /** How many events were deleted unread, as far as it is known here. */
  get expiredUnread(): number {
    return this.#expiredUnread;
  }

  /** Whether storage has to be asked before anything more is delivered. */
  get isDue(): boolean {
    return this.#isDue;
  }

  /** Where the next one begins that is to be told; Infinity: there is none. */
  get nextAt(): Position {
    return this.#waiting?.[0]?.first ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a member may have a gap, so that it matters what it answers. */
  get areWithMembers(): boolean {
    return this.#withMembers > 0;
  }

  /** Takes note of how many events were deleted unread: while nobody may be told, nothing else says so. */
  noteExpired(count: number): void {
    this.#expiredUnread = Math.max(this.#expiredUnread, count);
  }

  /** Takes note that something may have been recorded. */
  noteDue(): void {
    this.#isDue = true;
  }

  /** Takes from storage what was recorded since. To be called after each read of it: what that lacks is told before what it has. */
  async look(): Promise<void> {
    this.#isDue = false;
    try {
      const taken = await this.#store.takeGaps(this.#hold.guard);
      if (taken === undefined) return this.#hold.loseHold();
      if (taken.gaps.length === 0) return;
      this.#expiredUnread = taken.expiredUnread;
      this.#wait(taken.gaps);
    } catch (error) {
      this.#isDue = true;
      throw error;
    }
  }

  /** Tells what begins at or before a position; what nobody takes stays. */
  tellUpTo(position: Position, tell: TellGap): void {
    const waiting = this.#waiting;
    while (waiting?.[0] !== undefined && waiting[0].first <= position) {
      if (!tell(waiting[0])) return;
      waiting.shift();
      this.#withMembers += 1;
    }
  }

  /** A member has it: nobody is told again. */
  taken({ id }: ConsumerGap): void {
    this.#withMembers -= 1;
    this.#told = [...(this.#told ?? []), id];
  }

  /** A member went, and may not have them. */
  returned(gaps: readonly ConsumerGap[]): void {
    if (gaps.length === 0) return;
    this.#withMembers -= gaps.length;
    this.#wait(gaps);
  }

  /** Has storage forget what somebody has. */
  async settle(): Promise<void> {
    const told = this.#told;
    if (told === undefined) return;
    this.#told = undefined;
    try {
      await this.#store.toldGaps(this.#hold.guard, told);
    } catch (error) {
      this.#told = [...told, ...(this.#told ?? [])];
      throw error;
    }
  }

  #wait(gaps: readonly ConsumerGap[]): void {
    this.#waiting = [...(this.#waiting ?? []), ...gaps].sort((a, b) => a.first - b.first || a.id - b.id);
  }
}
