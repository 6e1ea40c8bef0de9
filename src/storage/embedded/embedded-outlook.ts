// What can be said of an embedded database without starting or changing anything.

import { constants } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EmbeddedDirectory } from './embedded-directory.js';
import { EmbeddedDatabaseError } from './embedded-error.js';
import { defaultSearchDirectories, findPrograms } from './embedded-programs.js';

export interface Outlook {
  readonly state: 'ok' | 'warning' | 'problem';
  readonly detail: string;
  readonly mend?: string;
}

/** What an empty database takes, with room for its first events. */
const FIRST_BYTES = 300 * 1024 * 1024;

/** Whether a start would find what it needs. `search`: where the programs are looked for; PATH and the system's unless told. */
export async function embeddedOutlook(path: string, search = defaultSearchDirectories()): Promise<Outlook> {
  const missing = await programsProblem(search);
  if (missing !== undefined) return { state: 'problem', detail: missing, mend: 'install it, or give a --database-url' };
  const directory = await EmbeddedDirectory.find(path);
  const place = resolve(path);
  if (directory !== undefined && (await directory.isFilled())) {
    const detail = `the embedded database in ${place} does not run, so that nothing can be said of its settings`;
    return { state: 'warning', detail, mend: 'run madeleine serve, and look again' };
  }
  const ground = await existingPart(place);
  const why = await groundProblem(ground);
  if (why !== undefined) return { state: 'problem', detail: why, mend: 'choose another directory with --data-dir' };
  return { state: 'ok', detail: `none yet in ${place}: madeleine serve makes it` };
}

async function programsProblem(search: readonly string[]): Promise<string | undefined> {
  try {
    await findPrograms(search);
    return undefined;
  } catch (error) {
    if (error instanceof EmbeddedDatabaseError) return error.message;
    throw error;
  }
}

/** The directory itself or the nearest above it that is there. */
async function existingPart(path: string): Promise<string> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : existingPart(dirname(path));
}

async function groundProblem(ground: string): Promise<string | undefined> {
  try {
    await access(ground, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(ground);
    if (bavail * bsize >= FIRST_BYTES) return undefined;
    const mebibytes = Math.floor((bavail * bsize) / 1024 / 1024);
    return `the disk of ${ground} has ${mebibytes} MiB left, and an empty database takes more than 100 MiB`;
  } catch (error) {
    return `${ground} cannot be written (${(error as NodeJS.ErrnoException).code})`;
  }
}
