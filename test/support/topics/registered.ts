// Topics as they were registered.

import type { Topic } from '../../../generated/madeleine/v1/topic_service.js';

/** The topic without what is stored of it: how far that is counted changes by itself. */
export function withoutStored(topic: Topic | undefined): Topic | undefined {
  return topic && { ...topic, stored: undefined };
}
