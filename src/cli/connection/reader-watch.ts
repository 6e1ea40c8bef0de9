// Notices that nobody reads a pipe any more, without writing to it: `tail | head -1` has to end before the next event comes. Node tells
// only who writes; Linux tells which processes have the other end.

import { fstatSync, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import type { Writable } from 'node:stream';

const LOOK_MS = 200;
const READABLE = 0o400;

export class ReaderWatch {
  readonly #timer: NodeJS.Timeout | undefined;

  /**
   * Calls back once nobody reads `stdout` any more; never where it is no pipe, and where no reader is to be seen from the start: of
   * another user, or on another system.
   */
  constructor(stdout: Writable, onGone: () => void) {
    const { fd } = stdout as { readonly fd?: number };
    const pipe = fd === undefined ? undefined : pipeOf(fd);
    let reader = pipe && readerOf(pipe);
    if (pipe === undefined || reader === undefined) return;
    this.#timer = setInterval(() => {
      if (reader !== undefined && reads(reader, pipe)) return;
      reader = readerOf(pipe);
      if (reader !== undefined) return;
      this.stop();
      onGone();
    }, LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The pipe's name among the files of processes. */
function pipeOf(fd: number): string | undefined {
  const stat = orNothing(() => fstatSync(fd));
  return stat?.isFIFO() === true ? `pipe:[${stat.ino}]` : undefined;
}

/** The path of a file that is the pipe's other end, of any process but this one. */
function readerOf(pipe: string): string | undefined {
  const processes = (orNothing(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name));
  for (const pid of processes.filter((name) => Number(name) !== process.pid)) {
    const files = orNothing(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
    const reader = files.map((file) => `/proc/${pid}/fd/${file}`).find((path) => reads(path, pipe));
    if (reader !== undefined) return reader;
  }
  return undefined;
}

function reads(path: string, pipe: string): boolean {
  return orNothing(() => readlinkSync(path) === pipe && (lstatSync(path).mode & READABLE) !== 0) ?? false;
}

/** What comes and goes meanwhile, or is not for this user to see. */
function orNothing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
