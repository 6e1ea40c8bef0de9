// The part of a group's plan that is about the catalogue: shapes that topics watch, and what they are registered with. Its units
// stand alone, so that the catalogue which the group was planned with is all there is.

import type { Micros } from '../../units.js';
import type { MadeleineError } from '../errors.js';
import { instantText } from '../instant-text.js';
import { isSameContext } from '../topics/context-settings.js';
import type {
  ContextUpdated,
  Dropped,
  Identified,
  Ready,
  Refused,
  Registered,
  Unregistered,
  Updated,
  Watching,
} from './group-outcomes.js';
import { shapeInUse, tooManyShapes, unknownShape } from './group-plan-refusals.js';
import { type Decided, decideIdentified, decideRegister, decideUnregister, decideUpdate } from './group-plan-topics.js';
import {
  type ContextUnit,
  type DropUnit,
  type IdentifiedUnit,
  type LockedState,
  type Push,
  type RegisterUnit,
  storedBefore,
  type UnregisterUnit,
  type UpdateUnit,
  type WatchUnit,
} from './group-plan-types.js';
import {
  type CatalogChange,
  type CatalogUpdate,
  isOwn,
  type RegisteredTopic,
  type ShapeCatalog,
} from './shape-catalog.js';

export interface CatalogPlannerOptions {
  /** The version of the catalogue in the locked head. */
  readonly catalog: ShapeCatalog;
  readonly locked: LockedState;
  /** The time of the group. */
  readonly time: Micros;
}

export class CatalogPlanner {
  readonly #options: CatalogPlannerOptions;
  #change: CatalogChange | undefined;

  constructor(options: CatalogPlannerOptions) {
    this.#options = options;
  }

  get nextShapeId(): number {
    const { nextShapeId } = this.#options.locked.head;
    return this.#change?.kind === 'watched' ? nextShapeId + 1 : nextShapeId;
  }

  /** What becomes of the catalogue; undefined: it stays as it is. */
  writes(): CatalogUpdate | undefined {
    return this.#change && { version: this.#version, change: this.#change };
  }

  watch(unit: WatchUnit): Watching | Refused {
    const { catalog, locked } = this.#options;
    const { context, topic, shape: wanted, neededAt } = unit;
    if (catalog.find(context, topic, wanted) !== undefined) return { kind: 'watching', created: false };
    const { isFull = false, identity } = catalog.of(context, topic) ?? {};
    if (isFull && !isOwn(identity, wanted)) return { kind: 'refused', error: tooManyShapes(unit, []) };
    const { position, nextShapeId } = locked.head;
    const progress = { ready: false, watchedAfter: position, builtTo: 0, neededAt };
    this.#change = { kind: 'watched', context, topic, shape: { ...wanted, id: nextShapeId, ...progress } };
    return { kind: 'watching', created: true };
  }

  /** Writes nothing of a shape that was given back while it was indexed, or that another instance has indexed too. */
  ready(shapeId: number): Ready {
    if (this.#options.catalog.byId(shapeId)?.ready === false) this.#change = { kind: 'ready', shapeId };
    return { kind: 'ready' };
  }

  /** Drops those of the shapes that nothing keeps; refused with what keeps the first where that is all of them. */
  drop({ shapeIds, unusedSince }: DropUnit): Dropped | Refused {
    const kept = new Map(shapeIds.map((id) => [id, this.#keeping(id, unusedSince)]));
    const free = [...kept].flatMap(([id, error]) => (error === undefined ? [id] : []));
    if (free.length === 0) return { kind: 'refused', error: [...kept.values()][0] ?? unknownShape() };
    this.#change = { kind: 'dropped', shapeIds: free };
    return this.#change;
  }

  /** Why the shape cannot be dropped. */
  #keeping(shapeId: number, unusedSince: Micros): MadeleineError | undefined {
    const { catalog, locked, time } = this.#options;
    const ownShape = catalog.isOwn(shapeId);
    const life = locked.waits?.shapes.get(shapeId);
    if (ownShape === undefined || life === undefined) return unknownShape();
    const { neededAt, awaitedUntil = 0 } = life;
    if (ownShape) return shapeInUse('its topic is registered with its paths');
    if (awaitedUntil > time) return shapeInUse(`events are awaited by it, until ${instantText(awaitedUntil)} at most`);
    if (neededAt > unusedSince) return shapeInUse(`it was needed at ${instantText(neededAt)}`);
    return undefined;
  }

  /** A dry run says what would become of it, and changes nothing. */
  register(unit: RegisterUnit): Registered | Refused {
    return this.#taken(decideRegister(unit, this.#registeredAs(unit), this.#deciding(unit)), unit.dryRun);
  }

  update(unit: UpdateUnit): Updated | Refused {
    if (this.#isStored(unit.audit)) return { kind: 'updated', effect: 'changed' };
    return this.#taken(decideUpdate(unit, this.#registeredAs(unit), this.#deciding(unit)), unit.dryRun);
  }

  unregister(unit: UnregisterUnit): Unregistered | Refused {
    if (this.#isStored(unit.audit)) return { kind: 'unregistered', effect: 'changed' };
    return this.#taken(decideUnregister(unit, this.#registeredAs(unit)));
  }

  identified(unit: IdentifiedUnit): Identified | Refused {
    return this.#taken(decideIdentified(unit, this.#registeredAs(unit), this.#deciding(unit)));
  }

  context({ context, expected, settings, audit }: ContextUnit): ContextUpdated {
    if (this.#isStored(audit)) return { kind: 'context-updated', effect: 'changed' };
    const known = this.#options.catalog.contextSettings(context);
    if (!isSameContext(known, expected)) return { kind: 'context-updated', effect: 'outdated' };
    if (isSameContext(known, settings)) return { kind: 'context-updated', effect: 'same' };
    this.#change = { kind: 'context', context, settings };
    return { kind: 'context-updated', effect: 'changed' };
  }

  #taken<Outcome>({ outcome, change }: Decided<Outcome>, dryRun = false): Outcome | Refused {
    if (!dryRun) this.#change = change;
    return outcome;
  }

  #registeredAs({ context, topic }: { readonly context: string; readonly topic: string }): RegisteredTopic | undefined {
    return this.#options.catalog.registeredAs(context, topic);
  }

  #isStored(audit: Push | undefined): boolean {
    return audit !== undefined && storedBefore(this.#options.locked, audit) !== undefined;
  }

  #deciding({ context, topic }: { readonly context: string; readonly topic: string }) {
    const { locked, time, catalog } = this.#options;
    const schemas = catalog.schemasOf(context, topic);
    return { time, position: locked.head.position, version: this.#version, schemas };
  }

  /** The time, not a count: a version that a database lost when it crashed is then not used again for other contents. */
  get #version(): number {
    const { catalog, locked } = this.#options;
    return Math.max(catalog.version + 1, locked.now);
  }
}
