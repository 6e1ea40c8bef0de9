// The directory of archives: begins them, and finishes what a former run of this instance left. See ArchiveFiles for what each method
// promises.

import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { archiveName, DATA_END, MANIFEST_END, OPEN_END, UNFINISHED_END } from '../../domain/archive/archive-names.js';
import { type Manifest, readManifest } from '../../domain/archive/manifest.js';
import { readArchiveLine } from '../../domain/archive/read-line.js';
import type { Micros, Position } from '../../units.js';
import type { ArchiveFiles, GrowingArchive } from '../ports/archive-storage.js';
import { ContentSum, countedLine } from './archive-content.js';
import { DamagedArchive, linesOf, partsOf, rawPart } from './archive-file.js';
import { type FileSystem, syncDirectory, systemFiles } from './file-system.js';
import { GrowingFile, type Writer } from './growing-archive.js';

export interface ArchiveDirectoryOptions {
  readonly path: string;
  readonly writer: Writer;
  readonly files?: FileSystem;
}

export class ArchiveDirectory implements ArchiveFiles {
  readonly path: string;
  readonly #writer: Writer;
  readonly #files: FileSystem;

  constructor({ path, writer, files = systemFiles }: ArchiveDirectoryOptions) {
    this.path = resolve(path);
    this.#writer = writer;
    this.#files = files;
  }

  /** See ArchiveFiles.grow: the name is nobody else's, whoever writes to the directory too. */
  grow(about: { readonly context: string; readonly topic: string; readonly firstPosition: Position }): GrowingArchive {
    const { context, topic } = about;
    const name = archiveName({ ...about, id: randomBytes(8).toString('hex') });
    return new GrowingFile(this.#optionsOf(name, { context, topic }));
  }

  /** See ArchiveFiles.finish. */
  async finish(name: string, fileBytes: number, at: Micros): Promise<Manifest | undefined> {
    const text = await this.#read(`${name}${MANIFEST_END}`);
    if (text !== undefined) return this.#renamed(name, readManifest(text));
    const found = await this.#contentOf(name, fileBytes);
    if (found === undefined) return undefined;
    return new GrowingFile(this.#optionsOf(name, found.about), found.sum).seal(at);
  }

  /** See ArchiveFiles.discard. */
  async discard(name: string): Promise<void> {
    await this.#files.rm(this.#pathOf(name, OPEN_END), { force: true });
    await this.#files.rm(this.#pathOf(name, UNFINISHED_END), { force: true });
  }

  /** Gives the file of an archive that has its manifest the name that it is to have: the process ended between the two. */
  async #renamed(name: string, manifest: Manifest): Promise<Manifest> {
    const from = this.#pathOf(name, OPEN_END);
    try {
      await this.#files.rename(from, this.#pathOf(name, DATA_END));
      await syncDirectory(this.#files, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    return manifest;
  }

  /** Reads the part of an open file that counts. Undefined: there is no file. Throws DamagedArchive where it is not as it was written. */
  async #contentOf(name: string, fileBytes: number) {
    const file = await this.#files.open(this.#pathOf(name, OPEN_END), 'r').catch(unlessGone);
    if (file === undefined) return undefined;
    try {
      const { size } = await file.stat();
      if (size < fileBytes) throw new DamagedArchive(size, `the file ends there, and had ${fileBytes} bytes`);
      const sum = new ContentSum();
      let about = { context: '', topic: '' };
      for await (const part of partsOf(file, fileBytes)) {
        const raw = await rawPart(file, part);
        const lines = (await linesOf(part, raw)).map(readArchiveLine);
        about = { context: lines[0]?.context ?? '', topic: lines[0]?.topic ?? '' };
        sum.add(raw, lines.map(countedLine));
      }
      return { sum, about };
    } finally {
      await file.close();
    }
  }

  async #read(file: string): Promise<string | undefined> {
    return this.#files.readFile(join(this.path, file), 'utf8').catch(unlessGone);
  }

  #pathOf(name: string, end: string): string {
    return join(this.path, `${name}${end}`);
  }

  #optionsOf(name: string, about: { readonly context: string; readonly topic: string }) {
    return { files: this.#files, directory: this.path, name, about, writer: this.#writer };
  }
}

function unlessGone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
