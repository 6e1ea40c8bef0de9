// A host whose handshakes take long: its system takes no further connection while those that wait are not taken by its process.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitUntil } from '../wait-until.js';

/** Answers every request over HTTP, or every call over gRPC, and stands still for as long as it is told. */
const PROGRAM = `
  const trailers = { 'grpc-status': '0' };
  const onStream = (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(Buffer.alloc(5));
  };
  const server = process.argv[1] === 'grpc'
    ? require('node:http2').createServer().on('stream', onStream)
    : require('node:http').createServer((_, response) => response.end('late'));
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

  async start(scheme: string): Promise<void> {
    this.#child = spawn(process.execPath, ['-e', PROGRAM, scheme], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [port] = await once(this.#child, 'message');
    this.port = Number(port);
  }

  /** From now on handshakes wait for so long, and up to two seconds more. */
  async standStill(ms: number): Promise<void> {
    this.#child?.send(ms);
    if (this.#child !== undefined) await once(this.#child, 'message');
    let lastMs = performance.now();
    const sockets = Array.from({ length: WAITING }, () => connect(this.port, '127.0.0.1').on('error', () => {}));
    for (const socket of sockets) {
      socket.on('connect', () => {
        lastMs = performance.now();
      });
    }
    this.#waiting.push(...sockets);
    // The first ones get in, the others wait.
    await waitUntil(() => performance.now() - lastMs > 200 && sockets.some(({ connecting }) => connecting), {
      what: 'handshakes that wait',
    });
  }

  async stop(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}
