// The shapes that topics watch, as people see them: which there are, since when nobody needs them, and taking one away.

import { shapeFreeAt } from '../../domain/descriptions/shape-life.js';
import { Subject } from '../../domain/events/subject.js';
import { unknownShape } from '../../domain/group/group-plan-refusals.js';
import type { Push } from '../../domain/group/group-plan-types.js';
import { isOwn, type StoredShape } from '../../domain/group/shape-catalog.js';
import { pointerOf } from '../../domain/json/json-path.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import { ALL_CONTEXTS } from '../../domain/names.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { ListShapesOptions, ShapeStore } from '../../storage/ports/wait-storage.js';
import type { Micros } from '../../units.js';
import type { GroupCommit } from './group-commit.js';
import type { Management } from './management.js';
import type { ShapeCatalogCache } from './shape-catalog-cache.js';

export interface ShapeDirectoryOptions {
  readonly store: Pick<ShapeStore, 'list'>;
  readonly catalog: Pick<ShapeCatalogCache, 'current' | 'catchUp'>;
  readonly groupCommit: Pick<GroupCommit, 'submit'>;
  readonly management: Pick<Management, 'entry'>;
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
  async drop(
    shapeId: number,
    {
      call,
      signal,
      caller,
    }: { readonly call: ManagementCall; readonly signal?: AbortSignal; readonly caller?: string },
  ): Promise<void> {
    const { groupCommit, catalog } = this.#options;
    if (!Number.isSafeInteger(shapeId)) throw unknownShape();
    const audit = await this.#entry(shapeId, call);
    const unit = { kind: 'drop', shapeIds: [shapeId], unusedSince: Number.POSITIVE_INFINITY, audit } as const;
    const outcome = await groupCommit.submit(unit, signal, caller);
    if (outcome.kind === 'refused') throw outcome.error;
    // The next group would find out by itself, and have to begin again.
    await catalog.catchUp((known) => known.byId(shapeId) === undefined).catch(() => {});
  }

  /** The entry of the audit for a shape that is dropped; undefined: there is none. */
  async #entry(shapeId: number, call: ManagementCall): Promise<Push | undefined> {
    const { store, management } = this.#options;
    const [stored] = await store.list({ context: ALL_CONTEXTS, topic: '', after: shapeId - 1, limit: 1 });
    if (stored?.id !== shapeId) return undefined;
    const { context, topic, shape } = stored;
    const before = { paths: shape.paths.map(pointerOf) };
    const about = { topic, shape_id: shapeId };
    return management.entry(call, { entityType: 'shape', subject: Subject.DELETED, context, about, before });
  }

  #freeAt({ context, topic, ...life }: StoredShape): Micros | undefined {
    const { isFull = false, identity } = this.#options.catalog.current.of(context, topic) ?? {};
    return isOwn(identity, life.shape) ? undefined : shapeFreeAt(life, isFull);
  }
}
