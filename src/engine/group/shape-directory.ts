// The shapes that topics watch, as people see them: which there are, since when nobody needs them, and taking one away.

import { shapeFreeAt } from '../../domain/descriptions/shape-life.js';
import { unknownShape } from '../../domain/group/group-plan-refusals.js';
import { isOwn, type StoredShape } from '../../domain/group/shape-catalog.js';
import { pointerOf } from '../../domain/json/json-path.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ListShapesOptions, ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Micros } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

export interface ShapeDirectoryOptions {
  readonly store: Pick<ShapeStore, 'list'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly durableReads: DurableReads;
}

/** A shape, and when it is given back. */
export interface ListedShape extends Omit<StoredShape, 'shape'> {
  /** Its paths as JSON Pointers. */
  readonly paths: readonly string[];
  /** Undefined: as long as its topic is registered with its paths, it is not. */
  readonly freeAt: Micros | undefined;
}

export class ShapeDirectory {
  readonly #options: ShapeDirectoryOptions;

  constructor(options: ShapeDirectoryOptions) {
    this.#options = options;
  }

  /** Shapes by id. */
  async list(options: ListShapesOptions): Promise<readonly ListedShape[]> {
    const { durableReads, store } = this.#options;
    // A shape has no position that could tell whether it is durable.
    const found = await durableReads.durable(
      () => store.list(options),
      (shapes) => shapes.length > 0,
    );
    return found.map(({ shape, ...rest }) => ({
      ...rest,
      paths: shape.paths.map(pointerOf),
      freeAt: this.#freeAt({ shape, ...rest }),
    }));
  }

  /** Takes the shape away. SHAPE_UNKNOWN; SHAPE_IN_USE while something is awaited by it, or its topic is registered with its paths. */
  async drop(shapeId: number, signal?: AbortSignal): Promise<void> {
    const { groupCommit, catalog } = this.#options;
    if (!Number.isSafeInteger(shapeId)) throw unknownShape();
    const unit = { kind: 'drop', shapeIds: [shapeId], unusedSince: Number.POSITIVE_INFINITY } as const;
    const outcome = await groupCommit.submit(unit, signal);
    if (outcome.kind === 'refused') throw outcome.error;
    // The next group would find out by itself, and have to begin again.
    await catalog.catchUp((known) => known.byId(shapeId) === undefined).catch(() => {});
  }

  #freeAt({ context, topic, ...life }: StoredShape): Micros | undefined {
    const { isFull = false, identity } = this.#options.catalog.current.of(context, topic) ?? {};
    return isOwn(identity, life.shape) ? undefined : shapeFreeAt(life, isFull);
  }
}
