// What becomes of pushes to topics that nobody registered, by one version of the catalogue. The server's own topics are exempt.

import type { EventDraft } from '../events/event.js';
import { isReservedTopic } from '../names.js';
import type { UnregisteredTopics } from '../topics/context-settings.js';
import type { ShapeCatalog } from './shape-catalog.js';

/** What keeps a push from being stored as any other. */
export type Unregistered = Exclude<UnregisteredTopics, 'accept'>;

/** What becomes of the push; undefined: it is stored as any other. `ofServer`: what the server does where a context says nothing. */
export function unregistered(
  { context, topic }: Pick<EventDraft, 'context' | 'topic'>,
  catalog: ShapeCatalog,
  ofServer: UnregisteredTopics,
): Unregistered | undefined {
  if (ofServer === 'accept' && !catalog.hasContexts) return undefined;
  const { unregisteredTopics = ofServer } = catalog.contextSettings(context);
  if (unregisteredTopics === 'accept' || isReservedTopic(topic)) return undefined;
  return catalog.settingsOf(context, topic) === undefined ? unregisteredTopics : undefined;
}
