// One server process a data directory. The lock is a socket in Linux' abstract namespace, named after the directory's
// inode: the kernel takes it back when its holder ends, however it ends, so that it can neither be stale nor be raced for.

import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { EmbeddedDatabaseError } from './embedded-error.js';

export class DirectoryLock {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * Takes the lock; each purpose has its own. Throws EmbeddedDatabaseError, naming the holder's process, when the directory is
   * locked.
   */
  static async acquire(directory: string, purpose: 'database' | 'instance' = 'database'): Promise<DirectoryLock> {
    const { dev, ino } = await stat(directory);
    const name = `\0madeleine-${purpose === 'database' ? '' : `${purpose}-`}${dev}-${ino}`;
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(String(process.pid));
    });
    server.listen(name);
    try {
      await once(server, 'listening');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
      const holder = await askHolder(name);
      throw new EmbeddedDatabaseError(
        `the data directory ${directory} is in use by another server (process ${holder})`,
      );
    }
    server.unref();
    return new DirectoryLock(server);
  }

  async release(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The process id that the holder answers with, or `unknown` where it does not within a second. */
async function askHolder(name: string): Promise<string> {
  const socket = connect(name);
  try {
    const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(1_000) })) as [Buffer];
    return answer.toString();
  } catch {
    return 'unknown';
  } finally {
    socket.destroy();
  }
}
