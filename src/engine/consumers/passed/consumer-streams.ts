// Which streams consumers get events of.

import { type ConsumerKey, type ConsumerSettings, consumerCriteria } from '../../../domain/consumers/consumer.js';

/** Whether a consumer gets events of a stream with this name, whatever else it selects. */
export function getsStream(key: ConsumerKey, settings: ConsumerSettings, stream: string): boolean {
  const { streams = [] } = consumerCriteria(key, settings);
  return streams.length === 0 || streams.includes(stream);
}
