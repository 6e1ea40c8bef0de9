// The name of an instance over all its runs, and the number of this run: what it is known by after it was killed. Both are kept in the
// data directory, which is locked while the instance lives: who has the name knows that its former runs have ended.

import { randomUUID } from 'node:crypto';
import { open, readFile, readlink, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DirectoryLock } from '../embedded/embedded-lock.js';
import { makeDirectory } from '../embedded/make-directory.js';
import type { EndedRuns } from '../ports/log-storage.js';

/** Name of the file in the data directory. */
export const INSTANCE_FILE = 'instance.json';

/** Digits of a run's number in its id, so that ids ascend as texts. */
const DIGITS = 12;

interface Kept {
  readonly name: string;
  /** Number of the newest run. */
  readonly run: number;
  /** Where it ran: a copy of the directory, or another host that shares it, is another instance. */
  readonly place: string;
}

export class InstanceRun {
  readonly #lock: DirectoryLock;
  readonly #name: string;
  readonly #run: number;

  private constructor(lock: DirectoryLock, { name, run }: Kept) {
    this.#lock = lock;
    this.#name = name;
    this.#run = run;
  }

  /**
   * Begins the next run of the directory's instance. Rejects where no name can be kept, or another instance has it. A database
   * inside of the directory has no other instance.
   */
  static async begin(directory: string, database: 'inside' | 'elsewhere'): Promise<InstanceRun> {
    await makeDirectory(directory);
    const lock = await DirectoryLock.acquire(directory, 'instance');
    try {
      const place = database === 'inside' ? database : await placeOf(directory);
      const kept = await readKept(directory);
      const next = kept?.place === place ? { ...kept, run: kept.run + 1 } : { name: randomUUID(), run: 1, place };
      await writeKept(directory, next);
      return new InstanceRun(lock, next);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** The id of this run. */
  get id(): string {
    return this.#idOf(this.#run);
  }

  /** The runs of this instance before this one. */
  get endedRuns(): EndedRuns {
    return { first: this.#idOf(0), before: this.id };
  }

  /** Lets another process have the name; this run has to have ended. */
  release(): Promise<void> {
    return this.#lock.release();
  }

  #idOf(run: number): string {
    return `${this.#name}:${String(run).padStart(DIGITS, '0')}`;
  }
}

/**
 * What tells this place from those where a lock of this process means nothing: the host, its network namespace, in which the lock
 * lives, and the directory itself.
 */
async function placeOf(directory: string): Promise<string> {
  const machine = await readFile('/etc/machine-id', 'utf8').catch(() => '');
  const { ino } = await stat(directory);
  return [hostname(), machine.trim(), await readlink('/proc/self/ns/net'), ino].join(' ');
}

/** What the file says; undefined where there is none, or nothing of ours. */
async function readKept(directory: string): Promise<Kept | undefined> {
  const text = await readFile(join(directory, INSTANCE_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  try {
    const kept: unknown = JSON.parse(text);
    return isKept(kept) ? kept : undefined;
  } catch {
    return undefined;
  }
}

function isKept(value: unknown): value is Kept {
  if (typeof value !== 'object' || value === null) return false;
  const { name, run, place } = value as Partial<Kept>;
  return /^[0-9a-f-]{36}$/.test(String(name)) && Number.isSafeInteger(run) && typeof place === 'string';
}

/** Replaces the file as a whole: a crash leaves it as it was or as it is to be, and no number is used twice. */
async function writeKept(directory: string, kept: Kept): Promise<void> {
  const path = join(directory, INSTANCE_FILE);
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(kept)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}
