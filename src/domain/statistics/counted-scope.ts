// Which consumers get what the counters count: their filter has topics and streams, and nothing else.

import { type ConsumerKey, type ConsumerSettings, EVERY_EVENT } from '../consumers/consumer.js';
import { EntryKind } from '../events/event.js';

/** Events of a context, or of `all`, by topics and streams; an empty list: whatever theirs is. */
export interface CountedScope {
  readonly context: string;
  readonly topics: readonly string[];
  readonly streams: readonly string[];
}

/** Returns what a consumer gets, where topics and streams say all of it; undefined: counters cannot tell. */
export function countedScope(
  { context }: ConsumerKey,
  { filter, ignoreOwn }: ConsumerSettings,
): CountedScope | undefined {
  const { topics, streams, kinds = [], ...others } = filter;
  const isElse = Object.values({ ...EVERY_EVENT, ...others }).some((value) => value !== undefined && value.length > 0);
  const isOccurred = kinds.every((kind) => kind === EntryKind.OCCURRED);
  return isElse || ignoreOwn || !isOccurred ? undefined : { context, topics, streams };
}
