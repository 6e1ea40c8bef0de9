// What a process uses while a test does harm to it: the most memory and the most connections that were seen.

import { readdir, readFile, readlink } from 'node:fs/promises';

const SAMPLED_MS = 100;
/** Of /proc/net/tcp. */
const ESTABLISHED = '01';

export class ResourceWatch {
  readonly #pid: number;
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  #sampling: Promise<void> = Promise.resolve();
  maxResidentBytes = 0;
  /** Connections to the port at the same time. */
  maxConnections = 0;

  /** Looks at the process until `stop`, ten times a second. */
  constructor(pid: number, port: number) {
    this.#pid = pid;
    this.#port = port;
    this.#timer = setInterval(() => {
      this.#sampling = this.#sampling.then(() => this.#sample());
    }, SAMPLED_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sampling;
  }

  async #sample(): Promise<void> {
    // The process may end between two looks.
    const [bytes, connections] = await Promise.all([
      residentBytes(this.#pid).catch(() => 0),
      connectionsTo(this.#pid, this.#port).catch(() => 0),
    ]);
    this.maxResidentBytes = Math.max(this.maxResidentBytes, bytes);
    this.maxConnections = Math.max(this.maxConnections, connections);
  }
}

export async function residentBytes(pid: number): Promise<number> {
  const [, pages] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ');
  return Number(pages) * 4096;
}

/** Connections of the process to a port of IPv4, of this machine's point of view. */
async function connectionsTo(pid: number, port: number): Promise<number> {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  const own = new Set(links);
  const [, ...lines] = (await readFile('/proc/net/tcp', 'utf8')).trim().split('\n');
  const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return lines.filter((line) => {
    const [, , to = '', state, , , , , , inode] = line.trim().split(/\s+/);
    return to.endsWith(remote) && state === ESTABLISHED && own.has(`socket:[${inode}]`);
  }).length;
}
