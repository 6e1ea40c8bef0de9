// Everything that a catalogue says, as values that tests can compare.

import type { ShapeCatalog, WatchedShape } from '../../../src/domain/group/shape-catalog.js';

interface TopicName {
  readonly context: string;
  readonly topic: string;
}

/** The catalogue in words: what it says of these topics, of their shapes and of all. The payload shows what matchers look for. */
export function viewOf(catalog: ShapeCatalog, topics: readonly TopicName[], payload: Uint8Array) {
  const { version, freed, neededSince, isEmpty, hasContexts } = catalog;
  const contexts = topics.map(({ context }) => catalog.contextSettings(context));
  return {
    version,
    freed,
    neededSince,
    isEmpty,
    hasContexts,
    contexts,
    topics: topics.map((topic) => topicView(catalog, topic, payload)),
  };
}

function topicView(catalog: ShapeCatalog, { context, topic }: TopicName, payload: Uint8Array) {
  const watched = catalog.of(context, topic);
  const shapeView = (shape: WatchedShape) => {
    const found = catalog.find(context, topic, shape)?.id;
    return { ...shape, found, byId: catalog.byId(shape.id), isOwn: catalog.isOwn(shape.id) };
  };
  return {
    topic,
    registered: catalog.registeredAs(context, topic),
    shapes: watched?.shapes.map(shapeView),
    identity: watched?.identity?.pointers,
    nextIdentity: watched?.nextIdentity?.pointers,
    isFull: watched?.isFull,
    neededSince: watched?.neededSince,
    matched: watched?.matcher.match(payload).map(({ shape, hash }) => [shape, hash]),
  };
}
