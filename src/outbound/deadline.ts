// One attempt's time: a signal that aborts when it is over or when the caller gives up, with an AttemptFailure as its reason.

import { setMaxListeners } from 'node:events';
import { AttemptFailure } from './attempt-failure.js';

export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #parent: AbortSignal;
  readonly #onParent = () => this.#controller.abort(new AttemptFailure('cancelled', 'the attempt was broken off'));

  /** Starts at once. `dispose` has to be called: the parent may live as long as the process. */
  constructor(timeoutMs: number, parent: AbortSignal) {
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

/** The promise's value, or the signal's reason if that comes first; what becomes of the promise then is nobody's concern. */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, stop } = abortion(signal);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    stop();
  }
}

function abortion(signal: AbortSignal): { promise: Promise<never>; stop: () => void } {
  let stop = () => {};
  const promise = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    stop = () => signal.removeEventListener('abort', onAbort);
  });
  return { promise, stop };
}
