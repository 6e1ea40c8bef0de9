// What is told of streams: only what rests on durable entries. A row above the durable mark raises the mark first.

import type { StreamState } from '../domain/stream.js';
import type { ListStreamsOptions, StreamStore } from '../storage/storage.js';
import type { LogTail } from './log-tail.js';

export class StreamDirectory {
  readonly #store: StreamStore;
  readonly #tail: LogTail;

  constructor({ store, tail }: { store: StreamStore; tail: LogTail }) {
    this.#store = store;
    this.#tail = tail;
  }

  /** One stream, or undefined. */
  async find(context: string, name: string): Promise<StreamState | undefined> {
    const stream = await this.#store.find(context, name);
    if (stream !== undefined) await this.#tail.reach(stream.lastPosition);
    return stream;
  }

  /** Streams by context and name in byte order. */
  async list(options: ListStreamsOptions): Promise<readonly StreamState[]> {
    const streams = await this.#store.list(options);
    await this.#tail.reach(Math.max(0, ...streams.map(({ lastPosition }) => lastPosition)));
    return streams;
  }
}
