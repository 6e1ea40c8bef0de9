// Writes a later deadline of a wait, for a cawin that is given one.

import { EntryKind } from '../../../domain/events/event.js';
import type { EventId, Micros } from '../../../units.js';
import type { Queries } from '../sql/database.js';

const RAISE = `
  UPDATE wait SET expires_at = ? WHERE event_id = ? AND state = ${EntryKind.AWAITED} AND expires_at < ? AND expires_at > ?`;

/**
 * Raises the deadline of what is awaited, which is the greatest of those who share it; one that has passed by `now` stays passed.
 * Needs the head row.
 */
export async function raiseWait(queries: Queries, eventId: EventId, until: Micros, now: Micros): Promise<void> {
  await queries.write(RAISE, [until, eventId, until, now]);
}
