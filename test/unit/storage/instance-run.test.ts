// The name of an instance over its runs, and who may have it.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { INSTANCE_FILE, InstanceRun } from '../../../src/storage/instance/instance-run.js';

let parent: string;
let directory: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'madeleine-instance-'));
  directory = join(parent, 'some where', 'data');
});
afterEach(() => rm(parent, { recursive: true }));

const hasEnded = (run: InstanceRun, id: string) => id >= run.endedRuns.first && id < run.endedRuns.before;

/** One run after the other; only their ids are of interest. */
async function idAfterRun(path = directory, database: 'inside' | 'elsewhere' = 'elsewhere'): Promise<string> {
  const run = await InstanceRun.begin(path, database);
  await run.release();
  return run.id;
}

describe('a run of an instance', () => {
  it('knows the former runs of its directory, and no other', async () => {
    const first = await idAfterRun();
    const strange = await idAfterRun(join(parent, 'other'));
    const former = [first];
    for (let n = 2; n <= 11; n += 1) former.push(await idAfterRun());
    const run = await InstanceRun.begin(directory, 'elsewhere');
    for (const id of former) expect(hasEnded(run, id)).toBe(true);
    for (const id of [run.id, strange, '', '0193f0a4-5b5c-7d1e-8f3a-0123456789ab'])
      expect(hasEnded(run, id)).toBe(false);
    expect(new Set([...former, run.id]).size).toBe(12);
    expect(Buffer.byteLength(run.id)).toBeLessThanOrEqual(64);
    await run.release();
  });

  it('has its directory to itself while it lives', async () => {
    const run = await InstanceRun.begin(directory, 'elsewhere');
    await expect(InstanceRun.begin(directory, 'elsewhere')).rejects.toThrow('in use by another server');
    await run.release();
    expect(await idAfterRun()).not.toBe(run.id);
  });

  it.each([
    [
      'a copy of the directory',
      async () => void (await cp(directory, join(parent, 'copy'), { recursive: true })),
      'copy',
    ],
    ['another host', () => edit(({ place }) => ({ place: `elsewhere${place}` })), 'some where/data'],
    ['a file that is none of ours', () => writeFile(join(directory, INSTANCE_FILE), '{"name": 7}'), 'some where/data'],
    ['a file that was cut', () => writeFile(join(directory, INSTANCE_FILE), '{"na'), 'some where/data'],
  ])('is of another instance in %s', async (_, change, path) => {
    const former = await idAfterRun();
    await change();
    const run = await InstanceRun.begin(join(parent, path), 'elsewhere');
    expect(hasEnded(run, former)).toBe(false);
    await run.release();
  });

  it('is of another instance when the database is another one', async () => {
    const former = await idAfterRun(directory, 'inside');
    const again = await InstanceRun.begin(directory, 'inside');
    expect(hasEnded(again, former)).toBe(true);
    await again.release();
    const named = await InstanceRun.begin(directory, 'elsewhere');
    expect(hasEnded(named, former)).toBe(false);
    await named.release();
  });

  it('cannot be where nothing can be written', async () => {
    await expect(InstanceRun.begin('/proc/nowhere/data', 'elsewhere')).rejects.toThrow();
    await writeFile(join(parent, 'file'), '');
    await expect(InstanceRun.begin(join(parent, 'file'), 'elsewhere')).rejects.toThrow();
  });
});

async function edit(change: (kept: { place: string }) => object): Promise<void> {
  const path = join(directory, INSTANCE_FILE);
  const kept = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...kept, ...change(kept) }));
}
