// Keeps a server stream going: opens it again with back-off when the connection or the server goes away.

import { ClientError } from 'nice-grpc';
import type { Millis } from '../../units.js';
import type { Output } from '../text/output.js';
import { Backoff } from './backoff.js';
import { describeFailure, isTransient, refusalOf } from './failures.js';

/** How long a stream that has an end waits for a server that is away. */
const GIVE_UP_MS = 30_000;

export type FrameResult = 'more' | 'done' | 'again';

export interface KeptStreamOptions<T> {
  /** Opens the stream, from where the former one ended. */
  readonly open: () => AsyncIterable<T>;
  /** Works on one frame; `done` ends everything, `again` leaves this stream for a new one. */
  readonly onFrame: (frame: T) => Promise<FrameResult>;
  /** Whether a stream that ends by itself is opened again, and a server that is away waited for without end. */
  readonly endless: boolean;
  readonly signal: AbortSignal;
  readonly output: Pick<Output, 'notice'>;
}

export class KeptStream<T> {
  readonly #options: KeptStreamOptions<T>;
  readonly #backoff: Backoff;
  /** The time since which the connection is lost; people were told. */
  #lostSinceMs: Millis | undefined;

  constructor(options: KeptStreamOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ signal: options.signal });
  }

  /**
   * Resolves when `onFrame` says that it is done or a stream that is not endless ends. Rejects with the server's error when trying
   * again would not help, and when the signal aborts.
   */
  async run(): Promise<void> {
    const { signal, endless } = this.#options;
    while (!signal.aborted) {
      const how = await this.#once();
      if (how === 'done' || (how === 'ended' && !endless)) return;
      await this.#backoff.wait(typeof how === 'string' ? undefined : how.retryAfterMs);
    }
    signal.throwIfAborted();
  }

  /** Reads one stream to its end, or to a failure that a retry may mend. */
  async #once(): Promise<'done' | 'ended' | 'again' | { readonly retryAfterMs: Millis | undefined }> {
    const { open, onFrame, signal } = this.#options;
    try {
      for await (const frame of open()) {
        this.#found();
        const result = await onFrame(frame);
        if (result !== 'more') return result;
      }
      return 'ended';
    } catch (error) {
      if (signal.aborted || !isTransient(error)) throw error;
      this.#lose(error);
      return { retryAfterMs: error instanceof ClientError ? refusalOf(error).retryAfterMs : undefined };
    }
  }

  #found(): void {
    if (this.#lostSinceMs !== undefined) this.#options.output.notice('connected again');
    this.#lostSinceMs = undefined;
    this.#backoff.reset();
  }

  /** Tells people once; throws when a stream that has an end waited long enough. */
  #lose(error: unknown): void {
    if (this.#lostSinceMs === undefined) this.#options.output.notice(`${describeFailure(error)}; trying again`);
    this.#lostSinceMs ??= performance.now();
    if (!this.#options.endless && performance.now() - this.#lostSinceMs > GIVE_UP_MS) throw error;
  }
}
