// Lines of a stream in batches: full ones at once, and what there is after a moment of quiet, so that a pipe that stays open
// does not hold its last lines back.

import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { orAbort } from '../../lib/or-abort.js';

const LINE_END = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** How much quiet sends a batch that is not full. */
const QUIET_MS = 20;

export interface Line {
  /** The line's number, from 1. */
  readonly number: number;
  /** The line as it came, without its end. */
  readonly bytes: Buffer;
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
  const chunks = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let next = chunks.next();
  for (;;) {
    const result = await orAbort(collector.isEmpty ? next : orQuiet(next), signal);
    if (result === 'quiet') {
      yield collector.take();
      continue;
    }
    if (result.done === true) break;
    yield* collector.add(result.value);
    next = chunks.next();
  }
  yield* collector.end();
}

/** The promise's value, or `quiet` if it takes longer than that. */
async function orQuiet<T>(promise: Promise<T>): Promise<T | 'quiet'> {
  const settled = new AbortController();
  const quiet = delay(QUIET_MS, 'quiet' as const, { signal: settled.signal });
  quiet.catch(() => undefined);
  try {
    return await Promise.race([promise, quiet]);
  } finally {
    settled.abort();
  }
}

/** Cuts what comes into lines, and lines into batches. */
class BatchCollector {
  readonly #options: LineBatchesOptions;
  /** The beginning of a line whose end did not come yet, in the pieces in which it came. */
  #rest: Buffer[] = [];
  #number = 0;
  #lines: Line[] = [];
  #bytes = 0;

  constructor(options: LineBatchesOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  /** Takes what came; returns the batches that it filled. */
  *add(chunk: Buffer): Generator<readonly Line[]> {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      yield* this.#addLine(this.#joined(chunk.subarray(from, end)));
      from = end + 1;
    }
    if (from < chunk.byteLength) this.#rest.push(chunk.subarray(from));
  }

  /** The last line, if it had no end, and what is left. */
  *end(): Generator<readonly Line[]> {
    if (this.#rest.length > 0) yield* this.#addLine(this.#joined(Buffer.alloc(0)));
    if (!this.isEmpty) yield this.take();
  }

  take(): readonly Line[] {
    const lines = this.#lines;
    this.#lines = [];
    this.#bytes = 0;
    return lines;
  }

  #joined(end: Buffer): Buffer {
    if (this.#rest.length === 0) return end;
    const line = Buffer.concat([...this.#rest, end]);
    this.#rest = [];
    return line;
  }

  *#addLine(line: Buffer): Generator<readonly Line[]> {
    this.#number += 1;
    const bytes = line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
    if (isBlank(bytes)) return;
    if (!this.isEmpty && this.#bytes + bytes.byteLength > this.#options.maxBytes) yield this.take();
    this.#lines.push({ number: this.#number, bytes });
    this.#bytes += bytes.byteLength;
    if (this.#lines.length >= this.#options.maxLines) yield this.take();
  }
}

/** Whether there is nothing but spaces and tabs. */
function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || (byte >= 0x09 && byte <= CARRIAGE_RETURN));
}
