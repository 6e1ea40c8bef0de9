// A connection to whichever of a host's checked addresses is ready first. Each address is tried beside those before it, which go on:
// one that does not answer costs its head start, not the call, and one that answers late is still taken.

import { setMaxListeners } from 'node:events';
import type { Millis } from '../../units.js';

/** How long an address is tried alone before the next one is tried beside it; less where there are many for the time. */
const HEAD_START_MS = 250;
/** A name with more addresses than this is tried at the first of them. */
const MAX_ADDRESSES = 32;

export interface PinnedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

export interface FirstConnectionOptions<T> {
  readonly addresses: readonly PinnedAddress[];
  /** Connects to one address, until the signal aborts. */
  readonly connect: (address: PinnedAddress, signal: AbortSignal) => Promise<T>;
  /** Undoes a connection that nobody needs any more. */
  readonly discard: (connection: T) => void;
  /** The time for all of it; the signal is what ends it. */
  readonly timeMs: Millis;
  readonly signal: AbortSignal;
}

/** Rejects with the signal's reason, or when every address has failed with the failure that says most. */
export function firstConnection<T>(options: FirstConnectionOptions<T>): Promise<T> {
  return new Race(options).run();
}

class Race<T> {
  readonly #options: FirstConnectionOptions<T>;
  readonly #waiting: PinnedAddress[];
  readonly #headStartMs: Millis;
  /** Aborted once it is decided: what is under way is given up. */
  readonly #over = new AbortController();
  readonly #failures: unknown[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #settle: { readonly resolve: (connection: T) => void; readonly reject: (error: unknown) => void } | undefined;

  constructor(options: FirstConnectionOptions<T>) {
    this.#options = options;
    this.#waiting = inTurns(options.addresses).slice(0, MAX_ADDRESSES);
    this.#headStartMs = Math.min(HEAD_START_MS, options.timeMs / (this.#waiting.length + 1));
    // One listener an address, taken away with it.
    setMaxListeners(0, this.#over.signal);
  }

  async run(): Promise<T> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    const onAbort = () => {
      this.#settle?.reject(signal.reason);
      // What is ready a moment later has nobody to go to.
      this.#over.abort();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#settle = { resolve, reject };
        this.#next();
      });
    } finally {
      signal.removeEventListener('abort', onAbort);
      clearTimeout(this.#timer);
      this.#over.abort();
    }
  }

  #next(): void {
    clearTimeout(this.#timer);
    const address = this.#waiting.shift();
    if (address !== undefined) void this.#try(address);
    else if (this.#running === 0) this.#settle?.reject(mostTelling(this.#failures));
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#next(), this.#headStartMs);
  }

  async #try(address: PinnedAddress): Promise<void> {
    this.#running += 1;
    try {
      const connection = await this.#options.connect(address, this.#over.signal);
      if (this.#over.signal.aborted) this.#options.discard(connection);
      else this.#settle?.resolve(connection);
      // Nobody else may win until the winner is told.
      this.#over.abort();
    } catch (error) {
      this.#running -= 1;
      this.#failures.push(error);
      if (!this.#over.signal.aborted) this.#next();
    }
  }
}

/** The families in turns, that of the first address first: where one of them leads nowhere, the other is tried next. */
function inTurns(addresses: readonly PinnedAddress[]): PinnedAddress[] {
  const [first] = addresses;
  const same = addresses.filter(({ family }) => family === first?.family);
  const other = addresses.filter(({ family }) => family !== first?.family);
  return same.flatMap((address, index) => [address, ...other.slice(index, index + 1)]).concat(other.slice(same.length));
}

/** What this machine says of a family that it has no way for. */
const NO_WAY = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

function mostTelling(failures: readonly unknown[]): unknown {
  return failures.find((error) => !NO_WAY.has((error as NodeJS.ErrnoException).code ?? '')) ?? failures[0];
}
