// Archives are read as far as their entries are asked for: what is in memory does not grow with what there is.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findArchives } from '../../../../src/storage/archive/found-archives.js';
import { mergedLines } from '../../../../src/storage/archive/merged-archives.js';
import { writeArchive } from '../../../support/archive/archive-files.js';
import { entriesFrom } from '../../../support/archive/full-entry.js';

const PARTS = 20;
const ENTRIES = 10;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madeleine-merged-'));
});
afterEach(() => rm(directory, { recursive: true }));

it('a part is unpacked once the order has reached it, and no other', async () => {
  const parts = (first: number) => Array.from({ length: PARTS }, (_, n) => entriesFrom(first + n * ENTRIES, ENTRIES));
  await writeArchive(directory, parts(1));
  const path = `${await writeArchive(directory, parts(1 + PARTS * ENTRIES))}.ndjson.gz`;
  // Whoever unpacks a part of the later archive is told that it is damaged.
  const bytes = await readFile(path);
  for (let at = bytes.indexOf('MD'); at !== -1; at = bytes.indexOf('MD', at + 28))
    bytes[at + 30] = ~(bytes[at + 30] ?? 0);
  await writeFile(path, bytes);
  let damaged = 0;
  const onDamage = () => {
    damaged += 1;
  };
  const lines = mergedLines(await findArchives([directory]), { from: 1, to: Number.MAX_SAFE_INTEGER, onDamage });
  for (let position = 1; position <= PARTS * ENTRIES; position += 1) {
    expect((await lines.next()).value?.position).toBe(position);
    expect(damaged).toBe(0);
  }
  expect((await lines.next()).done).toBe(true);
  expect(damaged).toBe(PARTS);
});
