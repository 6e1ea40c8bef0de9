// Who moved a consumer's offset, and its snapshots, from what is stored, whoever runs the consumer.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import type { ConsumerSnapshot } from '../../../domain/consumers/managed/consumer-snapshot.js';
import type { ConsumerStore } from '../../../storage/ports/consumer-storage.js';
import type { MoveRecord, PlaceStore } from '../../../storage/ports/place-storage.js';
import { consumerUnknown } from '../ownership/consumer-errors.js';

export interface PlaceListingOptions {
  readonly store: Pick<ConsumerStore, 'find'>;
  readonly placeStore: Pick<PlaceStore, 'listMoves' | 'listSnapshots'>;
}

export class PlaceListing {
  readonly #options: PlaceListingOptions;

  constructor(options: PlaceListingOptions) {
    this.#options = options;
  }

  /** Moves before the one with the number, the newest first. CONSUMER_UNKNOWN. */
  async moves(key: ConsumerKey, before: number | undefined, limit: number): Promise<readonly MoveRecord[]> {
    const consumerId = await this.#idOf(key);
    return this.#options.placeStore.listMoves({ consumerId, before, limit });
  }

  /** Snapshots after the one with the name, in byte order. CONSUMER_UNKNOWN. */
  async snapshots(key: ConsumerKey, after: string | undefined, limit: number): Promise<readonly ConsumerSnapshot[]> {
    const consumerId = await this.#idOf(key);
    return this.#options.placeStore.listSnapshots({ consumerId, after, limit });
  }

  async #idOf(key: ConsumerKey): Promise<number> {
    const consumer = await this.#options.store.find(key);
    if (consumer === undefined) throw consumerUnknown(key);
    return consumer.id;
  }
}
