// Tells everyone who holds connections to a database that the server behind them is not the one to talk to any more: a primary that
// became a replica, or is about to end. Who connects anew is led to where the name leads now.

import { isConnectionError, isWrongServer } from './sql-errors.js';

export class ServerChange {
  readonly #listeners: (() => void)[] = [];

  /** The listener is to let go of its connections as soon as nobody is in the middle of something on them. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Whether the connection that gave this error must not be used again; where no other one must be either, all are told. */
  endsConnection(error: unknown): boolean {
    const isWrong = isWrongServer(error);
    if (isWrong) for (const listener of this.#listeners) listener();
    return isWrong || isConnectionError(error);
  }
}
