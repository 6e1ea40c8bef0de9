// PushEventStream: many batches in flight, committed and answered in the order sent. Requests are read ahead only as far as the
// bounds allow; beyond them flow control holds the client. When the server drains, nothing more is read; what was is answered.

import { drainingError } from '../../domain/errors.js';

/** Batches of one stream that may be under way, and events in them: an answer has some bytes for each. */
const MAX_IN_FLIGHT = 256;
const MAX_EVENTS_IN_FLIGHT = 20_000;

/** Work that is under way; boxed, because an async function would wait for a bare promise that it returns. */
export interface Started<Answer> {
  readonly answer: Promise<Answer>;
  /** Events that it answers. */
  readonly size: number;
}

/**
 * Starts the work of each request in order, without waiting for the former one's answer, and yields the answers in order. When a
 * work or the requests fail, or the server drains, the answers before it are still yielded, then it throws. When the signal aborts
 * it ends, whatever is under way then.
 */
export async function* pipelined<Request, Answer>(
  requests: AsyncIterable<Request>,
  start: (request: Request) => Promise<Started<Answer>>,
  { cancelled, draining }: { readonly cancelled: AbortSignal; readonly draining: AbortSignal },
): AsyncGenerator<Answer, void> {
  const queue = new AnswerQueue<Answer>(cancelled);
  const reader = new RequestReader(requests, draining);
  const reading = readAhead(reader, start, queue);
  try {
    for (let next = await queue.next(); next !== undefined; next = await queue.next()) yield await next.answer;
    await reading;
  } finally {
    queue.close();
    reader.close();
  }
}

/** The requests of one stream until the server drains: one who sends nothing would be waited for. */
class RequestReader<Request> {
  readonly #requests: AsyncIterator<Request>;
  readonly #draining: AbortSignal;
  #giveUp: () => void = () => {};
  readonly #onDrain = () => this.#giveUp();

  constructor(requests: AsyncIterable<Request>, draining: AbortSignal) {
    this.#requests = requests[Symbol.asyncIterator]();
    this.#draining = draining;
    draining.addEventListener('abort', this.#onDrain);
  }

  /** Returns the next request; rejects with DRAINING. */
  next(): Promise<IteratorResult<Request>> {
    if (this.#draining.aborted) return Promise.reject(drainingError());
    return new Promise((resolve, reject) => {
      this.#giveUp = () => reject(drainingError());
      this.#requests.next().then(resolve, reject);
    });
  }

  close(): void {
    this.#draining.removeEventListener('abort', this.#onDrain);
    // Not waited for: it may stand behind a request that never comes.
    this.#requests.return?.().catch(() => {});
  }
}

async function readAhead<Request, Answer>(
  requests: RequestReader<Request>,
  start: (request: Request) => Promise<Started<Answer>>,
  queue: AnswerQueue<Answer>,
): Promise<void> {
  try {
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      if (!(await queue.room())) return;
      queue.add(await start(next.value));
    }
  } catch (error) {
    queue.add({ answer: Promise.reject(error), size: 0 });
  } finally {
    queue.end();
  }
}

interface Slot<Answer> extends Started<Answer> {
  settled: boolean;
}

class AnswerQueue<Answer> {
  readonly #answers: Slot<Answer>[] = [];
  #events = 0;
  #ended = false;
  #closed = false;
  #wake: (() => void)[] = [];

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  add({ answer, size }: Started<Answer>): void {
    const slot = { answer, size, settled: false };
    this.#answers.push(slot);
    this.#events += size;
    // A failure is looked at in its turn; until then it is not "unhandled".
    const settle = () => {
      slot.settled = true;
      this.#notify();
    };
    answer.then(settle, settle);
  }

  /** Ends the queue: no more answers will be added. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Gives the queue up: nobody takes answers any more. */
  close(): void {
    this.#closed = true;
    this.#notify();
  }

  /** The next answer once it is there; undefined after the last one, and when nobody wants it any more. */
  async next(): Promise<Started<Answer> | undefined> {
    while (!this.#closed && !this.#isNextKnown()) await this.#change();
    if (this.#closed) return undefined;
    const next = this.#answers.shift();
    this.#events -= next?.size ?? 0;
    this.#notify();
    return next;
  }

  #isNextKnown(): boolean {
    const [next] = this.#answers;
    return next === undefined ? this.#ended : next.settled;
  }

  /** Resolves when another request may be started; false when nobody wants it any more. */
  async room(): Promise<boolean> {
    while (this.#isFull() && !this.#closed) await this.#change();
    return !this.#closed;
  }

  #isFull(): boolean {
    return this.#answers.length >= MAX_IN_FLIGHT || this.#events >= MAX_EVENTS_IN_FLIGHT;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
