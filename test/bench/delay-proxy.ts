// A TCP proxy that holds what comes back for a fraction of a second, as a network in between would: `delay-proxy.js HOST:PORT MS`.
// Prints its address; ends with its parent.

import { connect, createServer, type Socket } from 'node:net';

/** The runtime's timers are off by up to a millisecond: the last bit before something is due is waited for in such steps. */
const STEP_MS = 0.1;
const COARSE_MS = 3;

interface Held {
  readonly dueMs: number;
  readonly to: Socket;
  readonly bytes: Buffer;
}

/** Passes bytes on in the order of their arrival, each so many milliseconds later. */
class DelayLine {
  readonly #delayMs: number;
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #held: Held[] = [];
  #waiting = false;

  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  send(to: Socket, bytes: Buffer): void {
    if (this.#delayMs === 0) {
      to.write(bytes);
      return;
    }
    this.#held.push({ dueMs: performance.now() + this.#delayMs, to, bytes });
    if (!this.#waiting) this.#wait();
  }

  #wait(): void {
    const [first] = this.#held;
    this.#waiting = first !== undefined;
    if (first === undefined) return;
    const leftMs = first.dueMs - performance.now();
    if (leftMs > COARSE_MS) setTimeout(() => this.#release(), leftMs - COARSE_MS);
    else setImmediate(() => this.#release());
  }

  #release(): void {
    const now = performance.now();
    const due = this.#held.findIndex(({ dueMs }) => dueMs > now);
    const released = this.#held.splice(0, due === -1 ? this.#held.length : due);
    for (const { to, bytes } of released) to.write(bytes);
    // Without this pause the proxy would use up a core that the others need.
    if (released.length === 0) Atomics.wait(this.#pause, 0, 0, STEP_MS);
    this.#wait();
  }
}

const [target = '', delay = '0'] = process.argv.slice(2);
const [host = '', port = ''] = target.split(':');
const line = new DelayLine(Number(delay));
const server = createServer({ noDelay: true }, (client) => {
  const upstream = connect({ host, port: Number(port), noDelay: true });
  client.on('data', (bytes) => upstream.write(bytes));
  upstream.on('data', (bytes) => line.send(client, bytes));
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    socket.on('error', () => {});
    socket.on('close', () => other.destroy());
  }
});
server.listen(0, '127.0.0.1', () => {
  const { port: ownPort } = server.address() as { port: number };
  process.stdout.write(`${JSON.stringify({ msg: 'listening', grpc: `127.0.0.1:${ownPort}` })}\n`);
});
process.on('disconnect', () => process.exit());
