// Bytes on stdin, in files and in arguments: stored as given, or refused with what they are; never changed on the way.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { startServer, type TestServer } from '../../support/server/server.js';
import { ndjson, runToEnd } from './cli-run.js';

const latin = (text: string) => Buffer.from(text, 'latin1');
const wide = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le');

describe('bytes that the command line is given', () => {
  let database: TestDatabase;
  let server: TestServer;
  let directory: string;
  let contexts = 0;

  beforeAll(async () => {
    database = await createTestDatabase();
    server = await startServer({ databaseUrl: database.url });
    directory = await mkdtemp(join(tmpdir(), 'madeleine-bytes-'));
  });

  afterAll(async () => {
    await server?.stop();
    await database?.drop();
    await rm(directory, { recursive: true });
  });

  const envelope = (context: string) => ['--context', context, '--topic', 't', '--issuer', 'i'];

  /** Pushes with these bytes on stdin; what was printed, and what is stored. */
  async function pushed(bytes: Buffer, ...rest: string[]) {
    const context = `bytes-${++contexts}`;
    const stdin = new PassThrough();
    stdin.end(bytes);
    const result = await runToEnd(['push', ...envelope(context), ...rest], { server: server.address, stdin });
    const read = await runToEnd(['read', '--json', '--context', context], { server: server.address });
    return { ...result, stored: ndjson(read.stdout).map(({ payload }) => payload) };
  }

  async function file(name: string, bytes: Buffer): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, bytes);
    return path;
  }

  it('refuses a line that is no UTF-8, by its number, and takes the others', async () => {
    const { code, stderr, stored } = await pushed(latin('{"n":"M\xc3\xbc"}\n{"n":"M\xfc"}\n3\n'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^madeleine: line 2: the line is not UTF-8: byte 8 is 0xfc\n/);
    expect(stored).toEqual([{ json: { n: 'Mü' } }, { json: 3 }]);
  });

  it('takes a byte order mark before the lines, also before those of a second file, and ends of lines of Windows', async () => {
    const bytes = Buffer.from('\ufeff{"n":1}\r\n\r\n\ufeff{"n":2}\r\n\ufeff\r\n');
    const { code, stdout, stored } = await pushed(bytes);
    expect({ code, stored }).toEqual({ code: 0, stored: [{ json: { n: 1 } }, { json: { n: 2 } }] });
    expect(stdout).toMatch(/^2 events /);
  });

  it.each([
    ['of Windows', wide('{"n":1}\r\n{"n":2}\r\n')],
    ['of the network', wide('{"n":1}\n').swap16()],
  ])('refuses UTF-16 %s whole, and says how to convert it', async (_, bytes) => {
    const { code, stderr, stored } = await pushed(bytes);
    expect({ code, stored }).toEqual({ code: 1, stored: [] });
    expect(stderr).toBe('madeleine: stdin is UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 converts it\n');
  });

  it('refuses a NUL in a line', async () => {
    const { code, stderr } = await pushed(latin('{"n":\0 1}\n'));
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('line 1: the line has a NUL as byte 6'),
    });
  });

  it('stores lines of other types byte by byte', async () => {
    const { code, stored } = await pushed(latin('\xef\xbb\xbfM\xfc\n\0\xff\n'), '--content-type', 'text/plain');
    expect(code).toBe(0);
    expect(stored).toEqual(
      ['\xef\xbb\xbfM\xfc', '\0\xff'].map((text) => ({
        contentType: 'text/plain',
        data: latin(text).toString('base64'),
      })),
    );
  });

  it('holds events as JSON to the same, and keeps their numbers', async () => {
    const good = '{"payload":{"json":{"n": 9007199254740993}}}';
    const { code, stderr } = await pushed(latin(`\xef\xbb\xbf${good}\n{"tag":"M\xfc"}\n`), '--events');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/line 2: the line is not UTF-8/) });
    const context = `bytes-${contexts}`;
    const { stdout } = await runToEnd(['read', '--json', '--context', context], { server: server.address });
    expect(stdout).toContain('"json":{"n": 9007199254740993}');
  });

  it('takes a file of JSON with a byte order mark, and refuses one that is no UTF-8 with its name', async () => {
    const marked = await pushed(Buffer.alloc(0), '--file', await file('marked', Buffer.from('\ufeff{"n":"Mü"}\r\n')));
    expect(marked).toMatchObject({ code: 0, stored: [{ json: { n: 'Mü' } }] });
    for (const bytes of [latin('"M\xfc"'), wide('1')]) {
      const path = await file('other', bytes);
      const { code, stderr, stored } = await pushed(Buffer.alloc(0), '--file', path);
      expect({ code, stored }).toEqual({ code: 2, stored: [] });
      expect(stderr).toMatch(new RegExp(`^madeleine: ${path} is (not UTF-8|UTF-16)`));
    }
    const bytes = wide('1');
    const kept = await pushed(Buffer.alloc(0), '--content-type', 'text/plain', '--file', await file('wide', bytes));
    expect(kept.stored).toEqual([{ contentType: 'text/plain', data: bytes.toString('base64') }]);
  });

  it('refuses a secret that is no text', async () => {
    const path = await file('secret', wide('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n'));
    const argv = ['cawins', 'create', '1', 'https://example.org/', '--secret-file', path];
    const { code, stderr } = await runToEnd(argv, { server: server.address });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`${path} is UTF-16`) });
  });

  it('refuses an argument that is no UTF-8', async () => {
    const program = `node dist/src/main.js push --topic t --issuer i --server ${server.address} --context bytes-argv`;
    for (const argument of [`$'{"n":"M\\xfc"}'`, `--tag $'M\\xfc' 1`, `--file $'/tmp/M\\xfc'`]) {
      const failed = promisify(execFile)('bash', ['-c', `${program} ${argument}`]);
      await expect(failed).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/is not UTF-8: byte \d+ is 0xfc/),
      });
    }
    const { stdout } = await runToEnd(['read', '--context', 'bytes-argv'], { server: server.address });
    expect(stdout).toBe('');
  });
});
