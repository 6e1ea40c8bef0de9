// The catalogue of shapes as this instance knows it. It decides nothing: a group that finds a newer version under the lock lets go,
// has it loaded here, and is planned again. What this instance changes itself is known without loading: a load costs as much as
// there are shapes, and no group is made meanwhile.

import { type CatalogUpdate, ShapeCatalog } from '../../domain/group/shape-catalog.js';
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
  readonly #preparing = new SharedRun(() => this.#prepare());
  #current = ShapeCatalog.of(0, []);
  /** How often it was replaced by what this instance had changed. */
  #updates = 0;

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

  /** Loads what is stored unless that is known: whether it is, is what `shows` says of a catalogue. */
  async catchUp(shows: (catalog: ShapeCatalog) => boolean): Promise<void> {
    if (!shows(this.#current)) await this.reload();
  }

  /**
   * Takes in what a group of this instance has committed, durably. `planned`: the catalogue that it was planned with, which under the
   * lock was the stored one. With another one here by now, it is loaded when a group finds out.
   */
  committed(planned: ShapeCatalog, update: CatalogUpdate): void {
    // Made of what it was planned with: what was loaded under the same version may show a part of the change.
    if (this.#current.version !== planned.version) return;
    this.#current = planned.with(update);
    this.#updates += 1;
    this.#prepareSoon();
  }

  /** Nothing is left of a shape that was given back. */
  cleared(shapeId: number): void {
    this.#current = this.#current.withoutFreed(shapeId);
  }

  /**
   * Loads follow one another, so the last one is right, also where a database that was killed came back with an older version. Only what
   * was read before this instance changed something is not: if that was lost again, groups find so, and none changes anything until a
   * load has begun after it.
   */
  async #load(): Promise<void> {
    const { store, durableReads } = this.#options;
    const updates = this.#updates;
    // Of a shape that is lost again the number would be given to another one.
    const loaded = await durableReads.durable(
      () => store.load(this.#current),
      () => true,
    );
    if (this.#updates === updates || loaded.version >= this.#current.version) this.#current = loaded;
    this.#prepareSoon();
  }

  #prepareSoon(): void {
    this.#preparing.run().catch(() => {
      // A schema that cannot be used any more is told to whoever pushes to its topic.
    });
  }

  /** Makes schemas into functions before pushes need them, one in a round of the event loop. */
  async #prepare(): Promise<void> {
    for (const schema of this.#current.latestSchemas()) {
      if (schema.isReady) continue;
      await new Promise((resolve) => setImmediate(resolve));
      schema.prepared();
    }
  }
}
