// One attempt's time: a signal that aborts when it is over or when the caller gives up, with an AttemptFailure as its reason.

import { setMaxListeners } from 'node:events';
import type { Millis } from '../../units.js';
import { AttemptFailure } from './attempt-failure.js';

export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #parent: AbortSignal;
  readonly #onParent = () => this.#controller.abort(new AttemptFailure('cancelled', 'the attempt was broken off'));

  /** Starts at once. `dispose` has to be called: the parent may live as long as the process. */
  constructor(timeoutMs: Millis, parent: AbortSignal) {
    this.#parent = parent;
    // One signal ends all attempts of a server: many listeners are no leak.
    setMaxListeners(0, parent);
    this.#timer = setTimeout(() => {
      this.#controller.abort(new AttemptFailure('timeout', `no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    if (parent.aborted) this.#onParent();
    else parent.addEventListener('abort', this.#onParent, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#parent.removeEventListener('abort', this.#onParent);
  }
}
