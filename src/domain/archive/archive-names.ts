// The names of an archive's files: `context.topic.first-position.id` with an ending. What is not sealed ends in `.open`.

import type { Position } from '../../units.js';

export const DATA_END = '.ndjson.gz';
export const OPEN_END = `${DATA_END}.open`;
export const MANIFEST_END = '.manifest.json';
/** A manifest in the making. */
export const UNFINISHED_END = `${MANIFEST_END}.tmp`;

/** Characters of a context or topic that its files show; the whole names are in the manifest. */
const SHOWN = 40;
const DIGITS = 16;

/** The name of an archive, without an ending. `id` makes it unique, whoever else writes to the directory. */
export function archiveName(about: {
  readonly context: string;
  readonly topic: string;
  readonly firstPosition: Position;
  readonly id: string;
}): string {
  const { context, topic, firstPosition, id } = about;
  return `${shown(context)}.${shown(topic)}.${String(firstPosition).padStart(DIGITS, '0')}.${id}`;
}

/** The beginning of the name, in characters that mean nothing to file systems and shells. */
function shown(name: string): string {
  return name
    .replace(/[^A-Za-z0-9_-]/g, '_')
    .replace(/^-/, '_')
    .slice(0, SHOWN);
}

/** The name of the archive that a file belongs to, and which of its files it is; undefined: none of ours. */
export function archiveOf(
  file: string,
): { readonly name: string; readonly kind: 'data' | 'open' | 'manifest' } | undefined {
  const ends = { data: DATA_END, open: OPEN_END, manifest: MANIFEST_END } as const;
  for (const kind of ['open', 'data', 'manifest'] as const) {
    if (file.endsWith(ends[kind])) return { name: file.slice(0, -ends[kind].length), kind };
  }
  return undefined;
}
