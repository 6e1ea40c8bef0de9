// An event of the contract as the checker wants it.

import type { Event } from '../../../generated/madeleine/v1/event.js';
import type { TestClient } from '../server/server.js';
import type { LoggedEvent } from './operation-log.js';

export function loggedEvent(event: Event): LoggedEvent {
  const { messageId, context, topic, stream, issuer, to, position, sequence } = event;
  return { messageId, context, topic, stream, issuer, to, position: Number(position), sequence: Number(sequence) };
}

/** Everything that is stored in some contexts, by position. */
export async function readLogged(client: TestClient, contexts: readonly string[]): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = [];
  for (const context of contexts) {
    for await (const frame of client.events.readEvents({ context })) events.push(...frame.events.map(loggedEvent));
  }
  return events.sort((a, b) => a.position - b.position);
}
