// Keeps the idle connections of a pool open. The server closes whoever is silent for 3 s (dialect.ts), as nothing else frees the
// rows of an instance that froze; so who is idle says something each second. What is in use is left alone: it may be what froze.

import type { Connection } from 'mysql2';

const PING_MS = 1_000;
/** A connection that was silent for longer, as when the process was stopped, may be closed by the server: it is not used again. */
const MAX_SILENT_MS = 2_500;

export class IdleConnections {
  /** When something was last sent on each. Monotonic. */
  readonly #spokeAt = new Map<Connection, number>();
  readonly #pinged = new Set<Connection>();
  #timer: NodeJS.Timeout | undefined;

  /** Takes the connection for idle; `spokeAt`: by performance.now(). */
  add(connection: Connection, spokeAt = performance.now()): void {
    this.#spokeAt.set(connection, spokeAt);
    this.#timer ??= setInterval(() => this.#pingAll(), PING_MS).unref();
  }

  /** Takes the connection for used, or gone. */
  remove(connection: Connection): void {
    this.#spokeAt.delete(connection);
  }

  /** Whether it was silent for so long that the server may have closed it. */
  isStale(connection: Connection): boolean {
    const spokeAt = this.#spokeAt.get(connection);
    return spokeAt !== undefined && performance.now() - spokeAt > MAX_SILENT_MS;
  }

  clear(): void {
    this.#spokeAt.clear();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #pingAll(): void {
    if (this.#spokeAt.size === 0) this.clear();
    for (const connection of this.#spokeAt.keys()) {
      if (!this.#pinged.has(connection)) this.#ping(connection);
    }
  }

  /** One that is never answered makes the connection stale. */
  #ping(connection: Connection): void {
    const spokeAt = performance.now();
    this.#pinged.add(connection);
    connection.ping((error) => {
      this.#pinged.delete(connection);
      if (error) this.remove(connection);
      else if (this.#spokeAt.has(connection)) this.#spokeAt.set(connection, spokeAt);
    });
  }
}
