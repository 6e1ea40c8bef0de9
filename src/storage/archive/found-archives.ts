// The archives in directories, or those that files belong to: what lies where, and what their manifests say.

import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { archiveOf, DATA_END, MANIFEST_END, OPEN_END } from '../../domain/archive/archive-names.js';
import { type Manifest, ManifestProblem, readManifest } from '../../domain/archive/manifest.js';
import { readArchiveLine } from '../../domain/archive/read-line.js';
import { DamagedArchive, linesOf, type Part, partsOf, rawPart } from './archive-file.js';

export interface FoundArchive {
  readonly directory: string;
  /** The name of its files, without an ending. */
  readonly name: string;
  readonly hasData: boolean;
  readonly hasOpen: boolean;
  readonly hasManifest: boolean;
}

/** The archives of the paths, each a directory or a file of an archive, by name. Rejects where one is neither. */
export async function findArchives(paths: readonly string[]): Promise<readonly FoundArchive[]> {
  const found = new Map<string, FoundArchive>();
  for (const path of paths) for (const archive of await archivesAt(path)) found.set(pathOf(archive), archive);
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function archivesAt(path: string): Promise<readonly FoundArchive[]> {
  if ((await stat(path)).isDirectory()) return archivesIn(path);
  const name = archiveOf(basename(path))?.name;
  if (name === undefined) throw new Error(`${path} is no file of an archive: one ends in ${DATA_END}`);
  return (await archivesIn(dirname(path))).filter((archive) => archive.name === name);
}

async function archivesIn(directory: string): Promise<readonly FoundArchive[]> {
  const kinds = new Map<string, Set<string>>();
  for (const file of await readdir(directory)) {
    const of = archiveOf(file);
    if (of !== undefined) kinds.set(of.name, (kinds.get(of.name) ?? new Set()).add(of.kind));
  }
  return [...kinds].map(([name, has]) => {
    return { directory, name, hasData: has.has('data'), hasOpen: has.has('open'), hasManifest: has.has('manifest') };
  });
}

/** The path of its files, without an ending. */
export function pathOf({ directory, name }: Pick<FoundArchive, 'directory' | 'name'>): string {
  return join(directory, name);
}

/** The file with the entries. */
export function dataPath(archive: FoundArchive): string {
  return `${pathOf(archive)}${archive.hasData ? DATA_END : OPEN_END}`;
}

/** Undefined: there is none. Throws ManifestProblem. */
export async function manifestOf(archive: FoundArchive): Promise<Manifest | undefined> {
  if (!archive.hasManifest) return undefined;
  const manifest = readManifest(await readFile(`${pathOf(archive)}${MANIFEST_END}`, 'utf8'));
  if (manifest.file !== `${archive.name}${DATA_END}`) throw new ManifestProblem(`is that of ${manifest.file}`);
  return manifest;
}

/** The parts of an archive as far as they can be found, and what stands behind them. */
export interface FoundParts {
  readonly parts: readonly Part[];
  /** What is wrong behind the last of them; undefined: the file ends there. */
  readonly damage: DamagedArchive | undefined;
}

/** Finds the parts of an archive; of a sealed one those that its manifest speaks of. */
export async function findParts(archive: FoundArchive): Promise<FoundParts> {
  const file = await open(dataPath(archive), 'r');
  const parts: Part[] = [];
  try {
    const { size } = await file.stat();
    const limit = (await manifestOf(archive).catch(() => undefined))?.fileBytes ?? size;
    for await (const part of partsOf(file, Math.min(limit, size))) parts.push(part);
    return { parts, damage: undefined };
  } catch (error) {
    if (error instanceof DamagedArchive) return { parts, damage: error };
    throw error;
  } finally {
    await file.close();
  }
}

/** The lines of some part of an archive. */
export async function readPart(archive: FoundArchive, part: Part): Promise<readonly Buffer[]> {
  const file = await open(dataPath(archive), 'r');
  try {
    return await linesOf(part, await rawPart(file, part));
  } finally {
    await file.close();
  }
}

/** The topic that an archive is of, and its least position, by the manifest or else by what is in it; undefined: nothing is. */
export async function aboutArchive(
  archive: FoundArchive,
): Promise<{ readonly context: string; readonly topic: string; readonly firstPosition: number } | undefined> {
  const manifest = await manifestOf(archive).catch(() => undefined);
  if (manifest !== undefined || !(archive.hasData || archive.hasOpen)) return manifest;
  const { parts } = await findParts(archive);
  const [part] = parts;
  const [line] = part === undefined ? [] : await readPart(archive, part).catch(() => []);
  if (line === undefined) return undefined;
  const { context, topic } = readArchiveLine(line);
  return { context, topic, firstPosition: Math.min(...parts.map(({ firstPosition }) => firstPosition)) };
}
