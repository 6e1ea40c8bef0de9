// Keeps the idle connections of a pool open. The server closes whoever is silent for 3 s (dialect.ts), as nothing else frees the
// rows of an instance that froze; so who is idle says something each second. What is in use is left alone: it may be what froze.

import type { Connection } from 'mysql2';

const PING_MS = 1_000;
/** A connection that was silent for longer, as when the process was stopped, may be closed by the server: it is not used again. */
const MAX_SILENT_MS = 2_500;

/** What is pinged. */
export type Pinged = Pick<Connection, 'ping'>;

export class IdleConnections {
  /** When something was last sent on each. Monotonic. */
  readonly #spokeAt = new Map<Pinged, number>();
  readonly #pinged = new WeakSet<Pinged>();
  /** Silent for too long. The pool may have destroyed them, and the driver tells no ping of that: nothing is kept for them. */
  readonly #stale = new WeakSet<Pinged>();
  #timer: NodeJS.Timeout | undefined;

  /** Takes the connection for idle; `spokeAt`: by performance.now(). */
  add(connection: Pinged, spokeAt = performance.now()): void {
    this.#spokeAt.set(connection, spokeAt);
    this.#timer ??= setInterval(() => this.#pingAll(), PING_MS).unref();
  }

  /** Takes the connection for used, or gone. */
  remove(connection: Pinged): void {
    this.#spokeAt.delete(connection);
  }

  /** Whether it was silent for so long that the server may have closed it. */
  isStale(connection: Pinged): boolean {
    const spokeAt = this.#spokeAt.get(connection);
    if (spokeAt !== undefined && performance.now() - spokeAt > MAX_SILENT_MS) this.#giveUp(connection);
    return this.#stale.has(connection);
  }

  clear(): void {
    this.#spokeAt.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #pingAll(): void {
    for (const connection of this.#spokeAt.keys()) {
      if (!this.isStale(connection) && !this.#pinged.has(connection)) this.#ping(connection);
    }
    if (this.#spokeAt.size === 0) this.clear();
  }

  /** One that is never answered makes the connection stale. */
  #ping(connection: Pinged): void {
    const spokeAt = performance.now();
    this.#pinged.add(connection);
    connection.ping((error) => {
      this.#pinged.delete(connection);
      if (error) this.remove(connection);
      else if (this.#spokeAt.has(connection)) this.#spokeAt.set(connection, spokeAt);
    });
  }

  #giveUp(connection: Pinged): void {
    this.#spokeAt.delete(connection);
    this.#stale.add(connection);
  }
}
