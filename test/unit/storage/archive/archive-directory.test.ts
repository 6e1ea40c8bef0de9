import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EntriesDigest } from '../../../../src/domain/archive/entries-digest.js';
import { ArchiveDirectory } from '../../../../src/storage/archive/archive-directory.js';
import { archivedLine } from '../../../../src/storage/archive/archived-lines.js';
import { DyingFiles } from '../../../support/archive/dying-files.js';
import { AT, entriesFrom } from '../../../support/archive/full-entry.js';

const ABOUT = { context: 'default', topic: 'orders', firstPosition: 1 };
const WRITER = { instance: 'i:1', serverVersion: '1' };
const FIRST = entriesFrom(1, 3).map(archivedLine);
const SECOND = entriesFrom(10, 2).map(archivedLine);
const textOf = (lines: typeof FIRST) => Buffer.concat(lines.map(({ text }) => text)).toString();

let parent: string;
let directory: ArchiveDirectory;

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'madeleine-archive-'));
  directory = new ArchiveDirectory({ path: join(parent, 'archive'), writer: WRITER });
});
afterEach(() => rm(parent, { recursive: true }));

const names = async () => (await readdir(directory.path)).map((name) => name.replace(/^.*\.[0-9a-f]{16}\./, '')).sort();

async function grown() {
  const archive = directory.grow(ABOUT);
  const first = await archive.append(FIRST);
  archive.keep();
  return { archive, first };
}

describe('a growing archive', () => {
  it('is a gzip file of lines, and open until it is sealed', async () => {
    const { archive, first } = await grown();
    expect(first).toMatchObject({ firstPosition: 1, lastPosition: 3, entries: 3, firstAt: AT + 1, lastAt: AT + 3 });
    await archive.append(SECOND);
    archive.keep();
    expect(await names()).toEqual(['ndjson.gz.open']);
    const manifest = await archive.seal(AT);
    expect(await names()).toEqual(['manifest.json', 'ndjson.gz']);
    const file = await readFile(join(directory.path, manifest.file));
    expect(gunzipSync(file).toString()).toBe(textOf(FIRST) + textOf(SECOND));
    const digest = new EntriesDigest();
    for (const { eventId, payloadSha256 } of [...FIRST, ...SECOND]) digest.add(eventId, payloadSha256);
    expect(manifest).toMatchObject({
      ...{ format: 1, context: 'default', topic: 'orders', firstPosition: 1, lastPosition: 11, entries: 5 },
      ...{
        fileBytes: file.length,
        sha256: createHash('sha256').update(file).digest('hex'),
        digest: digest.hex,
        ...WRITER,
      },
    });
    expect(JSON.parse(await readFile(join(directory.path, `${archive.name}.manifest.json`), 'utf8'))).toEqual(manifest);
  });

  it('loses what was appended and not kept, whether it goes on or is sealed', async () => {
    const { archive } = await grown();
    await archive.append(entriesFrom(5, 400).map(archivedLine));
    await archive.append(SECOND);
    archive.keep();
    await archive.append(entriesFrom(50, 4).map(archivedLine));
    const { file, entries } = await archive.seal(AT);
    expect(entries).toBe(5);
    expect(gunzipSync(await readFile(join(directory.path, file))).toString()).toBe(textOf(FIRST) + textOf(SECOND));
  });

  it('does not go on in a file that somebody has made shorter', async () => {
    const { archive, first } = await grown();
    await truncate(join(directory.path, `${archive.name}.ndjson.gz.open`), first.fileBytes - 1);
    await expect(archive.append(SECOND)).rejects.toThrow('shorter');
  });

  it('makes its directory, and nothing above that', async () => {
    const nowhere = new ArchiveDirectory({ path: join(parent, 'not', 'mounted'), writer: WRITER });
    await expect(nowhere.grow(ABOUT).append(FIRST)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('what a former run left', () => {
  it('is cut to what counts, and sealed', async () => {
    const { archive, first } = await grown();
    await archive.append(SECOND);
    const manifest = await directory.finish(archive.name, first.fileBytes, AT);
    expect(manifest).toMatchObject({ entries: 3, lastPosition: 3, fileBytes: first.fileBytes, context: 'default' });
    expect(await names()).toEqual(['manifest.json', 'ndjson.gz']);
    expect(await directory.finish(archive.name, first.fileBytes, AT + 1)).toEqual(manifest);
  });

  it('is not touched where something of what counts is gone or damaged', async () => {
    const { archive, first } = await grown();
    const path = join(directory.path, `${archive.name}.ndjson.gz.open`);
    const file = await open(path, 'r+');
    await file.write(Buffer.from([0]), 0, 1, first.fileBytes - 6);
    await file.close();
    await expect(directory.finish(archive.name, first.fileBytes, AT)).rejects.toThrow('at byte 0');
    await truncate(path, first.fileBytes - 1);
    await expect(directory.finish(archive.name, first.fileBytes, AT)).rejects.toThrow(`had ${first.fileBytes} bytes`);
    expect(await names()).toEqual(['ndjson.gz.open']);
  });

  it('is removed where nothing counts', async () => {
    const archive = directory.grow(ABOUT);
    await archive.append(FIRST);
    await writeFile(join(directory.path, `${archive.name}.manifest.json.tmp`), '{');
    await directory.discard(archive.name);
    await directory.discard(archive.name);
    expect(await names()).toEqual([]);
    expect(await directory.finish(archive.name, 0, AT)).toBeUndefined();
  });

  it('is whole or not there, wherever the process ended while it sealed', async () => {
    for (let steps = 0, isDone = false; !isDone; steps += 1) {
      const dying = new DyingFiles(Number.POSITIVE_INFINITY);
      const files = new ArchiveDirectory({ path: directory.path, writer: WRITER, files: dying.files });
      const archive = files.grow(ABOUT);
      const { fileBytes } = await archive.append(FIRST);
      archive.keep();
      await archive.append(SECOND);
      dying.dieAfter(steps);
      isDone = await archive.seal(AT).then(
        () => true,
        () => false,
      );
      const manifest = await directory.finish(archive.name, fileBytes, AT);
      expect(manifest).toMatchObject({ entries: 3, fileBytes });
      expect((await names()).sort()).toEqual(['manifest.json', 'ndjson.gz']);
      expect(gunzipSync(await readFile(join(directory.path, manifest?.file ?? ''))).toString()).toBe(textOf(FIRST));
      await rm(directory.path, { recursive: true });
    }
  });
});
