// The entries of many archives, topic by topic in the order of the log, each once: what was archived twice, before a crash or a restored
// backup and after it, is told once.
//
// Only the heads of parts are known of an archive that the order has reached, and only the lines of parts that it is within: what is in
// memory does not grow with what is read.

import { LineProblem, type ReadLine, readArchiveLine } from '../../domain/archive/read-line.js';
import { KeyedHeap } from '../../domain/collections/keyed-heap.js';
import type { Part } from './archive-file.js';
import { aboutArchive, dataPath, type FoundArchive, findParts, readPart } from './found-archives.js';

/** An entry, and its line as it stands in the file. */
export interface MergedLine extends ReadLine {
  readonly line: Buffer;
}

export interface MergeOptions {
  /** Undefined: every context, or topic. */
  readonly context?: string | undefined;
  readonly topic?: string | undefined;
  readonly from: number;
  readonly to: number;
  /** Is told of a place from which on an archive cannot be read. */
  readonly onDamage: (file: string, damage: Error) => void;
}

/** What comes next at a position. */
type Next =
  | { readonly kind: 'archive'; readonly archive: FoundArchive }
  | { readonly kind: 'part'; readonly archive: FoundArchive; readonly parts: readonly Part[]; readonly at: number }
  | {
      readonly kind: 'line';
      readonly archive: FoundArchive;
      readonly lines: readonly MergedLine[];
      readonly at: number;
    };

/** The entries of the archives that are asked for. */
export async function* mergedLines(
  archives: readonly FoundArchive[],
  options: MergeOptions,
): AsyncGenerator<MergedLine> {
  for (const ofTopic of await byTopic(archives, options)) yield* merged(ofTopic, options);
}

interface Placed {
  readonly archive: FoundArchive;
  readonly key: string;
  readonly firstPosition: number;
}

async function byTopic(
  archives: readonly FoundArchive[],
  { context, topic }: MergeOptions,
): Promise<readonly (readonly Placed[])[]> {
  const topics = new Map<string, Placed[]>();
  for (const archive of archives) {
    const about = await aboutArchive(archive);
    if (about === undefined || (context ?? about.context) !== about.context || (topic ?? about.topic) !== about.topic) {
      continue;
    }
    const key = JSON.stringify([about.context, about.topic]);
    const placed = { archive, key, firstPosition: about.firstPosition };
    topics.set(key, [...(topics.get(key) ?? []), placed]);
  }
  return [...topics].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, placed]) => placed);
}

async function* merged(placed: readonly Placed[], options: MergeOptions): AsyncGenerator<MergedLine> {
  const heap = new KeyedHeap<Next>();
  for (const { archive, firstPosition } of placed) heap.add(firstPosition, { kind: 'archive', archive });
  let last = 0;
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) {
    if (next.kind === 'archive') addPart(heap, next.archive, await partsWithin(next.archive, options), 0);
    else if (next.kind === 'part') await addLines(heap, next, options);
    else {
      const line = next.lines[next.at] as MergedLine;
      addLine(heap, next.archive, next.lines, next.at + 1);
      if (line.position === last) continue;
      last = line.position;
      yield line;
    }
  }
}

async function partsWithin(archive: FoundArchive, { from, to, onDamage }: MergeOptions): Promise<readonly Part[]> {
  const { parts, damage } = await findParts(archive);
  // What stands at the end of an open one may be a part that is being written.
  if (damage !== undefined && archive.hasData) onDamage(dataPath(archive), damage);
  return parts
    .filter(({ firstPosition, lastPosition }) => lastPosition >= from && firstPosition <= to)
    .sort((a, b) => a.firstPosition - b.firstPosition);
}

function addPart(heap: KeyedHeap<Next>, archive: FoundArchive, parts: readonly Part[], at: number): void {
  const part = parts[at];
  if (part !== undefined) heap.add(part.firstPosition, { kind: 'part', archive, parts, at });
}

async function addLines(
  heap: KeyedHeap<Next>,
  { archive, parts, at }: Next & { kind: 'part' },
  { from, to, onDamage }: MergeOptions,
): Promise<void> {
  addPart(heap, archive, parts, at + 1);
  try {
    const raw = await readPart(archive, parts[at] as Part);
    const lines = raw.map((line) => ({ ...readArchiveLine(line), line }));
    const within = lines.filter(({ position }) => position >= from && position <= to);
    addLine(
      heap,
      archive,
      within.sort((a, b) => a.position - b.position),
      0,
    );
  } catch (error) {
    if (!(error instanceof LineProblem) && (error as Error).name !== 'DamagedArchive') throw error;
    onDamage(dataPath(archive), error as Error);
  }
}

function addLine(heap: KeyedHeap<Next>, archive: FoundArchive, lines: readonly MergedLine[], at: number): void {
  const line = lines[at];
  if (line !== undefined) heap.add(line.position, { kind: 'line', archive, lines, at });
}
