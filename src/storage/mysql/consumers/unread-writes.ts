// The rows that say what consumers lose by a deletion, for sets of consumers at a time: how many statements it takes does not depend on
// how many consumers there are, up to the size of a set.

import { PassedPositions } from '../../../domain/consumers/unread/consumer-claims.js';
import { withUnread } from '../../../domain/consumers/unread/unread-spans.js';
import type { Position } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { inChunks, inRowLists, placeholders } from '../sql/placeholders.js';
import { addGaps, deleteGaps, type NewGap, readGaps } from './gap-rows.js';

/** What one durable consumer has not passed of what goes. */
export interface UnreadBy {
  readonly consumerId: number;
  /** Ascending; also of what it has parked. */
  readonly positions: readonly Position[];
  readonly parked: ReadonlySet<Position>;
}

type Loss = Pick<UnreadBy, 'consumerId' | 'positions'>;

interface PlaceRow {
  readonly id: number;
  readonly acked_to: Position;
  readonly acked_above: Buffer;
}

const LOCK = (rows: number) => `
  SELECT id, acked_to, acked_above FROM consumer FORCE INDEX (PRIMARY)
  WHERE id IN (${placeholders(rows)}) AND deleted_at IS NULL AND ephemeral = 0 ORDER BY id FOR UPDATE`;
const COUNT = (rows: number) => `
  UPDATE consumer FORCE INDEX (PRIMARY) SET expired_unread = expired_unread + CASE id ${'WHEN ? THEN ? '.repeat(rows)}END
  WHERE id IN (${placeholders(rows)})`;
const FIND_FAILURES = (rows: number) => `
  SELECT consumer_id, position FROM consumer_trouble FORCE INDEX (consumer_trouble_position)
  WHERE position IN (${placeholders(rows)})`;
/** Written as if it were of several tables: a DELETE of one cannot be told its index. */
const FORGET_FAILURES = (rows: number) => `
  DELETE t FROM consumer_trouble t FORCE INDEX (PRIMARY)
  WHERE (t.consumer_id, t.position) IN (${placeholders(rows, '(?, ?)')})`;

/** Locks the consumers, by ascending id, and records what they lose, but for what they have passed by now. */
export async function writeUnread(
  queries: Queries,
  positions: readonly Position[],
  found: readonly UnreadBy[],
): Promise<void> {
  if (found.length === 0) return;
  const losses = await locked(queries, found);
  if (losses.length === 0) return;
  await writeSpans(queries, losses);
  await inChunks(losses, async (chunk) => {
    const counts = chunk.flatMap(({ consumerId, positions: lost }) => [consumerId, lost.length]);
    await queries.write(COUNT(chunk.length), [...counts, ...chunk.map(({ consumerId }) => consumerId)]);
  });
  await forgetFailures(queries, positions, losses);
}

async function locked(queries: Queries, found: readonly UnreadBy[]): Promise<readonly Loss[]> {
  const places = new Map<number, PlaceRow>();
  const ascending = [...found].sort((a, b) => a.consumerId - b.consumerId);
  await inChunks(ascending, async (chunk) => {
    const ids = chunk.map(({ consumerId }) => consumerId);
    for (const row of await queries.execute<PlaceRow>(LOCK(chunk.length), ids)) places.set(row.id, row);
  });
  return ascending.flatMap((unread) => {
    const place = places.get(unread.consumerId);
    const lost = place === undefined ? [] : stillLost(unread, place);
    return lost.length === 0 ? [] : [{ consumerId: unread.consumerId, positions: lost }];
  });
}

function stillLost({ positions, parked }: UnreadBy, place: PlaceRow): readonly Position[] {
  const passed = new PassedPositions({ offset: place.acked_to, acked: place.acked_above });
  return positions.filter((position) => parked.has(position) || !passed.has(position));
}

/** Adds what is lost to the gaps that wait to be told. */
async function writeSpans(queries: Queries, losses: readonly Loss[]): Promise<void> {
  const waiting = await readGaps(
    queries,
    losses.map(({ consumerId }) => consumerId),
  );
  const over: number[] = [];
  const added: NewGap[] = [];
  for (const { consumerId, positions } of losses) {
    const before = waiting.get(consumerId) ?? [];
    const spans = new Set(withUnread(before, positions));
    over.push(...before.filter((gap) => !spans.has(gap)).map(({ id }) => id));
    for (const gap of before) spans.delete(gap);
    added.push(...[...spans].map((span) => ({ ...span, consumerId })));
  }
  await deleteGaps(queries, over);
  await addGaps(queries, added);
}

/** What members said of what is gone means nothing any more. */
async function forgetFailures(
  queries: Queries,
  positions: readonly Position[],
  losses: readonly Loss[],
): Promise<void> {
  const lost = new Map(losses.map(({ consumerId, positions: some }) => [consumerId, new Set(some)]));
  const over: (readonly [number, Position])[] = [];
  await inChunks(positions, async (chunk) => {
    const rows = await queries.execute<{ consumer_id: number; position: Position }>(FIND_FAILURES(chunk.length), chunk);
    for (const { consumer_id: id, position } of rows) if (lost.get(id)?.has(position)) over.push([id, position]);
  });
  await inRowLists(over, async (pairs) => {
    await queries.query(FORGET_FAILURES(pairs.length), pairs.flat());
  });
}
