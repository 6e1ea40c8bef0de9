// A name that leads to one server or another: new connections go where it leads now, those that were made before stay where they are.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class LeadingProxy {
  readonly #server: Server;
  readonly #sockets = new Map<Socket, number>();
  #port: number;

  /** Leads to a port of loopback at first. */
  constructor(port: number) {
    this.#port = port;
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** A database's URL through this proxy. */
  through(databaseUrl: string): string {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Leads new connections elsewhere. */
  lead(port: number): void {
    this.#port = port;
  }

  /** Connections to a port that are open. */
  openTo(port: number): number {
    return [...this.#sockets.values()].filter((one) => one === port).length;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const port = this.#port;
    const database = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#sockets.set(client, port);
    for (const socket of [client, database]) socket.on('error', () => {});
    client.pipe(database).pipe(client);
    client.on('close', () => {
      this.#sockets.delete(client);
      database.destroy();
    });
    database.on('close', () => client.destroy());
  }
}
