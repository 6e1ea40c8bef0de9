import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseSecretKey } from '../../src/lib/secret-box.js';
import { loadSecretKey, SECRET_KEY_FILE } from '../../src/storage/embedded/embedded-secret-key.js';

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'madeleine-key-'));
  path = join(directory, SECRET_KEY_FILE);
});

afterEach(() => rm(directory, { recursive: true, force: true }));

describe('the key file', () => {
  it('is made once, for its owner alone', async () => {
    const key = await loadSecretKey(path);
    expect(key).toHaveLength(32);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await loadSecretKey(path)).toEqual(key);
    expect(parseSecretKey((await readFile(path, 'utf8')).trim())).toEqual(key);
    expect(await readdir(directory)).toEqual([SECRET_KEY_FILE]);
  });

  it('is the same for all that make it at the same time', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadSecretKey(path)));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(await readdir(directory)).toEqual([SECRET_KEY_FILE]);
  });

  it('that others may read is refused', async () => {
    await loadSecretKey(path);
    for (const mode of [0o640, 0o604, 0o660]) {
      await chmod(path, mode);
      await expect(loadSecretKey(path)).rejects.toThrow(`chmod 600 ${path}`);
    }
  });

  it.each(['', 'not a key', 'AAAA'])('that holds %j is refused and left as it is', async (text) => {
    await writeFile(path, text, { mode: 0o600 });
    await expect(loadSecretKey(path)).rejects.toThrow('does not hold a secret key');
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('cannot be made where there is no directory', async () => {
    await expect(loadSecretKey(join(directory, 'missing', 'key'))).rejects.toThrow('ENOENT');
  });
});
