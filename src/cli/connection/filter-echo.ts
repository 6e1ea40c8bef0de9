// Whether a server took the filter that it was sent: one that is older does not know what was added since, and would select more.

import type { EventFilter } from '../../../generated/madeleine/v1/event.js';
import { CommandFailed } from './failures.js';

/** Throws where the answer to a filter does not echo it; with no filter sent nothing is awaited. */
export function assertInForce(sent: Partial<EventFilter> | undefined, echo: EventFilter | undefined): void {
  if (sent === undefined) return;
  const isInForce =
    echo !== undefined && Object.entries(sent).every(([member, value]) => isEchoed(value, member, echo));
  if (isInForce) return;
  throw new CommandFailed('the server is older than this command, and does not know all that the filter says');
}

/** What is no list has no newer form; of statuses OCCURRED goes without saying. */
function isEchoed(value: unknown, member: string, echo: EventFilter): boolean {
  if (!Array.isArray(value) || member === 'statuses') return true;
  const found: unknown = echo[member as keyof EventFilter];
  return Array.isArray(found) && value.every((one) => found.includes(one));
}
