// The part of a group's plan that is about the catalogue: shapes that topics watch, and what they are registered with. Its units
// stand alone, so that the catalogue which the group was planned with is all there is.

import type { Micros } from '../../units.js';
import { MAX_SHAPES, type Shape } from '../descriptions/shape.js';
import { MadeleineError } from '../errors.js';
import { differingSettings, type TopicSettings } from '../topics/topic.js';
import type { Ready, Refused, Registered, Watching } from './group-outcomes.js';
import type { RegisterUnit, WaitWrites, WatchUnit } from './group-plan-types.js';
import type { ShapeCatalog } from './shape-catalog.js';

export type CatalogWrites = Pick<WaitWrites, 'watched' | 'readyShapeId' | 'registered'>;

export interface CatalogPlannerOptions {
  /** The version of the catalogue in the locked head. */
  readonly catalog: ShapeCatalog;
  /** The time of the group. */
  readonly time: Micros;
  readonly nextShapeId: number;
}

export class CatalogPlanner {
  readonly #options: CatalogPlannerOptions;
  #watched: WaitWrites['watched'];
  #readyShapeId: number | undefined;
  #registered: WaitWrites['registered'];

  constructor(options: CatalogPlannerOptions) {
    this.#options = options;
  }

  get nextShapeId(): number {
    return this.#watched === undefined ? this.#options.nextShapeId : this.#options.nextShapeId + 1;
  }

  writes(): CatalogWrites {
    return { watched: this.#watched, readyShapeId: this.#readyShapeId, registered: this.#registered };
  }

  watch(unit: WatchUnit): Watching | Refused {
    const { catalog, nextShapeId } = this.#options;
    const known = catalog.find(unit.context, unit.topic, unit.shape);
    if (known !== undefined) return { kind: 'watching', shapeId: known.id };
    const { shapes = [], identity } = catalog.of(unit.context, unit.topic) ?? {};
    // The shape that the topic is registered with has a place of its own.
    const isOwn = (shape: Shape) => identity?.shape.digest.equals(shape.digest) === true;
    const isFull = shapes.filter((shape) => !isOwn(shape)).length >= MAX_SHAPES;
    if (isFull && !isOwn(unit.shape)) return { kind: 'refused', error: tooManyShapes(unit) };
    this.#watched = { id: nextShapeId, unit };
    return { kind: 'watching', shapeId: nextShapeId };
  }

  ready(shapeId: number): Ready {
    this.#readyShapeId = shapeId;
    return { kind: 'ready' };
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

function tooManyShapes({ context, topic }: WatchUnit): MadeleineError {
  return new MadeleineError(
    'TOO_MANY_SHAPES',
    `the topic "${topic}" has ${MAX_SHAPES} shapes of descriptions already`,
    {
      violations: [{ field: 'event.description', description: 'has other paths than all of them' }],
      metadata: { context, topic, shapes: String(MAX_SHAPES) },
    },
  );
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
