// A file that grows part by part, and is sealed in the end: see archive-storage.ts for its states. It is opened anew for each part, so that
// any number of topics may have one.

import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DATA_END, MANIFEST_END, OPEN_END, UNFINISHED_END } from '../../domain/archive/archive-names.js';
import { ARCHIVE_FORMAT, type Manifest, manifestText } from '../../domain/archive/manifest.js';
import { microsText } from '../../domain/instant-text.js';
import type { Micros } from '../../units.js';
import type { ArchivedLine, ArchiveExtent, GrowingArchive } from '../ports/archive-storage.js';
import { ContentSum } from './archive-content.js';
import { type FileSystem, syncDirectory, writeSynced } from './file-system.js';
import { member } from './gzip-members.js';

/** The instance that writes. */
export interface Writer {
  /** Id of its run. */
  readonly instance: string;
  readonly serverVersion: string;
}

export interface GrowingFileOptions {
  readonly files: FileSystem;
  readonly directory: string;
  readonly name: string;
  readonly about: { readonly context: string; readonly topic: string };
  readonly writer: Writer;
}

export class GrowingFile implements GrowingArchive {
  readonly #options: GrowingFileOptions;
  /** What counts. */
  #kept = new ContentSum();
  /** What counts, and what was appended last. */
  #appended = this.#kept;
  #isThere: boolean;

  /** `kept`: what is in it already. */
  constructor(options: GrowingFileOptions, kept?: ContentSum) {
    this.#options = options;
    this.#isThere = kept !== undefined;
    if (kept !== undefined) this.#kept = kept;
  }

  get name(): string {
    return this.#options.name;
  }

  get extent(): ArchiveExtent | undefined {
    return this.#kept.extent;
  }

  /** See GrowingArchive.append. */
  async append(lines: readonly ArchivedLine[]): Promise<ArchiveExtent> {
    const positions = lines.map(({ position }) => position);
    const part = await member(Buffer.concat(lines.map(({ text }) => text)), {
      entries: lines.length,
      firstPosition: Math.min(...positions),
      lastPosition: Math.max(...positions),
    });
    const appended = this.#kept.copy();
    const extent = appended.add(part, lines);
    await this.#write((file) => writeAt(file, this.#kept.extent?.fileBytes ?? 0, part));
    this.#appended = appended;
    return extent;
  }

  /** See GrowingArchive.keep. */
  keep(): void {
    this.#kept = this.#appended;
  }

  /** See GrowingArchive.seal: the manifest is there, and lasts, before the file has the name of one that is sealed. */
  async seal(at: Micros): Promise<Manifest> {
    const { files, directory, name } = this.#options;
    const manifest = this.#manifest(at);
    await this.#write(async (file) => {
      await file.truncate(manifest.fileBytes);
      await file.sync();
    });
    const unfinished = join(directory, `${name}${UNFINISHED_END}`);
    await files.rm(unfinished, { force: true });
    await writeSynced(files, unfinished, manifestText(manifest));
    await files.rename(unfinished, join(directory, `${name}${MANIFEST_END}`));
    await syncDirectory(files, directory);
    await files.rename(this.#path, join(directory, `${name}${DATA_END}`));
    await syncDirectory(files, directory);
    return manifest;
  }

  get #path(): string {
    return join(this.#options.directory, `${this.#options.name}${OPEN_END}`);
  }

  #manifest(at: Micros): Manifest {
    const { name, about, writer } = this.#options;
    const { extent, sha256, digest } = this.#kept;
    if (extent === undefined) throw new Error('invariant broken: an archive without entries is not sealed');
    const { firstAt, lastAt, ...counted } = extent;
    return {
      format: ARCHIVE_FORMAT,
      file: `${name}${DATA_END}`,
      ...about,
      ...counted,
      ...{ firstTime: microsText(firstAt), lastTime: microsText(lastAt), sha256, digest },
      ...writer,
      sealedAt: microsText(at),
    };
  }

  /** Works on the file, which has to have what counts. */
  async #write(work: (file: FileHandle) => Promise<void>): Promise<void> {
    const { files, directory } = this.#options;
    if (!this.#isThere) await makeDirectory(files, directory);
    const file = await files.open(this.#path, this.#isThere ? 'r+' : 'wx', 0o640);
    try {
      const { size } = await file.stat();
      if (size < (this.#kept.extent?.fileBytes ?? 0)) throw new Error('the archive has become shorter');
      await work(file);
    } finally {
      await file.close();
    }
    if (!this.#isThere) await syncDirectory(files, directory);
    this.#isThere = true;
  }
}

async function writeAt(file: FileHandle, offset: number, bytes: Buffer): Promise<void> {
  await file.truncate(offset);
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written);
    written += bytesWritten;
  }
  await file.sync();
}

/** What it lies in has to be there: a file system that is not mounted is not written to. */
async function makeDirectory(files: FileSystem, path: string): Promise<void> {
  try {
    await files.mkdir(path, { mode: 0o750 });
    await syncDirectory(files, dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
