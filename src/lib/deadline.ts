// A time limit as a signal, for what is told by one to end.

import { setMaxListeners } from 'node:events';
import type { Millis } from '../units.js';
import type { Clock, Timer } from './clock.js';

export interface DeadlineOptions {
  /** Ends it before its time. */
  readonly parent?: AbortSignal | undefined;
  /** The signal's reason where the time was over, and where the parent came first. */
  readonly late?: () => Error;
  readonly cancelled?: () => Error;
}

/** Aborts its signal when its time is over or when its parent aborts. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: Timer;
  readonly #parent: AbortSignal | undefined;
  readonly #onParent: () => void;

  /** Starts at once. `dispose` has to be called: the parent may live as long as the process. */
  constructor(clock: Clock, timeoutMs: Millis, { parent, late, cancelled }: DeadlineOptions = {}) {
    this.#parent = parent;
    this.#onParent = () => this.#controller.abort(cancelled?.());
    this.#timer = clock.after(timeoutMs, () => this.#controller.abort(late?.()));
    if (parent === undefined) return;
    // One signal may end thousands of waits: many listeners are no leak.
    setMaxListeners(0, parent);
    if (parent.aborted) this.#onParent();
    else parent.addEventListener('abort', this.#onParent, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  dispose(): void {
    this.#timer.stop();
    this.#parent?.removeEventListener('abort', this.#onParent);
  }
}
