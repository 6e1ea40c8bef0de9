// Processes that need not be children of ours: their command lines, and signals to them.

import { readFile } from 'node:fs/promises';

/** Sends a signal; a process that has just ended is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The arguments of a process, its program first; empty where there is none, or only its parent's wait is missing. */
export async function readCommandLine(pid: number): Promise<readonly string[]> {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.split('\0');
}
