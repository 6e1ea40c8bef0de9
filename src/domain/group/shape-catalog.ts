// What the catalogue says of topics, as of one version of it: the shapes that each topic watches, and what it is
// registered with. A snapshot: never changed, replaced by a newer one, which is loaded, or made of the former one by whoever knows
// what has changed. Topics of which pushes need to know nothing are not in its
// way, so that their pushes pay one look into a map.

import type { Micros, Position } from '../../units.js';
import { SharedMap } from '../collections/shared-map.js';
import { type DescriptionPaths, parseDescriptionPaths } from '../descriptions/description-paths.js';
import { MAX_SHAPES, type Shape } from '../descriptions/shape.js';
import type { ShapeLife } from '../descriptions/shape-life.js';
import { ShapeMatcher } from '../descriptions/shape-matcher.js';
import { assertNever } from '../errors.js';
import { scopedKey } from '../names.js';
import { type TopicSchema, TopicSchemas } from '../schemas/topic-schema.js';
import { type ContextSettings, isSameContext, UNSET_CONTEXT } from '../topics/context-settings.js';
import type { PendingIdentities } from '../topics/identity-build.js';
import type { TopicSettings } from '../topics/topic-settings.js';

/** A shape that a topic watches. */
export interface WatchedShape extends Shape {
  readonly id: number;
  /** Its index holds everything that it has to: what was stored before it was watched is done. */
  readonly ready: boolean;
  /** Everything stored after this position was indexed by its own group. */
  readonly watchedAfter: number;
  /** What was stored before is indexed up to here. */
  readonly builtTo: number;
  /** When it was last needed, as the catalogue was loaded. */
  readonly neededAt: Micros;
}

/** What pushes to a topic need to know. */
export interface TopicShapes {
  readonly shapes: readonly WatchedShape[];
  readonly matcher: ShapeMatcher<WatchedShape>;
  /** What identifies its events; undefined: only what their pushes describe. */
  readonly identity: DescriptionPaths | undefined;
  /** What is to identify them once that is built for what is stored; pushes need not obey it. */
  readonly nextIdentity: DescriptionPaths | undefined;
  /** What payloads have to fit; undefined: anything goes. */
  readonly schemas: TopicSchemas | undefined;
  /** Whether it has no place for one more shape. The one that it is registered with has a place of its own. */
  readonly isFull: boolean;
  /** See ShapeCatalog: of this topic. */
  readonly neededSince: Micros;
}

/** A shape as it is stored, and what keeps it. */
export interface StoredShape extends ShapeLife {
  readonly id: number;
  readonly context: string;
  readonly topic: string;
  readonly shape: Shape;
  readonly ready: boolean;
  /** Its index holds what was stored after this position; undefined: not known, or not begun. */
  readonly indexedFrom: Position | undefined;
}

interface OfTopic {
  readonly context: string;
  readonly topic: string;
}

/** What a topic is registered with. */
export interface RegisteredTopic {
  readonly settings: TopicSettings;
  /** Identities by its description paths are being built; undefined: pushes obey them. */
  readonly pending?: PendingIdentities | undefined;
}

interface NextSchema {
  /** The version of the schema that the settings make; undefined: none. */
  readonly schema?: TopicSchema | undefined;
}

/** What a group has changed: its unit stands alone, so it is one thing. */
export type CatalogChange =
  | (OfTopic & { readonly kind: 'watched'; readonly shape: WatchedShape })
  | { readonly kind: 'ready'; readonly shapeId: number }
  | { readonly kind: 'dropped'; readonly shapeIds: readonly number[] }
  | (OfTopic &
      NextSchema & { readonly kind: 'registered'; readonly settings: TopicSettings; readonly registeredAt: Micros })
  | (OfTopic &
      RegisteredTopic &
      NextSchema & { readonly kind: 'updated'; readonly former: RegisteredTopic; readonly at: Micros })
  | (OfTopic & { readonly kind: 'unregistered' })
  | { readonly kind: 'context'; readonly context: string; readonly settings: ContextSettings }
  /** Pushes obey the identities that were built, by these paths. */
  | (OfTopic & {
      readonly kind: 'identified';
      readonly buildId: number;
      readonly descriptionPaths: readonly string[];
      readonly at: Micros;
    });

/** A change, and the version that the catalogue has from then on. */
export interface CatalogUpdate {
  readonly version: number;
  readonly change: CatalogChange;
}

/** What is stored, by scopedKey(context, topic). Versions of the catalogue share what did not change between them. */
interface Parts {
  readonly topics: SharedMap<string, TopicShapes>;
  /** The topic of each shape, by its id. */
  readonly topicOf: SharedMap<number, string>;
  readonly registered: SharedMap<string, RegisteredTopic>;
  /** Settings of contexts that have some, by their names. */
  readonly contexts: SharedMap<string, ContextSettings>;
  /** All versions, also of topics that are registered no more. */
  readonly schemas: SharedMap<string, TopicSchemas>;
  readonly freed: readonly number[];
}

export class ShapeCatalog {
  readonly version: number;
  readonly #parts: Parts;
  #neededSince: Micros | undefined;

  private constructor(version: number, parts: Parts) {
    this.version = version;
    this.#parts = parts;
  }

  /** The catalogue of shapes, ascending by id, settings of topics, ids of shapes that were given back, and settings of contexts. */
  static of(
    version: number,
    shapes: Iterable<OfTopic & { readonly shape: WatchedShape }>,
    registered: Iterable<OfTopic & RegisteredTopic> = [],
    freed: readonly number[] = [],
    contexts: ReadonlyMap<string, ContextSettings> = new Map(),
    schemas: Iterable<OfTopic & { readonly schemas: TopicSchemas }> = [],
  ): ShapeCatalog {
    const registrations = new Map<string, RegisteredTopic>();
    const byTopic = new Map<string, WatchedShape[]>();
    const topicOf = new Map<number, string>();
    for (const { context, topic, settings, pending } of registered) {
      const key = scopedKey(context, topic);
      registrations.set(key, { settings, pending });
      byTopic.set(key, []);
    }
    for (const { context, topic, shape } of shapes) {
      const key = scopedKey(context, topic);
      const list = byTopic.get(key);
      if (list === undefined) byTopic.set(key, [shape]);
      else list.push(shape);
      topicOf.set(shape.id, key);
    }
    const versions = new Map([...schemas].map((one) => [scopedKey(one.context, one.topic), one.schemas]));
    const topics = new Map<string, TopicShapes>();
    for (const [key, list] of byTopic) {
      const watched = topicShapes(list, askedBy(registrations.get(key), versions.get(key)));
      if (watched !== undefined) topics.set(key, watched);
    }
    const maps = {
      topics: SharedMap.of(topics),
      topicOf: SharedMap.of(topicOf),
      registered: SharedMap.of(registrations),
      schemas: SharedMap.of(versions),
    };
    return new ShapeCatalog(version, { ...maps, freed, contexts: SharedMap.of(contexts) });
  }

  /** No push needs to know anything. */
  get isEmpty(): boolean {
    return this.#parts.topics.size === 0;
  }

  /** Ids of shapes that were given back and whose index rows may still be there, ascending. */
  get freed(): readonly number[] {
    return this.#parts.freed;
  }

  /** When the shape that was not needed for the longest was last needed, of those that may be given back; infinite without any. */
  get neededSince(): Micros {
    this.#neededSince ??= this.#leastNeeded();
    return this.#neededSince;
  }

  /** Undefined for a topic without shapes and description paths. */
  of(context: string, topic: string): TopicShapes | undefined {
    return this.#parts.topics.get(scopedKey(context, topic));
  }

  /** The shape with these paths that the topic watches. */
  find(context: string, topic: string, shape: Shape): WatchedShape | undefined {
    return this.of(context, topic)?.shapes.find(({ digest }) => digest.equals(shape.digest));
  }

  /** The shape with this id. */
  byId(shapeId: number): WatchedShape | undefined {
    return this.#topicOf(shapeId)?.shapes.find(({ id }) => id === shapeId);
  }

  /** Whether the shape is the one that its topic is registered with; undefined if there is none of this id. */
  isOwn(shapeId: number): boolean | undefined {
    const shape = this.byId(shapeId);
    return shape && isOwn(this.#topicOf(shapeId)?.identity, shape);
  }

  /** What the topic is registered with; undefined if nobody registered it. */
  settingsOf(context: string, topic: string): TopicSettings | undefined {
    return this.registeredAs(context, topic)?.settings;
  }

  /** What the topic is registered with, and which identities are built for it; undefined if nobody registered it. */
  registeredAs(context: string, topic: string): RegisteredTopic | undefined {
    return this.#parts.registered.get(scopedKey(context, topic));
  }

  /** Whether any context has settings. */
  get hasContexts(): boolean {
    return this.#parts.contexts.size > 0;
  }

  contextSettings(context: string): ContextSettings {
    return this.#parts.contexts.get(context) ?? UNSET_CONTEXT;
  }

  /** The schemas that pushes which name no version meet. */
  *latestSchemas(): Generator<TopicSchema> {
    for (const { schemas } of this.#parts.topics.values()) if (schemas?.latest !== undefined) yield schemas.latest;
  }

  /** All versions of the topic's schema, whether they are in force or not. */
  schemasOf(context: string, topic: string): TopicSchemas {
    return this.#parts.schemas.get(scopedKey(context, topic)) ?? TopicSchemas.NONE;
  }

  /** This catalogue after the change: what would be loaded then, at the same cost however many shapes there are. */
  with({ version, change }: CatalogUpdate): ShapeCatalog {
    return new ShapeCatalog(version, changed(this.#parts, change));
  }

  /** This version without a shape of which nothing is left. */
  withoutFreed(shapeId: number): ShapeCatalog {
    return new ShapeCatalog(this.version, { ...this.#parts, freed: this.freed.filter((id) => id !== shapeId) });
  }

  #topicOf(shapeId: number): TopicShapes | undefined {
    const key = this.#parts.topicOf.get(shapeId);
    return key === undefined ? undefined : this.#parts.topics.get(key);
  }

  #leastNeeded(): Micros {
    let least = Number.POSITIVE_INFINITY;
    for (const { neededSince } of this.#parts.topics.values()) least = Math.min(least, neededSince);
    return least;
  }
}

function changed(parts: Parts, change: CatalogChange): Parts {
  switch (change.kind) {
    case 'watched':
      return watched(parts, scopedKey(change.context, change.topic), change.shape);
    case 'ready':
      return ready(parts, change.shapeId);
    case 'dropped':
      return dropped(parts, change.shapeIds);
    case 'registered':
    case 'updated':
    case 'unregistered':
    case 'identified':
      return withRegistration(parts, scopedKey(change.context, change.topic), change);
    case 'context':
      return { ...parts, contexts: parts.contexts.with(change.context, keptSettings(change.settings)) };
    default:
      return assertNever(change);
  }
}

function watched(parts: Parts, key: string, shape: WatchedShape): Parts {
  const former = parts.topics.get(key);
  const shapes = [...(former?.shapes ?? []), shape];
  return {
    ...parts,
    topics: parts.topics.with(key, topicShapes(shapes, former)),
    topicOf: parts.topicOf.with(shape.id, key),
  };
}

function ready(parts: Parts, shapeId: number): Parts {
  return withShapes(parts, shapeId, (shape) =>
    shape.id === shapeId ? [{ ...shape, ready: true, builtTo: shape.watchedAfter }] : [shape],
  );
}

function dropped(parts: Parts, shapeIds: readonly number[]): Parts {
  let left = { ...parts, freed: [...parts.freed, ...shapeIds].sort((a, b) => a - b) };
  for (const shapeId of shapeIds) {
    const others = withShapes(left, shapeId, (shape) => (shape.id === shapeId ? [] : [shape]));
    left = { ...left, topics: others.topics, topicOf: left.topicOf.with(shapeId, undefined) };
  }
  return left;
}

/** What becomes of the shapes of a topic, which one of them tells. */
function withShapes(parts: Parts, shapeId: number, become: (shape: WatchedShape) => readonly WatchedShape[]): Parts {
  const key = parts.topicOf.get(shapeId);
  const former = key === undefined ? undefined : parts.topics.get(key);
  if (key === undefined || former === undefined) return parts;
  const topic = topicShapes(former.shapes.flatMap(become), former);
  return { ...parts, topics: parts.topics.with(key, topic) };
}

function withRegistration(parts: Parts, key: string, change: RegistrationChange): Parts {
  const registration = registrationAfter(change, parts.registered.get(key));
  const schemas = withSchema(parts.schemas, key, 'schema' in change ? change.schema : undefined);
  const topic = topicShapes(parts.topics.get(key)?.shapes ?? [], askedBy(registration, schemas.get(key)));
  const registered = parts.registered.with(key, registration);
  return { ...parts, schemas, registered, topics: parts.topics.with(key, topic) };
}

function withSchema(schemas: Parts['schemas'], key: string, next: TopicSchema | undefined): Parts['schemas'] {
  return next === undefined ? schemas : schemas.with(key, (schemas.get(key) ?? TopicSchemas.NONE).with(next));
}

/** Undefined where nothing is set. */
function keptSettings(settings: ContextSettings): ContextSettings | undefined {
  return isSameContext(settings, UNSET_CONTEXT) ? undefined : settings;
}

type RegistrationChange = Extract<
  CatalogChange,
  { readonly kind: 'registered' | 'updated' | 'unregistered' | 'identified' }
>;

function registrationAfter(
  change: RegistrationChange,
  former: RegisteredTopic | undefined,
): RegisteredTopic | undefined {
  switch (change.kind) {
    case 'registered':
      return { settings: change.settings, pending: undefined };
    case 'updated':
      return { settings: change.settings, pending: change.pending };
    case 'identified':
      return former && { ...former, pending: undefined };
    case 'unregistered':
      return undefined;
    default:
      return assertNever(change);
  }
}

/** What a registration asks of pushes. */
type Asked = Pick<TopicShapes, 'identity' | 'nextIdentity' | 'schemas'>;

const NOTHING: Asked = { identity: undefined, nextIdentity: undefined, schemas: undefined };

/** What pushes to a topic need to know; undefined: nothing. */
function topicShapes(
  shapes: readonly WatchedShape[],
  { identity, nextIdentity, schemas }: Asked = NOTHING,
): TopicShapes | undefined {
  const asksNothing = identity === undefined && nextIdentity === undefined && schemas === undefined;
  if (shapes.length === 0 && asksNothing) return undefined;
  const own = identity?.shape.digest;
  const taken = own === undefined ? shapes : shapes.filter(({ digest }) => !digest.equals(own));
  return {
    shapes,
    matcher: new ShapeMatcher(shapes),
    identity,
    nextIdentity,
    schemas,
    isFull: taken.length >= MAX_SHAPES,
    neededSince: Math.min(...taken.map(({ neededAt }) => neededAt)),
  };
}

/** Whether the shape is the one that the topic is registered with. */
export function isOwn(identity: DescriptionPaths | undefined, shape: Shape): boolean {
  return identity?.shape.digest.equals(shape.digest) === true;
}

function askedBy(registration: RegisteredTopic | undefined, versions: TopicSchemas | undefined): Asked {
  if (registration === undefined) return NOTHING;
  const { settings, pending } = registration;
  const schemas = settings.schema === '' ? undefined : versions;
  const paths = pathsOf(settings.descriptionPaths);
  if (pending === undefined) return { identity: paths, nextIdentity: undefined, schemas };
  return { identity: pathsOf(pending.inForce), nextIdentity: paths, schemas };
}

function pathsOf(pointers: readonly string[]): DescriptionPaths | undefined {
  return pointers.length === 0 ? undefined : parseDescriptionPaths(pointers, 'description_paths');
}
