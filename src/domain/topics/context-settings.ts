// The settings of a context: what becomes of pushes to topics that nobody registered.

/** What becomes of a push to a topic that nobody registered: it is stored as any other, answered and not stored, or refused. */
export const UNREGISTERED_TOPICS = ['accept', 'discard', 'reject'] as const;
export type UnregisteredTopics = (typeof UNREGISTERED_TOPICS)[number];

export interface ContextSettings {
  /** Undefined: as the server is told. */
  readonly unregisteredTopics: UnregisteredTopics | undefined;
}

export const UNSET_CONTEXT: ContextSettings = { unregisteredTopics: undefined };

export function isSameContext(one: ContextSettings, other: ContextSettings): boolean {
  return one.unregisteredTopics === other.unregisteredTopics;
}

/** The settings by their names in the contract: what is not set is null. */
export function contextInWords({
  unregisteredTopics = null,
}: {
  readonly unregisteredTopics?: UnregisteredTopics | null | undefined;
}): { readonly unregistered_topics: UnregisteredTopics | null } {
  return { unregistered_topics: unregisteredTopics };
}

/** The settings that rows keep; what other servers know besides is passed over. */
export function restoredContext(stored: Readonly<Record<string, unknown>>): ContextSettings {
  const { unregistered_topics: value } = stored;
  return { unregisteredTopics: UNREGISTERED_TOPICS.find((one) => one === value) };
}
