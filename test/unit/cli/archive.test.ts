// `madeleine archive read` and `verify` over files, without a server.

import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/commands/program.js';
import { archiveLine } from '../../../src/domain/archive/archive-line.js';
import { erasedEntry } from '../../../src/domain/erasure/erased-entry.js';
import type { LogEntry } from '../../../src/domain/events/event.js';
import { writeArchive } from '../../support/archive/archive-files.js';
import { AT, entriesFrom, FULL_ENTRY, smallEntry } from '../../support/archive/full-entry.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madeleine-cli-archive-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function archive(...argv: string[]) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const told = [text(stdout), text(stderr)] as const;
  const unused = () => Promise.reject(new Error('not used'));
  const code = await runCli(['archive', ...argv], {
    ...{ serve: unused, migrate: unused, doctor: unused, environment: {}, stdout, stderr },
  });
  stdout.end();
  stderr.end();
  const [out, err] = await Promise.all(told);
  return { code, out, err };
}

const linesOf = (entries: readonly LogEntry[]) => Buffer.concat(entries.map((entry) => archiveLine(entry))).toString();

/** Changes a byte of a file. */
async function spoil(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] as number) ^ 0xff]), 0, 1, at);
  await file.close();
}

describe('madeleine archive read', () => {
  it('prints each entry once, in the order of the log, however archives and their parts overlap', async () => {
    const all = entriesFrom(1, 60);
    const some = (...positions: number[]) => all.filter(({ position }) => positions.includes(position));
    await writeArchive(directory, [all.slice(20, 30), some(2, 25, 58)]);
    await writeArchive(directory, [all.slice(0, 10), all.slice(10, 20)]);
    await writeArchive(directory, [all.slice(30, 60), all.slice(5, 15)], { isSealed: false });
    expect(await archive('read', directory, '--json')).toEqual({ code: 0, out: linesOf(all), err: '' });
    const part = await archive('read', directory, '--json', '--from', '5', '--to', '21');
    expect(part.out).toBe(linesOf(all.slice(4, 21)));
  });

  it('prints topics one after the other, or the one that is asked for', async () => {
    const other = [1, 40].map((position) => smallEntry({ position, eventId: position, topic: 'invoices' }));
    const orders = entriesFrom(2, 5);
    await writeArchive(directory, [orders]);
    await writeArchive(directory, [other], { isSealed: false });
    expect((await archive('read', directory, '--json')).out).toBe(linesOf([...other, ...orders]));
    expect((await archive('read', directory, '--json', '--topic', 'invoices')).out).toBe(linesOf(other));
    expect((await archive('read', directory, '--json', '--context', 'other')).out).toBe('');
  });

  it('prints one file, and for people a line an event, exact numbers and what is erased with it', async () => {
    const erased = erasedEntry({ ...FULL_ENTRY, position: 4_712 }, AT + 9);
    const path = await writeArchive(directory, [[FULL_ENTRY, erased]]);
    await writeArchive(directory, [entriesFrom(1, 3)]);
    const { out, code } = await archive('read', `${path}.ndjson.gz`);
    expect(code).toBe(0);
    expect(out.split('\n')).toHaveLength(3);
    expect(out).toContain('{"n": 12345678901234567890, "payload":{"a":1}}');
    expect(out).toContain('erased');
  });

  it('prints what can be read of what is damaged, and says so', async () => {
    const path = await writeArchive(directory, [entriesFrom(1, 50), entriesFrom(51, 50)]);
    await spoil(`${path}.ndjson.gz`, 100);
    const { code, out, err } = await archive('read', directory, '--json');
    expect(code).toBe(1);
    expect(out).toBe(linesOf(entriesFrom(51, 50)));
    expect(err).toContain('at byte 0: the part that begins there cannot be unpacked');
  });

  it('refuses what is no archive', async () => {
    await writeFile(join(directory, 'other'), '');
    for (const path of [directory, join(directory, 'other'), join(directory, 'nothing')]) {
      expect((await archive('read', path)).code).toBe(2);
      expect((await archive('verify', path)).code).toBe(2);
    }
  });
});

describe('madeleine archive verify', () => {
  it('finds nothing wrong with what is whole, and tells what is not sealed', async () => {
    await writeArchive(directory, [entriesFrom(1, 50), [FULL_ENTRY]]);
    const open = await writeArchive(directory, [entriesFrom(51, 50)], { isSealed: false });
    await writeFile(
      `${open}.ndjson.gz.open`,
      Buffer.concat([await readFile(`${open}.ndjson.gz.open`), Buffer.alloc(9)]),
    );
    const { code, out } = await archive('verify', directory);
    expect({ code, lines: out.trimEnd().split('\n').length }).toEqual({ code: 0, lines: 1 + 1 });
    expect(out).toMatch(/^ok {8}.*: 51 entries, positions 1 to 4711$/m);
    expect(out).toMatch(/^unsealed .*: 50 entries, positions 51 to 100, and 9 bytes of no whole part$/m);
  });

  it('finds each byte that is another one, with its place', async () => {
    const path = await writeArchive(directory, [entriesFrom(1, 5), entriesFrom(6, 5), entriesFrom(11, 5)]);
    const data = `${path}.ndjson.gz`;
    const { size } = await stat(data);
    const second = size / 3;
    for (let at = 0; at < size; at += 11) {
      await spoil(data, at);
      const { code, out } = await archive('verify', data);
      expect({ at, code }).toEqual({ at, code: 1 });
      expect(out).toMatch(/^WRONG/);
      if (at > second * 1.2 && at < second * 1.8) expect(out).toMatch(/at byte (?!0:)\d+: the part that begins there/);
      await spoil(data, at);
    }
    expect((await archive('verify', data)).code).toBe(0);
  });

  it('finds what is cut off, missing or said otherwise', async () => {
    const path = await writeArchive(directory, [entriesFrom(1, 5), entriesFrom(6, 5)]);
    const [data, manifest] = [`${path}.ndjson.gz`, `${path}.manifest.json`];
    const [whole, said] = [await readFile(data), await readFile(manifest, 'utf8')];
    const wrong = async (what: string) => {
      const { code, out } = await archive('verify', directory);
      expect({ code, out }).toEqual({ code: 1, out: expect.stringContaining(what) });
      await writeFile(data, whole);
      await writeFile(manifest, said);
    };
    await truncate(data, whole.length - 1);
    await wrong('the part that begins there is not whole');
    await truncate(data, (await readFile(data)).length - whole.length / 2);
    await wrong('at byte');
    await rm(manifest);
    await wrong('it has no manifest');
    await rm(data);
    await wrong('the file with its entries is not there');
    await writeFile(manifest, said.replace('"entries": 10', '"entries": 11'));
    await wrong('its manifest says entries 11, and it has 10');
    await writeFile(manifest, said.replace(/"digest": "../, '"digest": "zz'));
    await wrong('its manifest says digest zz');
    await writeFile(manifest, '{');
    await wrong('its manifest is no JSON object');
    await writeFile(manifest, said.replace('"format": 1', '"format": 2'));
    await wrong('is of format 2');
    expect((await archive('verify', directory)).code).toBe(0);
    expect(gunzipSync(whole).toString()).toBe(linesOf(entriesFrom(1, 10)));
  });

  it('finds damage within what is not sealed, where more follows', async () => {
    const path = await writeArchive(directory, [entriesFrom(1, 5), entriesFrom(6, 5)], { isSealed: false });
    await spoil(`${path}.ndjson.gz.open`, 60);
    const { code, out } = await archive('verify', directory, '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ sealed: false, problem: expect.stringContaining('at byte 0') });
  });
});
