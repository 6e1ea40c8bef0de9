// The part of a group's plan that is about the catalogue: shapes that topics watch, and what they are registered with. Its units
// stand alone, so that the catalogue which the group was planned with is all there is.

import type { Micros } from '../../units.js';
import { MadeleineError } from '../errors.js';
import { instantText } from '../instant-text.js';
import { differingSettings, type TopicSettings } from '../topics/topic.js';
import type { Dropped, Ready, Refused, Registered, Watching } from './group-outcomes.js';
import { shapeInUse, tooManyShapes, unknownShape } from './group-plan-refusals.js';
import type { DropUnit, LockedWaits, RegisterUnit, WaitWrites, WatchUnit } from './group-plan-types.js';
import { isOwn, type ShapeCatalog } from './shape-catalog.js';

export type CatalogWrites = Pick<WaitWrites, 'watched' | 'readyShapeId' | 'droppedShapeIds' | 'registered'>;

export interface CatalogPlannerOptions {
  /** The version of the catalogue in the locked head. */
  readonly catalog: ShapeCatalog;
  readonly locked: LockedWaits | undefined;
  /** The time of the group. */
  readonly time: Micros;
  readonly nextShapeId: number;
}

export class CatalogPlanner {
  readonly #options: CatalogPlannerOptions;
  #watched: WaitWrites['watched'];
  #readyShapeId: number | undefined;
  #droppedShapeIds: readonly number[] = [];
  #registered: WaitWrites['registered'];

  constructor(options: CatalogPlannerOptions) {
    this.#options = options;
  }

  get nextShapeId(): number {
    return this.#watched === undefined ? this.#options.nextShapeId : this.#options.nextShapeId + 1;
  }

  writes(): CatalogWrites {
    return {
      watched: this.#watched,
      readyShapeId: this.#readyShapeId,
      droppedShapeIds: this.#droppedShapeIds,
      registered: this.#registered,
    };
  }

  watch(unit: WatchUnit): Watching | Refused {
    const { catalog, nextShapeId } = this.#options;
    const known = catalog.find(unit.context, unit.topic, unit.shape);
    if (known !== undefined) return { kind: 'watching', shapeId: known.id };
    const { isFull = false, identity } = catalog.of(unit.context, unit.topic) ?? {};
    if (isFull && !isOwn(identity, unit.shape)) return { kind: 'refused', error: tooManyShapes(unit, []) };
    this.#watched = { id: nextShapeId, unit };
    return { kind: 'watching', shapeId: nextShapeId };
  }

  /** Writes nothing of a shape that was given back while it was indexed. */
  ready(shapeId: number): Ready {
    if (this.#options.catalog.isOwn(shapeId) !== undefined) this.#readyShapeId = shapeId;
    return { kind: 'ready' };
  }

  /** Drops those of the shapes that nothing keeps; refused with what keeps the first where that is all of them. */
  drop({ shapeIds, unusedSince }: DropUnit): Dropped | Refused {
    const kept = new Map(shapeIds.map((id) => [id, this.#keeping(id, unusedSince)]));
    this.#droppedShapeIds = [...kept].flatMap(([id, error]) => (error === undefined ? [id] : []));
    if (this.#droppedShapeIds.length > 0) return { kind: 'dropped', shapeIds: this.#droppedShapeIds };
    return { kind: 'refused', error: [...kept.values()][0] ?? unknownShape() };
  }

  /** Why the shape cannot be dropped. */
  #keeping(shapeId: number, unusedSince: Micros): MadeleineError | undefined {
    const { catalog, locked, time } = this.#options;
    const ownShape = catalog.isOwn(shapeId);
    const life = locked?.shapes.get(shapeId);
    if (ownShape === undefined || life === undefined) return unknownShape();
    const { neededAt, awaitedUntil = 0 } = life;
    if (ownShape) return shapeInUse('its topic is registered with its paths');
    if (awaitedUntil > time) return shapeInUse(`events are awaited by it, until ${instantText(awaitedUntil)} at most`);
    if (neededAt > unusedSince) return shapeInUse(`it was needed at ${instantText(neededAt)}`);
    return undefined;
  }

  register(unit: RegisterUnit): Registered | Refused {
    const known = this.#options.catalog.settingsOf(unit.context, unit.topic);
    if (known === undefined) {
      this.#registered = { unit, registeredAt: this.#options.time };
      return { kind: 'registered', created: true };
    }
    const differing = differingSettings(known, unit.settings);
    if (differing.length > 0) return { kind: 'refused', error: topicDiffers(unit, known, differing) };
    return { kind: 'registered', created: false };
  }
}

/** What is registered is named, so that the caller sees which of the two is wrong. */
function topicDiffers(
  { context, topic }: RegisterUnit,
  known: TopicSettings,
  differing: readonly string[],
): MadeleineError {
  const paths = known.descriptionPaths.join(', ') || 'none';
  const details = {
    violations: differing.map((name) => ({ field: `settings.${name}`, description: `registered: ${paths}` })),
    metadata: { context, topic, differing: differing.join(',') },
  };
  return new MadeleineError(
    'TOPIC_DIFFERS',
    `the topic "${topic}" is registered with other ${differing.join(', ')}`,
    details,
  );
}
