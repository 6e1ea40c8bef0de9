// Lines of a stream in batches: full ones at once, and what there is after a moment of quiet, so that a pipe that stays open
// does not hold its last lines back.

import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** How much quiet sends a batch that is not full. */
const QUIET_MS = 20;

export interface Line {
  /** The line's number, from 1. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the text in UTF-8. */
  readonly bytes: number;
}

export interface LineBatchesOptions {
  readonly input: Readable;
  readonly maxLines: number;
  /** Bytes that a batch ends before; one longer line stands alone. */
  readonly maxBytes: number;
  /** Ends the reading; then the generator rejects with its AbortError. */
  readonly signal: AbortSignal;
}

/** Yields the lines in batches. Empty ones are counted and left out; they end with \n or \r\n, the last one may go without. */
export async function* lineBatches(options: LineBatchesOptions): AsyncGenerator<readonly Line[]> {
  const { input, signal } = options;
  const collector = new BatchCollector(options);
  const chunks = (input.setEncoding('utf8') as AsyncIterable<string>)[Symbol.asyncIterator]();
  const aborted = rejectWhenAborted(signal);
  let next = chunks.next();
  for (;;) {
    const waits = [next, aborted.promise];
    const result = await (collector.isEmpty ? Promise.race(waits) : raceQuiet(waits));
    if (result === 'quiet') {
      yield collector.take();
      continue;
    }
    if (result.done === true) break;
    yield* collector.add(result.value);
    next = chunks.next();
  }
  aborted.release();
  yield* collector.end();
}

async function raceQuiet<T>(waits: readonly Promise<T>[]): Promise<T | 'quiet'> {
  const settled = new AbortController();
  const quiet = delay(QUIET_MS, 'quiet' as const, { signal: settled.signal });
  quiet.catch(() => undefined);
  try {
    return await Promise.race([...waits, quiet]);
  } finally {
    settled.abort();
  }
}

function rejectWhenAborted(signal: AbortSignal): { readonly promise: Promise<never>; release(): void } {
  let release: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    release = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
  });
  promise.catch(() => undefined);
  return { promise, release };
}

/** Cuts text into lines, and lines into batches. */
class BatchCollector {
  readonly #options: LineBatchesOptions;
  #rest = '';
  #number = 0;
  #lines: Line[] = [];
  #bytes = 0;

  constructor(options: LineBatchesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** Takes text; returns the batches that it filled. */
  *add(text: string): Generator<readonly Line[]> {
    const lines = text.split('\n');
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop() ?? '';
    for (const line of lines) yield* this.#addLine(line);
  }

  /** The last line, if it had no end, and what is left. */
  *end(): Generator<readonly Line[]> {
    if (this.#rest !== '') yield* this.#addLine(this.#rest);
    if (!this.isEmpty) yield this.take();
  }

  take(): readonly Line[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return lines;
  }

  *#addLine(line: string): Generator<readonly Line[]> {
    this.#number += 1;
    const text = line.endsWith('\r') ? line.slice(0, -1) : line;
    if (text.trim() === '') return;
    const bytes = Buffer.byteLength(text);
    if (!this.isEmpty && this.#bytes + bytes > this.#options.maxBytes) yield this.take();
    this.#lines.push({ number: this.#number, text, bytes });
    this.#bytes += bytes;
    if (this.#lines.length >= this.#options.maxLines) yield this.take();
  }
}
