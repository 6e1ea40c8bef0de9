// Which consumers get what the counters count: their filter has topics and streams, and nothing else.

import type { ConsumerKey, ConsumerSettings } from '../consumers/consumer.js';
import { saysNamesOnly } from '../events/normal-filter.js';

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
  const { topics = [], streams = [] } = filter;
  return saysNamesOnly(filter) && !ignoreOwn ? { context, topics, streams } : undefined;
}
