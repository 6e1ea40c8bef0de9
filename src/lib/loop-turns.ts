// Turns of the event loop for streams that could go on and on: so many in one round of the loop, callers by turns. Between two rounds
// the loop looks for what has come, and while several callers want it, the rest of a millisecond is theirs.

import type { Millis } from '../units.js';
import type { Callers } from './callers.js';
import type { Clock } from './clock.js';
import { FairQueue, TURN } from './fair-queue.js';

/** Turns in one round: a batch of a reader each, about half a millisecond. */
export const TURNS_OF_ROUND = 2;
/** The pause between two rounds, while several callers want the loop. */
const PAUSE_MS: Millis = 1;

export interface LoopTurnsOptions {
  readonly callers: Callers;
  readonly clock: Clock;
}

export class LoopTurns {
  readonly #options: LoopTurnsOptions;
  readonly #waiting = new FairQueue<() => void>(() => TURN);
  #isDue = false;

  constructor(options: LoopTurnsOptions) {
    this.#options = options;
  }

  /** Resolves at the caller's turn, with the next round of the loop at the earliest. */
  next(caller: string): Promise<void> {
    this.#options.callers.note(caller);
    const turn = new Promise<void>((resolve) => this.#waiting.push(caller, resolve));
    this.#plan();
    return turn;
  }

  #plan(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    const { callers, clock } = this.#options;
    const round = () => this.#round();
    // After a timer too: it may be due again before the loop has looked for what came.
    if (callers.areMany) clock.after(PAUSE_MS, () => setImmediate(round));
    else setImmediate(round);
  }

  #round(): void {
    this.#isDue = false;
    for (let turn = 0; turn < TURNS_OF_ROUND; turn += 1) this.#waiting.shift()?.();
    if (!this.#waiting.isEmpty) this.#plan();
  }
}
