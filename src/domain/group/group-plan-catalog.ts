// The part of a group's plan that is about the catalogue: shapes that topics watch, and what they are registered with. Its units
// stand alone, so that the catalogue which the group was planned with is all there is.

import type { Micros } from '../../units.js';
import { MadeleineError } from '../errors.js';
import { instantText } from '../instant-text.js';
import { type SettingDifference, settingDifferences } from '../topics/topic-settings.js';
import type { Dropped, Ready, Refused, Registered, Watching } from './group-outcomes.js';
import { shapeInUse, tooManyShapes, unknownShape } from './group-plan-refusals.js';
import type { DropUnit, LockedState, RegisterUnit, WatchUnit } from './group-plan-types.js';
import { type CatalogChange, type CatalogUpdate, isOwn, type ShapeCatalog } from './shape-catalog.js';

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
  update(): CatalogUpdate | undefined {
    const { catalog, locked } = this.#options;
    // The time, not a count: a version that a database lost when it crashed is then not used again for other contents.
    const version = Math.max(catalog.version + 1, locked.now);
    return this.#change && { version, change: this.#change };
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

  register(unit: RegisterUnit): Registered | Refused {
    const known = this.#options.catalog.settingsOf(unit.context, unit.topic);
    if (known === undefined) {
      const { context, topic, settings } = unit;
      this.#change = { kind: 'registered', context, topic, settings, registeredAt: this.#options.time };
      return { kind: 'registered', created: true };
    }
    const differences = settingDifferences(known, unit.settings);
    if (differences.length > 0) return { kind: 'refused', error: topicDiffers(unit, differences) };
    return { kind: 'registered', created: false };
  }
}

/** Characters of a value in a refusal, which has to stay short. */
const MAX_TOLD = 160;

/** Both values are told, so that the caller sees which of the two is wrong. */
function topicDiffers({ context, topic }: RegisterUnit, differences: readonly SettingDifference[]): MadeleineError {
  const names = differences.map(({ name }) => name);
  const details = {
    violations: differences.map(({ name, before, after }) => ({
      field: `settings.${name}`,
      description: `is registered as ${toldText(before)}, asked for as ${toldText(after)}`,
    })),
    metadata: { context, topic, differing: names.join(',') },
  };
  return new MadeleineError(
    'TOPIC_DIFFERS',
    `the topic "${topic}" is registered with other ${names.join(', ')}`,
    details,
  );
}

function toldText(value: SettingDifference['before']): string {
  const text = JSON.stringify(value);
  return text.length <= MAX_TOLD ? text : `${text.slice(0, MAX_TOLD)}…`;
}
