// Holds an archive against its manifest: every digest is made again, and what is wrong is said with its place.

import { open } from 'node:fs/promises';
import { type Manifest, ManifestProblem } from '../../domain/archive/manifest.js';
import { LineProblem, type ReadLine, readArchiveLine } from '../../domain/archive/read-line.js';
import { microsText } from '../../domain/instant-text.js';
import type { ArchiveExtent } from '../ports/archive-storage.js';
import { ContentSum, countedLine } from './archive-content.js';
import { DamagedArchive, linesOf, type Part, partsOf, rawPart } from './archive-file.js';
import { dataPath, type FoundArchive, manifestOf } from './found-archives.js';
import { memberHead } from './gzip-members.js';

export interface CheckedArchive {
  readonly archive: FoundArchive;
  readonly isSealed: boolean;
  /** What is in it, as far as it could be read; undefined: nothing. */
  readonly extent: ArchiveExtent | undefined;
  /** Bytes at the end of one that is not sealed which are no whole part: one that is being written, or was when its instance ended. */
  readonly restBytes: number;
  /** Undefined: nothing is wrong with it. */
  readonly problem: string | undefined;
}

/** Throws only where a file cannot be read. */
export async function checkArchive(archive: FoundArchive): Promise<CheckedArchive> {
  const isSealed = archive.hasManifest && archive.hasData;
  const checked = { archive, isSealed, extent: undefined, restBytes: 0 };
  if (!archive.hasData && !archive.hasOpen) return { ...checked, problem: 'the file with its entries is not there' };
  try {
    const manifest = await manifestOf(archive);
    if (archive.hasData && manifest === undefined) return { ...checked, problem: 'it has no manifest' };
    const { sum, restBytes, problem } = await contentOf(archive, manifest);
    const differs = problem ?? (manifest && difference(manifest, sum));
    return { archive, isSealed, extent: sum.extent, restBytes, problem: differs };
  } catch (error) {
    if (error instanceof ManifestProblem) return { ...checked, problem: `its manifest ${error.message}` };
    throw error;
  }
}

interface Content {
  readonly sum: ContentSum;
  readonly restBytes: number;
  readonly problem: string | undefined;
}

async function contentOf(archive: FoundArchive, manifest: Manifest | undefined): Promise<Content> {
  const file = await open(dataPath(archive), 'r');
  const sum = new ContentSum();
  let lineNumber = 0;
  try {
    const { size } = await file.stat();
    for await (const part of partsOf(file, size)) {
      const raw = await rawPart(file, part);
      const lines: ReadLine[] = [];
      for (const text of await linesOf(part, raw)) {
        lineNumber += 1;
        lines.push(checkedLine(text, lineNumber, part));
      }
      sum.add(raw, lines.map(countedLine));
    }
    return { sum, restBytes: 0, problem: undefined };
  } catch (error) {
    if (!(error instanceof DamagedArchive)) throw error;
    const { size } = await file.stat();
    const restBytes = size - (sum.extent?.fileBytes ?? 0);
    const isTorn = manifest === undefined && !(await hasPartAfter(file, error.offset, size));
    return { sum, restBytes, problem: isTorn ? undefined : error.message };
  } finally {
    await file.close();
  }
}

/** Throws DamagedArchive with the line and its entry. */
function checkedLine(text: Buffer, number: number, { offset, firstPosition, lastPosition }: Part): ReadLine {
  const where = `line ${number}, of the entries from position ${firstPosition} to ${lastPosition},`;
  try {
    const line = readArchiveLine(text);
    if (line.position < firstPosition || line.position > lastPosition) {
      throw new LineProblem(`has position ${line.position}, which is none of its part`);
    }
    return line;
  } catch (error) {
    if (!(error instanceof LineProblem)) throw error;
    throw new DamagedArchive(offset, `${where} ${error.message}`);
  }
}

/** Whether another part begins after the place: then it is no end that is missing. */
async function hasPartAfter(file: Awaited<ReturnType<typeof open>>, offset: number, size: number): Promise<boolean> {
  const rest = Buffer.alloc(size - offset);
  await file.read(rest, 0, rest.length, offset);
  for (let at = rest.indexOf(MAGIC, 1); at !== -1; at = rest.indexOf(MAGIC, at + 1)) {
    if (memberHead(rest.subarray(at)) !== undefined) return true;
  }
  return false;
}

const MAGIC = Buffer.from([0x1f, 0x8b, 0x08, 0x04]);

/** What the manifest says that is not so; undefined: all of it is. */
function difference(manifest: Manifest, { extent, sha256, digest }: ContentSum): string | undefined {
  if (extent === undefined) return 'nothing is in it';
  const { firstAt, lastAt, ...counts } = extent;
  const found = { ...counts, firstTime: microsText(firstAt), lastTime: microsText(lastAt), sha256, digest };
  const member = (Object.keys(found) as (keyof typeof found)[]).find((name) => manifest[name] !== found[name]);
  return member && `its manifest says ${member} ${manifest[member]}, and it has ${found[member]}`;
}
