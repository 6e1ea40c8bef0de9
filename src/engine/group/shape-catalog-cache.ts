// The catalogue of shapes as this instance knows it. It decides nothing: a group that finds a newer version under the lock lets go,
// has it loaded here, and is planned again.

import { ShapeCatalog } from '../../domain/group/shape-catalog.js';
import { SharedRun } from '../../lib/shared-run.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ShapeStore } from '../../storage/ports/wait-storage.js';

export interface ShapeCatalogCacheOptions {
  readonly store: Pick<ShapeStore, 'load'>;
  readonly durableReads: DurableReads;
}

export class ShapeCatalogCache {
  readonly #options: ShapeCatalogCacheOptions;
  readonly #loads = new SharedRun(() => this.#load());
  #current = new ShapeCatalog(0, []);

  constructor(options: ShapeCatalogCacheOptions) {
    this.#options = options;
  }

  get current(): ShapeCatalog {
    return this.#current;
  }

  /** Loads what is stored now, or later. */
  reload(): Promise<void> {
    return this.#loads.run();
  }

  /** Loads follow one another, so the last one is right, also where a database that was killed came back with an older version. */
  async #load(): Promise<void> {
    const { store, durableReads } = this.#options;
    // Of a shape that is lost again the number would be given to another one.
    this.#current = await durableReads.durable(
      () => store.load(),
      () => true,
    );
  }
}
