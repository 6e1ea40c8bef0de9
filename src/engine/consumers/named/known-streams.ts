// Streams that a call names and that have to be there: a mistyped name is told of, where it would match nothing for ever.

import { MadeleineError } from '../../../domain/errors.js';
import type { StreamStore } from '../../../storage/ports/log-storage.js';

/** A stream that a request names in a field. */
export interface NamedStream {
  readonly field: string;
  readonly name: string;
}

export class KnownStreams {
  readonly #store: Pick<StreamStore, 'pushedTo'>;

  constructor(store: Pick<StreamStore, 'pushedTo'>) {
    this.#store = store;
  }

  /** Throws STREAM_UNKNOWN with those streams to which nobody ever pushed in the context; of `all`, in none. */
  async assertPushedTo(context: string, streams: readonly NamedStream[]): Promise<void> {
    if (streams.length === 0) return;
    const names = new Set(streams.map(({ name }) => name));
    const known = await this.#store.pushedTo(context, [...names]);
    const violations = streams
      .filter(({ name }) => !known.has(name))
      .map(({ field, name }) => ({ field, description: `nobody ever pushed to a stream "${name}"` }));
    const [first] = violations;
    if (first === undefined) return;
    throw new MadeleineError('STREAM_UNKNOWN', `${first.field}: ${first.description}`, { violations });
  }
}
