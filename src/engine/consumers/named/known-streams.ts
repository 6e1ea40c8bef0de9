// Streams that a call names and that have to be there: a mistyped name is told of, where it would match nothing for ever.

import { MadeleineError } from '../../../domain/errors.js';
import type { StreamStore } from '../../../storage/ports/log-storage.js';

export class KnownStreams {
  readonly #store: Pick<StreamStore, 'pushedTo'>;

  constructor(store: Pick<StreamStore, 'pushedTo'>) {
    this.#store = store;
  }

  /** Throws STREAM_UNKNOWN with those streams of the filter to which nobody ever pushed in the context; of `all`, in none. */
  async assertPushedTo(context: string, names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const known = await this.#store.pushedTo(context, names);
    const violations = names.flatMap((name, index) => {
      const description = `nobody ever pushed to a stream "${name}"`;
      return known.has(name) ? [] : [{ field: `settings.filter.streams[${index}]`, description }];
    });
    const [first] = violations;
    if (first === undefined) return;
    throw new MadeleineError('STREAM_UNKNOWN', `${first.field}: ${first.description}`, { violations });
  }
}
