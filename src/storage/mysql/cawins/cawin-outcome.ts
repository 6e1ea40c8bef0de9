// What became of an event, read under the head row: the only place where cawins read the log and waits.

import type { EndKind, WaitEnd } from '../../../domain/cawins/cawin.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

export interface StoredOutcome {
  readonly contextId: number;
  /** The event's entries in the order of the log: none while it is awaited, one, or its occurrence and its invalidation. */
  readonly ends: readonly WaitEnd[];
  /** When the wait ends, while it is awaited. */
  readonly waitUntil: Micros | undefined;
}

/** Events by any of their ids; those that do not exist are left out. */
export async function readOutcomes(
  queries: Queries,
  eventIds: readonly EventId[],
): Promise<ReadonlyMap<number, StoredOutcome>> {
  const outcomes = new Map<number, StoredOutcome>();
  if (eventIds.length === 0) return outcomes;
  const waits = await queries.query<WaitRow>(
    `SELECT event_id, entry_event_id, expires_at, context_id FROM wait FORCE INDEX (PRIMARY)
     WHERE event_id IN (${placeholders(eventIds.length)})`,
    eventIds,
  );
  const waitOf = new Map(waits.map((wait) => [wait.event_id, wait]));
  const mains = [...new Set(eventIds.map((id) => waitOf.get(id)?.entry_event_id ?? id))];
  const entries = await queries.query<EntryRow>(
    `SELECT event_id, kind, position, created_at, context_id FROM log FORCE INDEX (log_event)
     WHERE event_id IN (${placeholders(mains.length)}) ORDER BY position`,
    mains,
  );
  const entriesOf = new Map<number, EntryRow[]>();
  for (const entry of entries) entriesOf.set(entry.event_id, [...(entriesOf.get(entry.event_id) ?? []), entry]);
  for (const id of eventIds) {
    const wait = waitOf.get(id);
    const outcome = outcomeOf(wait, entriesOf.get(wait?.entry_event_id ?? id) ?? []);
    if (outcome !== undefined) outcomes.set(id, outcome);
  }
  return outcomes;
}

/** An event by any of its ids; undefined if there is none. */
export async function readOutcome(queries: Queries, eventId: EventId): Promise<StoredOutcome | undefined> {
  return (await readOutcomes(queries, [eventId])).get(eventId);
}

interface WaitRow {
  readonly event_id: EventId;
  readonly entry_event_id: EventId | null;
  readonly expires_at: Micros;
  readonly context_id: number;
}

interface EntryRow {
  readonly event_id: EventId;
  readonly kind: number;
  readonly position: Position;
  readonly created_at: Micros;
  readonly context_id: number;
}

function outcomeOf(wait: WaitRow | undefined, entries: readonly EntryRow[]): StoredOutcome | undefined {
  const contextId = wait?.context_id ?? entries[0]?.context_id;
  if (contextId === undefined) return undefined;
  const ends = entries.map((row) => ({ kind: row.kind as EndKind, position: row.position, createdAt: row.created_at }));
  return { contextId, ends, waitUntil: ends.length === 0 ? wait?.expires_at : undefined };
}
