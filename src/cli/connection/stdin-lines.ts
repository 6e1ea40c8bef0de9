// Lines of stdin, as commands read them: who has forgotten to give any is told that they are awaited.

import { type Line, type LineBatchesOptions, lineBatches } from './line-batches.js';
import type { Session } from './run.js';

/** How long nothing is said while stdin gives nothing. */
const SILENCE_MS = 2_000;

/** Yields the lines in batches; says `news` once where none comes. */
export async function* stdinLines(
  { stdin: input, signal, output }: Session,
  news: string,
  bounds: Pick<LineBatchesOptions, 'maxLines' | 'maxBytes'>,
): AsyncGenerator<readonly Line[]> {
  const timer = setTimeout(() => output.notice(news), SILENCE_MS);
  try {
    for await (const lines of lineBatches({ input, signal, ...bounds })) {
      clearTimeout(timer);
      yield lines;
    }
  } finally {
    clearTimeout(timer);
  }
}
