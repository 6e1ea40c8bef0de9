// What the catalogue says of topics, as of one version of it: the shapes that each topic watches, and what it is
// registered with. A snapshot: never changed, replaced by a newer one. Topics of which pushes need to know nothing are not in its
// way, so that their pushes pay one look into a map.

import { type DescriptionPaths, parseDescriptionPaths } from '../descriptions/description-paths.js';
import type { Shape } from '../descriptions/shape.js';
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
}

/** What pushes to a topic need to know. */
export interface TopicShapes {
  readonly shapes: readonly WatchedShape[];
  readonly matcher: ShapeMatcher<WatchedShape>;
  /** What identifies its events; undefined: only what their pushes describe. */
  readonly identity: DescriptionPaths | undefined;
}

interface OfTopic {
  readonly context: string;
  readonly topic: string;
}

export class ShapeCatalog {
  readonly version: number;
  readonly #topics = new Map<string, TopicShapes>();
  readonly #registered = new Map<string, TopicSettings>();

  constructor(
    version: number,
    shapes: Iterable<OfTopic & { readonly shape: WatchedShape }>,
    registered: Iterable<OfTopic & { readonly settings: TopicSettings }> = [],
  ) {
    this.version = version;
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
    for (const [key, list] of byTopic) {
      const identity = identityPaths(this.#registered.get(key));
      this.#topics.set(key, { shapes: list, matcher: new ShapeMatcher(list), identity });
    }
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

  /** What the topic is registered with; undefined if nobody registered it. */
  settingsOf(context: string, topic: string): TopicSettings | undefined {
    return this.#registered.get(scopedKey(context, topic));
  }
}

function identityPaths(settings: TopicSettings | undefined): DescriptionPaths | undefined {
  if (settings === undefined || settings.descriptionPaths.length === 0) return undefined;
  return parseDescriptionPaths(settings.descriptionPaths, 'description_paths');
}
