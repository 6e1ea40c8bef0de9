// Files that flags name.

import { readFile } from 'node:fs/promises';
import { textProblem, withoutMark } from '../text/input-text.js';
import { UsageError } from './failures.js';

/** The bytes of a file. Throws UsageError where it cannot be read. */
export async function readBytes(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UsageError(`cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
}

/** The text of a file in UTF-8, without a byte order mark. Throws UsageError for other bytes. */
export async function readTextFile(path: string): Promise<Buffer> {
  const bytes = withoutMark(await readBytes(path));
  const problem = textProblem(bytes);
  if (problem !== undefined) throw new UsageError(`${path} ${problem}`);
  return bytes;
}
