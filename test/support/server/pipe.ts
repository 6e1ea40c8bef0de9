// A TCP connection in between that can be cut or frozen: the client, or the network, is gone without a word.

import { connect, createServer, type Server, type Socket } from 'node:net';

export class Pipe {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** From where to where bytes go. */
  readonly #ways = new Map<Socket, Socket>();
  #frozen = false;

  private constructor(target: { host: string; port: number }) {
    this.#server = createServer((client) => {
      const upstream = connect(target);
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(from);
        this.#ways.set(from, to);
        if (!this.#frozen) from.pipe(to);
        from.on('error', () => to.destroy());
        from.on('close', () => {
          this.#sockets.delete(from);
          this.#ways.delete(from);
        });
      }
    });
  }

  /** A pipe to host:port on a free port of loopback. */
  static async to(address: string): Promise<Pipe> {
    const at = address.lastIndexOf(':');
    const pipe = new Pipe({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    await new Promise<void>((resolve) => pipe.#server.listen(0, '127.0.0.1', resolve));
    return pipe;
  }

  get address(): string {
    const { port } = this.#server.address() as { port: number };
    return `127.0.0.1:${port}`;
  }

  /** Cuts every connection and takes no more. */
  cut(): void {
    this.#server.close();
    this.reset();
  }

  /** Lets nothing through from now on, while every connection stands: as if the client had been stopped. */
  freeze(): void {
    this.#frozen = true;
    for (const [from, to] of this.#ways) from.unpipe(to).pause();
  }

  /** Lets everything through again, what was held back first. */
  thaw(): void {
    this.#frozen = false;
    for (const [from, to] of this.#ways) from.pipe(to);
  }

  /** Cuts every connection; new ones are taken. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}
