// The cawins on events that go, with their firings and attempts. An event may have a million of them: they go before it, a few hundred
// in a transaction, and where one has a callback to make that is still tried, the event stays.

import { FiringState } from '../../../domain/cawins/cawin.js';
import type { EventId } from '../../../units.js';
import { type DueEntry, KeepReason, type KeptEntry } from '../../ports/retention-storage.js';
import type { Database, Queries } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';

/** Cawins of one transaction: each has up to some dozens of attempts. */
const CAWINS = 100;
// Written as if they were of several tables: a DELETE of one cannot be told its index.
const DELETIONS = [
  'DELETE t FROM cawin t FORCE INDEX (PRIMARY) WHERE t.id IN',
  'DELETE t FROM firing t FORCE INDEX (PRIMARY) WHERE t.cawin_id IN',
  'DELETE t FROM attempt t FORCE INDEX (PRIMARY) WHERE t.cawin_id IN',
];
/** Reads an event's cawins from an id on, which `event_id = ?` would not: see SELECT_CAWINS of firings. */
const NEXT = `
  SELECT id FROM cawin FORCE INDEX (cawin_event) WHERE event_id >= ? AND event_id <= ? AND id > ? ORDER BY event_id, id LIMIT ${CAWINS}`;

/**
 * Deletes the cawins on the events, or on what they ended, that have no callback to make; returns the entries that stay for the others.
 * `renewed` is asked in each transaction: false ends all.
 */
export async function endCawins(
  database: Database,
  entries: readonly DueEntry[],
  renewed: (queries: Queries) => Promise<boolean>,
): Promise<readonly KeptEntry[]> {
  const entryOf = await eventsWithIds(database, entries);
  const stays = new Set<EventId>();
  for (const eventId of await withCawins(database, [...entryOf.keys()])) {
    const entry = entryOf.get(eventId);
    if (entry !== undefined && (await hasOpen(database, eventId, renewed))) stays.add(entry.eventId);
  }
  // An event stays with what withdraws it.
  return entries
    .filter(({ eventId }) => stays.has(eventId))
    .map(({ position }) => ({ position, reason: KeepReason.CALLBACK }));
}

/** An entry of each event, by all ids of it: its own, and those of the waits that it ended. */
async function eventsWithIds(database: Database, entries: readonly DueEntry[]): Promise<Map<EventId, DueEntry>> {
  const byId = new Map(entries.map((entry) => [entry.eventId, entry]));
  await inChunks([...byId.keys()], async (chunk) => {
    const rows = await database.execute<{ event_id: EventId; entry_event_id: EventId }>(
      `SELECT event_id, entry_event_id FROM wait FORCE INDEX (wait_entry) WHERE entry_event_id IN (${placeholders(chunk.length)})`,
      chunk,
    );
    for (const row of rows) {
      const entry = byId.get(row.entry_event_id);
      if (entry !== undefined) byId.set(row.event_id, entry);
    }
  });
  return byId;
}

async function withCawins(database: Database, eventIds: readonly EventId[]): Promise<ReadonlySet<EventId>> {
  const found = new Set<EventId>();
  await inChunks(eventIds, async (chunk) => {
    const rows = await database.execute<{ event_id: EventId }>(
      `SELECT DISTINCT event_id FROM cawin FORCE INDEX (cawin_event) WHERE event_id IN (${placeholders(chunk.length)})`,
      chunk,
    );
    for (const row of rows) found.add(row.event_id);
  });
  return found;
}

/** Deletes the cawins on an event up to one that has a callback to make; whether there is one. */
async function hasOpen(
  database: Database,
  eventId: EventId,
  renewed: (queries: Queries) => Promise<boolean>,
): Promise<boolean> {
  for (;;) {
    const outcome = await database.transaction(async (queries) => {
      if (!(await renewed(queries))) return 'open';
      return clearSome(queries, eventId);
    });
    if (outcome !== 'more') return outcome === 'open';
  }
}

async function clearSome(queries: Queries, eventId: EventId): Promise<'open' | 'more' | 'none'> {
  const found = (await queries.execute<{ id: number }>(NEXT, [eventId, eventId, 0])).map(({ id }) => id);
  if (found.length === 0) return 'none';
  const list = placeholders(found.length);
  // Whoever lets one be tried again has its row.
  await queries.query(`SELECT id FROM cawin FORCE INDEX (PRIMARY) WHERE id IN (${list}) ORDER BY id FOR UPDATE`, found);
  const pending = await queries.query<{ cawin_id: number }>(
    `SELECT DISTINCT cawin_id FROM firing FORCE INDEX (PRIMARY) WHERE cawin_id IN (${list}) AND state = ${FiringState.PENDING}`,
    found,
  );
  const isOpen = new Set(pending.map((row) => row.cawin_id));
  const ended = found.filter((id) => !isOpen.has(id));
  if (ended.length > 0) {
    const ids = placeholders(ended.length);
    for (const statement of DELETIONS) await queries.query(`${statement} (${ids})`, ended);
  }
  if (isOpen.size > 0) return 'open';
  return found.length === CAWINS ? 'more' : 'none';
}
