// The key that encrypts secrets at rest where no setting gives one: a file beside the embedded database, made at the first start,
// for the owner alone. Whoever copies the database without it gets no secrets; who loses it loses them.

import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseSecretKey, SECRET_KEY_BYTES } from '../../lib/secret-box.js';
import { EmbeddedDatabaseError } from './embedded-error.js';

/** Name of the file in the data directory. */
export const SECRET_KEY_FILE = 'secret.key';

/**
 * The key in the file, which is made if it is missing. Safe against a crash and against another process that makes it at the same
 * time. Throws EmbeddedDatabaseError where the file is no key, or others may read it.
 */
export async function loadSecretKey(path: string): Promise<Buffer> {
  const found = await readKey(path);
  if (found !== undefined) return found;
  await makeKey(path);
  const made = await readKey(path);
  if (made === undefined) throw new EmbeddedDatabaseError(`${path} vanished while it was made`);
  return made;
}

async function readKey(path: string): Promise<Buffer | undefined> {
  let text: string;
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) throw new EmbeddedDatabaseError(`others may read the secret key: chmod 600 ${path}`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return parseSecretKey(text.trim());
  } catch {
    // The parser's error speaks of a setting; the file is what a person has to look at.
    throw new EmbeddedDatabaseError(
      `${path} does not hold a secret key of ${SECRET_KEY_BYTES} bytes: restore it from a backup`,
    );
  }
}

/** Writes the key whole under another name and then links it, which fails if somebody was first: then theirs is the key. */
async function makeKey(path: string): Promise<void> {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(SECRET_KEY_BYTES).toString('base64')}\n`);
    await file.sync();
    await link(draft, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await file.close();
    await rm(draft, { force: true });
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
