// PushEventStream: many batches in flight, committed and answered in the order sent. Requests are read ahead only as far as the
// bounds allow; beyond them flow control holds the client.

/** Batches of one stream that may be under way. */
const MAX_IN_FLIGHT = 256;

/** Work that is under way; boxed, because an async function would wait for a bare promise that it returns. */
export interface Started<Answer> {
  readonly answer: Promise<Answer>;
}

/**
 * Starts the work of each request in order, without waiting for the former one's answer, and yields the answers in order. When a
 * work or the requests fail, the answers before it are still yielded, then it throws.
 */
export async function* pipelined<Request, Answer>(
  requests: AsyncIterable<Request>,
  start: (request: Request) => Promise<Started<Answer>>,
  signal: AbortSignal,
): AsyncGenerator<Answer, void> {
  const queue = new AnswerQueue<Answer>(signal);
  const reading = readAhead(requests, start, queue);
  try {
    for (let next = await queue.next(); next !== undefined; next = await queue.next()) yield await next.answer;
    await reading;
  } finally {
    queue.close();
  }
}

async function readAhead<Request, Answer>(
  requests: AsyncIterable<Request>,
  start: (request: Request) => Promise<Started<Answer>>,
  queue: AnswerQueue<Answer>,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (!(await queue.room())) return;
      queue.add(await start(request));
    }
  } catch (error) {
    queue.add({ answer: Promise.reject(error) });
  } finally {
    queue.end();
  }
}

class AnswerQueue<Answer> {
  readonly #answers: Started<Answer>[] = [];
  #ended = false;
  #closed = false;
  #wake: (() => void)[] = [];

  constructor(signal: AbortSignal) {
    signal.addEventListener('abort', () => this.close(), { once: true });
  }

  add(started: Started<Answer>): void {
    // Looked at in its turn; until then its failure is not "unhandled".
    started.answer.catch(() => {});
    this.#answers.push(started);
    this.#notify();
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

  /** The next answer; undefined after the last one. */
  async next(): Promise<Started<Answer> | undefined> {
    while (this.#answers.length === 0 && !this.#ended && !this.#closed) await this.#change();
    const started = this.#answers.shift();
    this.#notify();
    return started;
  }

  /** Resolves when another request may be started; false when nobody wants it any more. */
  async room(): Promise<boolean> {
    while (this.#answers.length >= MAX_IN_FLIGHT && !this.#closed) await this.#change();
    return !this.#closed;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}
