// Notices that nobody reads a pipe any more, without writing to it: `tail | head -1` has to end before the next event comes.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Writable } from 'node:stream';

const LOOK_MS = 200;
const { O_WRONLY, O_NONBLOCK } = constants;

export class ReaderWatch {
  readonly #timer: NodeJS.Timeout | undefined;

  /** Calls back once nobody reads `stdout`; never where it is no pipe, and where the system does not tell. */
  constructor(stdout: Writable, onGone: () => void) {
    const { fd } = stdout as { readonly fd?: number };
    if (fd === undefined || !isPipe(fd)) return;
    this.#timer = setInterval(() => {
      if (isRead(fd)) return;
      this.stop();
      onGone();
    }, LOOK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO();
  } catch {
    return false;
  }
}

/** Linux refuses to open a pipe for writing, without waiting, that has no reader. */
function isRead(fd: number): boolean {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK));
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENXIO';
  }
}
