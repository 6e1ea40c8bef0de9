// Ends a database whose server was killed for good, when nobody took it over.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { Socket } from 'node:net';
import { mariadbEnvironment } from './embedded-directory.js';
import { readCommandLine, sendSignal } from './system-process.js';

/** How long a database outlives its server, for the next one to take it over. */
const OUTLIVES_S = 15;
const KEEPER = 'madeleine-keeper';

/**
 * A process that waits for our end on its standard input, and some time later ends the database, unless somebody took it over: so that
 * none is left where we are killed for good. It looks at the command line first: the id may be another process's by then.
 */
export function keep(pid: number, dataDirectory: string): ChildProcess {
  const script = `read -r line; sleep ${OUTLIVES_S}; grep -qaF -- "--datadir=$2" "/proc/$1/cmdline" && kill -TERM "$1"`;
  const keeper = spawn('sh', ['-c', script, KEEPER, String(pid), dataDirectory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: mariadbEnvironment(),
  });
  keeper.on('error', () => {});
  keeper.stdin.on('error', () => {});
  keeper.unref();
  // A pipe is a socket to Node, which the types do not tell.
  if (keeper.stdin instanceof Socket) keeper.stdin.unref();
  return keeper;
}

/** Ends those who keep a database for a server that is gone. */
export async function endKeepers(pid: number): Promise<void> {
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const line = await readCommandLine(Number(name));
    if (line[3] === KEEPER && line[4] === String(pid)) sendSignal(Number(name), 'SIGKILL');
  }
}
