// All that stdin gives, for commands that take one thing from it.

import { orAbort } from '../../lib/or-abort.js';
import { UsageError } from './failures.js';
import type { Session } from './run.js';

/** Bytes beyond which no server takes a request. */
const MAX_BYTES = 4 * 1024 * 1024;
/** How long nothing is said while stdin gives nothing. */
const SILENCE_MS = 2_000;

/** Reads stdin to its end; says `news` once where nothing comes. Throws UsageError for more than a request may have. */
export async function readStdin({ stdin, signal, output }: Session, news: string): Promise<Buffer> {
  const timer = setTimeout(() => output.notice(news), SILENCE_MS);
  const chunks = (stdin as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for (let next = await orAbort(chunks.next(), signal); next.done !== true; ) {
      clearTimeout(timer);
      const part = Buffer.from(next.value);
      bytes += part.byteLength;
      if (bytes > MAX_BYTES) throw new UsageError(`stdin has more than ${MAX_BYTES} bytes`);
      parts.push(part);
      next = await orAbort(chunks.next(), signal);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts);
}
