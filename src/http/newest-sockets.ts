// The connections of a server within a bound: with one more than that the oldest is cut. Clients that connect and say nothing, or take
// no answer, then hold up nobody who comes after them, however many they are.

import type { Socket } from 'node:net';

export class NewestSockets {
  readonly #max: number;
  /** Open connections, the oldest first. */
  readonly #sockets = new Set<Socket>();

  constructor(max: number) {
    this.#max = max;
  }

  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const [oldest] = this.#sockets;
    if (this.#sockets.size <= this.#max || oldest === undefined) return;
    this.#sockets.delete(oldest);
    oldest.destroy();
  }
}
