// A host whose handshakes take long: its system takes no further connection while those that wait are not taken by its process.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitUntil } from '../wait-until.js';

/** Answers every request, and stands still for as long as it is told. */
const PROGRAM = `
  const server = require('node:http').createServer((_, response) => response.end('late'));
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.send(server.address().port));
  process.on('message', (ms) => {
    process.send('still');
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms), 10);
  });
  process.on('disconnect', () => process.exit());`;
/** More than the system keeps for a process that takes none. */
const WAITING = 16;

export class SlowHost {
  #child: ChildProcess | undefined;
  readonly #waiting: Socket[] = [];
  port = 0;

  async start(): Promise<void> {
    this.#child = spawn(process.execPath, ['-e', PROGRAM], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [port] = await once(this.#child, 'message');
    this.port = Number(port);
  }

  /** From now on handshakes wait for so long, and up to two seconds more. */
  async standStill(ms: number): Promise<void> {
    this.#child?.send(ms);
    if (this.#child !== undefined) await once(this.#child, 'message');
    const sockets = Array.from({ length: WAITING }, () => connect(this.port, '127.0.0.1').on('error', () => {}));
    this.#waiting.push(...sockets);
    // The first ones get in, the others wait.
    await once(sockets[0]!, 'connect');
    await waitUntil(() => sockets.some(({ connecting }) => connecting), { what: 'a handshake that waits' });
  }

  async stop(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
