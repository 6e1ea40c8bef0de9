// Archives as files, for those who read them.

import { join } from 'node:path';
import type { LogEntry } from '../../../src/domain/events/event.js';
import { ArchiveDirectory } from '../../../src/storage/archive/archive-directory.js';
import { archivedLine } from '../../../src/storage/archive/archived-lines.js';
import { AT } from './full-entry.js';

/** Writes an archive with a part for each list of entries, all of one topic; returns the path of its files, without an ending. */
export async function writeArchive(
  path: string,
  parts: readonly (readonly LogEntry[])[],
  { isSealed = true }: { readonly isSealed?: boolean } = {},
): Promise<string> {
  const directory = new ArchiveDirectory({ path, writer: { instance: 'i:1', serverVersion: '1' } });
  const [first] = parts.flat() as [LogEntry];
  const archive = directory.grow({ context: first.context, topic: first.topic, firstPosition: first.position });
  for (const entries of parts) {
    await archive.append(entries.map(archivedLine));
    archive.keep();
  }
  if (isSealed) await archive.seal(AT);
  return join(directory.path, archive.name);
}
