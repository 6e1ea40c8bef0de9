// What is told of streams: only what rests on durable entries. A row above the durable mark raises the mark first.

import { restsOn, type StreamState } from '../../domain/events/stream.js';
import type { DurableReads, ListStreamsOptions, StreamStore } from '../../storage/ports/log-storage.js';
import type { Position } from '../../units.js';
import type { LogTail } from './log-tail.js';

export interface StreamDirectoryOptions {
  readonly store: StreamStore;
  readonly durableReads: DurableReads;
  readonly tail: LogTail;
}

export class StreamDirectory {
  readonly #options: StreamDirectoryOptions;

  constructor(options: StreamDirectoryOptions) {
    this.#options = options;
  }

  /** One stream, or undefined. */
  async find(context: string, name: string): Promise<StreamState | undefined> {
    const [stream] = await this.#durable(async () => {
      const found = await this.#options.store.find(context, name);
      return found === undefined ? [] : [found];
    });
    return stream;
  }

  /** Streams by context and name in byte order. */
  list(options: ListStreamsOptions): Promise<readonly StreamState[]> {
    return this.#durable(() => this.#options.store.list(options));
  }

  async #durable(read: () => Promise<readonly StreamState[]>): Promise<readonly StreamState[]> {
    const { durableReads, tail } = this.#options;
    const streams = await durableReads.durable(read, (found) => lastOf(found) > tail.visible);
    await tail.reach(lastOf(streams));
    return streams;
  }
}

function lastOf(streams: readonly StreamState[]): Position {
  return Math.max(0, ...streams.map(restsOn));
}
