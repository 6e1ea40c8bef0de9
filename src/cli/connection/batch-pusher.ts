// Keeps several batches of pushes in flight on one PushEventStream, and sends the unanswered ones again on a new stream
// after a lost connection. The events carry message ids, so that sending again stores nothing twice.

import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import type { PushEventStreamRequest, PushResult } from '../../../generated/madeleine/v1/event_service.js';
import type { Millis } from '../../units.js';
import { Backoff } from './backoff.js';
import type { MadeleineClient } from './client.js';
import { CommandFailed, describeFailure, isTransient } from './failures.js';

/** Batches in flight. */
const WINDOW = 8;
/** How long nothing may be answered before it gives up. */
const GIVE_UP_MS = 30_000;

export interface LineEvent {
  /** Line of stdin that it came from, from 1. */
  readonly line: number;
  readonly event: Partial<NewEvent>;
}

export interface Batch {
  readonly events: readonly LineEvent[];
  readonly bytes: number;
}

export interface BatchPusherOptions {
  readonly client: Pick<MadeleineClient, 'events'>;
  readonly signal: AbortSignal;
  /** The epoch that the streams of all events have to be in; undefined: any. */
  readonly streamEpoch?: bigint | undefined;
  /** Is called once a batch, in order; the next answer waits for it. */
  readonly onResults: (batch: Batch, results: readonly PushResult[]) => Promise<void>;
  readonly onRetry: (why: string) => void;
  /** How long what was sent may stay unanswered; 30 s unless told. */
  readonly giveUpMs?: Millis;
}

export class BatchPusher {
  readonly #options: BatchPusherOptions;
  readonly #backoff: Backoff;
  /** Batches that are sent or to be sent, and not answered; in order. */
  readonly #unanswered = new Map<bigint, Batch>();
  #pull: Promise<IteratorResult<Batch>> | undefined;
  #nextId = 1n;
  #exhausted = false;
  #wake: () => void = () => undefined;
  /** Since when what is unanswered has been waiting without any answer. */
  #waitingSinceMs = performance.now();

  constructor(options: BatchPusherOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ signal: options.signal });
  }

  /** Pushes all batches; rejects with what ended it when the server refuses the stream or stays away. */
  async run(source: AsyncIterable<Batch>): Promise<void> {
    const batches = source[Symbol.asyncIterator]();
    this.#waitingSinceMs = performance.now();
    while (!this.#exhausted || this.#unanswered.size > 0) {
      try {
        await this.#pushStream(batches);
        if (this.#unanswered.size > 0) await this.#retry('the server ended the call');
      } catch (error) {
        if (this.#options.signal.aborted || !isTransient(error)) throw error;
        await this.#retry(describeFailure(error));
      }
    }
  }

  async #retry(why: string): Promise<void> {
    if (this.#isTooLate()) throw this.#gaveUp(`: ${why}`);
    this.#options.onRetry(why);
    await this.#backoff.wait();
  }

  #isTooLate(): boolean {
    return this.#unanswered.size > 0 && performance.now() - this.#waitingSinceMs > this.#giveUpMs;
  }

  get #giveUpMs(): Millis {
    return this.#options.giveUpMs ?? GIVE_UP_MS;
  }

  #gaveUp(why: string): CommandFailed {
    return new CommandFailed(`gave up after ${this.#giveUpMs / 1000} s without an answer${why}`);
  }

  /** Pushes over one stream: what is unanswered first, then new batches as answers make room. */
  async #pushStream(batches: AsyncIterator<Batch>): Promise<void> {
    const { client, signal, onResults } = this.#options;
    const ended = new AbortController();
    // A server may take everything, keep the connection, and answer nothing.
    const silent = new AbortController();
    const timer = setInterval(() => this.#isTooLate() && silent.abort(), this.#giveUpMs / 10);
    const options = { signal: AbortSignal.any([signal, silent.signal]) };
    try {
      for await (const answer of client.events.pushEventStream(this.#requests(batches, ended.signal), options)) {
        const batch = this.#unanswered.get(answer.batchId);
        if (batch === undefined) continue;
        this.#unanswered.delete(answer.batchId);
        this.#waitingSinceMs = performance.now();
        this.#backoff.reset();
        this.#wake();
        await onResults(batch, answer.results);
      }
    } catch (error) {
      throw silent.signal.aborted && !signal.aborted ? this.#gaveUp('') : error;
    } finally {
      clearInterval(timer);
      ended.abort();
      this.#wake();
    }
  }

  async *#requests(batches: AsyncIterator<Batch>, ended: AbortSignal): AsyncGenerator<PushEventStreamRequest> {
    const { streamEpoch } = this.#options;
    for (const [id, batch] of [...this.#unanswered]) yield request(id, batch, streamEpoch);
    while (!this.#exhausted) {
      await this.#room(ended);
      // Kept until it is taken: a stream that ends while lines are awaited leaves the batch to the next stream.
      this.#pull ??= batches.next();
      const next = await this.#pull;
      if (ended.aborted) return;
      this.#pull = undefined;
      if (next.done === true) {
        this.#exhausted = true;
        return;
      }
      if (this.#unanswered.size === 0) this.#waitingSinceMs = performance.now();
      const id = this.#nextId++;
      this.#unanswered.set(id, next.value);
      yield request(id, next.value, streamEpoch);
    }
  }

  /** Resolves when fewer than a window are unanswered, or the stream ended. */
  async #room(ended: AbortSignal): Promise<void> {
    while (this.#unanswered.size >= WINDOW && !ended.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function request(batchId: bigint, { events }: Batch, streamEpoch: bigint | undefined): PushEventStreamRequest {
  const pushes = events.map(({ event }) => ({ event: event as NewEvent, expectedSequence: undefined, streamEpoch }));
  return { batchId, events: pushes, atomic: false };
}
