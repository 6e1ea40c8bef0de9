// How many events a group may have so that who comes while it commits does not wait for long: learnt from the groups before.

import type { Millis } from '../../units.js';

/** How long a group may take while callers share the queue, about: who comes then waits for the rest of one, and for its own. */
const SHARED_GROUP_MS: Millis = 4;
/** What a group of few events takes is what any group does. */
const FEW_EVENTS = 8;
/** Groups from which the cost of an event can be told. */
const MANY_EVENTS = 32;
/** The weight of the newest group. */
const NEWEST = 0.2;
/** The least and the most that the pace comes to. */
const EVENTS = { least: 32, most: 512 };

export class GroupPace {
  #anyMs: Millis = 1;
  #eventMs: Millis = SHARED_GROUP_MS / EVENTS.most;

  /** Takes note of what a group took from its lock to the answer to its COMMIT. */
  observe(events: number, ms: Millis): void {
    if (events <= FEW_EVENTS) this.#anyMs += (ms - this.#anyMs) * NEWEST;
    else if (events >= MANY_EVENTS) {
      const eventMs = Math.max(0, ms - this.#anyMs) / events;
      this.#eventMs += (eventMs - this.#eventMs) * NEWEST;
    }
  }

  /** Events for which a group of a shared queue has the time. */
  get sharedEvents(): number {
    const events = SHARED_GROUP_MS / Math.max(this.#eventMs, SHARED_GROUP_MS / EVENTS.most);
    return Math.max(EVENTS.least, Math.floor(events));
  }
}
