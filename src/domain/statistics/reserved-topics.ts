// Topics that are the server's own.

/** Whether the topic is one of the server's own, which nobody else's statistics count. */
export function isReservedTopic(topic: string): boolean {
  return topic.startsWith('madeleine.');
}
