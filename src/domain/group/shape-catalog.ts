// What the catalogue says of topics, as of one version of it: the shapes that each topic watches, and what it is
// registered with. A snapshot: never changed, replaced by a newer one. Topics of which pushes need to know nothing are not in its
// way, so that their pushes pay one look into a map.

import type { Micros, Position } from '../../units.js';
import { type DescriptionPaths, parseDescriptionPaths } from '../descriptions/description-paths.js';
import { MAX_SHAPES, type Shape } from '../descriptions/shape.js';
import type { ShapeLife } from '../descriptions/shape-life.js';
import { ShapeMatcher } from '../descriptions/shape-matcher.js';
import { scopedKey } from '../names.js';
import type { TopicSettings } from '../topics/topic.js';

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
  /** Whether it has no place for one more shape. The one that it is registered with has a place of its own. */
  readonly isFull: boolean;
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

export class ShapeCatalog {
  readonly version: number;
  /** Ids of shapes that were given back and whose index rows may still be there. */
  readonly freed: readonly number[];
  /** When the shape that was not needed for the longest was last needed, of those that may be given back; infinite without any. */
  readonly neededSince: Micros;
  readonly #topics = new Map<string, TopicShapes>();
  /** Whether each shape, by its id, is the one that its topic is registered with. */
  readonly #isOwn = new Map<number, boolean>();
  readonly #registered = new Map<string, TopicSettings>();

  constructor(
    version: number,
    shapes: Iterable<OfTopic & { readonly shape: WatchedShape }>,
    registered: Iterable<OfTopic & { readonly settings: TopicSettings }> = [],
    freed: readonly number[] = [],
  ) {
    this.version = version;
    this.freed = freed;
    const byTopic = new Map<string, WatchedShape[]>();
    for (const { context, topic, settings } of registered) {
      const key = scopedKey(context, topic);
      this.#registered.set(key, settings);
      if (settings.descriptionPaths.length > 0) byTopic.set(key, []);
    }
    for (const { context, topic, shape } of shapes) {
      const key = scopedKey(context, topic);
      const list = byTopic.get(key);
      if (list === undefined) byTopic.set(key, [shape]);
      else list.push(shape);
    }
    let neededSince = Number.POSITIVE_INFINITY;
    for (const [key, list] of byTopic) {
      const identity = identityPaths(this.#registered.get(key));
      const taken = list.filter((shape) => !isOwn(identity, shape));
      for (const shape of list) this.#isOwn.set(shape.id, true);
      for (const { id, neededAt } of taken) {
        this.#isOwn.set(id, false);
        neededSince = Math.min(neededSince, neededAt);
      }
      this.#topics.set(key, {
        shapes: list,
        matcher: new ShapeMatcher(list),
        identity,
        isFull: taken.length >= MAX_SHAPES,
      });
    }
    this.neededSince = neededSince;
  }

  /** No push needs to know anything. */
  get isEmpty(): boolean {
    return this.#topics.size === 0;
  }

  /** Undefined for a topic without shapes and description paths. */
  of(context: string, topic: string): TopicShapes | undefined {
    return this.#topics.get(scopedKey(context, topic));
  }

  /** The shape with these paths that the topic watches. */
  find(context: string, topic: string, shape: Shape): WatchedShape | undefined {
    return this.of(context, topic)?.shapes.find(({ digest }) => digest.equals(shape.digest));
  }

  /** Whether the shape is the one that its topic is registered with; undefined if there is none of this id. */
  isOwn(shapeId: number): boolean | undefined {
    return this.#isOwn.get(shapeId);
  }

  /** What the topic is registered with; undefined if nobody registered it. */
  settingsOf(context: string, topic: string): TopicSettings | undefined {
    return this.#registered.get(scopedKey(context, topic));
  }
}

/** Whether the shape is the one that the topic is registered with. */
export function isOwn(identity: DescriptionPaths | undefined, shape: Shape): boolean {
  return identity?.shape.digest.equals(shape.digest) === true;
}

function identityPaths(settings: TopicSettings | undefined): DescriptionPaths | undefined {
  if (settings === undefined || settings.descriptionPaths.length === 0) return undefined;
  return parseDescriptionPaths(settings.descriptionPaths, 'description_paths');
}
