// What became of an event, read under the head row: the only place where cawins look at the log and at waits.

import type { EndKind, WaitEnd } from '../../../domain/cawins/cawin.js';
import { EntryKind } from '../../../domain/events/event.js';
import type { EventId, Micros, Position } from '../../../units.js';
import type { Database, Queries } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** What a unit under the head row knows about time and place. */
export interface HeadView {
  readonly position: Position;
  /** The database's time, but not before the newest entry. */
  readonly now: Micros;
}

const LOCK_HEAD = `
  SELECT position, created_at, CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) AS now_micros
  FROM log_head WHERE id = 1 FOR UPDATE`;

/** Runs the work in one transaction that holds the head row, so that no event ends meanwhile. */
export function underHead<T>(database: Database, work: (queries: Queries, head: HeadView) => Promise<T>): Promise<T> {
  return database.transaction(async (queries) => {
    const [row] = await queries.execute<{ position: Position; created_at: Micros; now_micros: Micros }>(LOCK_HEAD);
    if (row === undefined) throw new Error('log_head has no row');
    return work(queries, { position: row.position, now: Math.max(row.created_at, row.now_micros) });
  });
}

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
    `SELECT event_id, entry_event_id, expires_at, context_id FROM wait WHERE event_id IN (${placeholders(eventIds.length)})`,
    eventIds,
  );
  const waitOf = new Map(waits.map((wait) => [wait.event_id, wait]));
  const mains = [...new Set(eventIds.map((id) => waitOf.get(id)?.entry_event_id ?? id))];
  const entries = await queries.query<EntryRow>(
    `SELECT event_id, kind, position, created_at, context_id FROM log WHERE event_id IN (${placeholders(mains.length)}) ORDER BY position`,
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

const RAISE = `
  UPDATE wait SET expires_at = ? WHERE event_id = ? AND state = ${EntryKind.AWAITED} AND expires_at < ? AND expires_at > ?`;

/** The await's deadline is the greatest of those who share it; one that has passed by `now` stays passed. */
export async function raiseWait(queries: Queries, eventId: EventId, until: Micros, now: Micros): Promise<void> {
  await queries.write(RAISE, [until, eventId, until, now]);
}
