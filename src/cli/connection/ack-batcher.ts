// Gathers acknowledgements for a few milliseconds and sends them together, one call at a time; keeps them over a lost
// connection.

import { setTimeout as delay } from 'node:timers/promises';
import { type Acknowledgement, type AckResult, AckStatus } from '../../../generated/madeleine/v1/consumer_service.js';
import { Backoff } from './backoff.js';
import type { MadeleineClient } from './client.js';
import { CommandFailed, isTransient } from './failures.js';

/** How long acknowledgements wait for company: ten thousand a second then cost 33 calls. */
const GATHER_MS = 30;
/** How many acknowledgements a call may carry. */
const MAX_A_CALL = 10_000;
/** How long `drain` tries while the server is away. */
const DRAIN_MS = 5000;

export interface AckBatcherOptions {
  readonly client: MadeleineClient;
  readonly context: string;
  readonly consumer: string;
  /** Is called with what was not accepted: the event will be, or was, delivered to someone again. */
  readonly onRefused: (position: bigint, status: AckStatus) => void;
}

export class AckBatcher {
  readonly #options: AckBatcherOptions;
  /** The signal of its own calls, not the command's: what was printed is acknowledged after Ctrl-C too. */
  readonly #giveUp = new AbortController();
  #waiting: Acknowledgement[] = [];
  #flushing: Promise<void> | undefined;
  /** Why acknowledging ended for good; thrown by the next call. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: AckBatcherOptions) {
    this.#options = options;
  }

  /** Takes an acknowledgement; throws what made an earlier one fail for good. */
  add(acknowledgement: Acknowledgement): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#waiting.push(acknowledgement);
    this.#flushing ??= this.#flush().finally(() => {
      this.#flushing = undefined;
    });
  }

  /** Resolves when everything that was taken is answered; throws what prevented it, or that nobody answered. */
  async drain(): Promise<void> {
    const timer = setTimeout(() => this.#giveUp.abort(), DRAIN_MS);
    while (this.#flushing !== undefined) await this.#flushing;
    clearTimeout(timer);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #flush(): Promise<void> {
    await delay(GATHER_MS);
    try {
      while (this.#waiting.length > 0) await this.#send(this.#waiting.splice(0, MAX_A_CALL));
    } catch (error) {
      const gaveUp = new CommandFailed('acknowledgements were not answered; their events will be delivered again', {
        cause: error,
      });
      this.#failure = { error: this.#giveUp.signal.aborted ? gaveUp : error };
    }
  }

  /** Sends until it is answered: while the server is away the events stay ours as long as their leases last. */
  async #send(acknowledgements: Acknowledgement[]): Promise<void> {
    const { client, context, consumer, onRefused } = this.#options;
    const { signal } = this.#giveUp;
    const backoff = new Backoff({ signal });
    for (;;) {
      try {
        const request = { context, consumer, acknowledgements };
        const { results } = await client.callOnce((options) => client.consumers.acknowledge(request, options), {
          signal,
        });
        for (const { position, status } of results.filter(isRefused)) onRefused(position, status);
        return;
      } catch (error) {
        if (!isTransient(error)) throw error;
        await backoff.wait();
      }
    }
  }
}

function isRefused({ status }: AckResult): boolean {
  return status !== AckStatus.ACK_STATUS_ACCEPTED && status !== AckStatus.ACK_STATUS_ALREADY;
}
