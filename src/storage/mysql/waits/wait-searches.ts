// What is awaited, and what has occurred, by the hashes of values: the two searches that every group of a watched topic makes under
// the lock. Both cost the same however many waits and events there are.

import { EntryKind } from '../../../domain/events/event.js';
import { waitKeyText } from '../../../domain/group/group-plan-needs.js';
import type { Find, Occurrence, WaitKey } from '../../../domain/group/group-plan-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import type { EventId, Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { fixedInSubquery, uncovered } from '../sql/dialect.js';
import { placeholders } from '../sql/placeholders.js';
import { Statements } from '../sql/statements.js';

export const WAIT_COLUMNS = `event_id, topic_id, version, shape_id, value_hash, state, created_at, expires_at, entry_event_id,
  position, issuer, message_id, description, envelope`;

/** A row of a find: its number, so that answers find back. */
export interface FoundRow {
  readonly find_number: number;
  readonly event_id: EventId;
  readonly position: Position;
}

/** The finds of one part of a union. */
const FIND = `(SELECT STRAIGHT_JOIN ? AS find_number, l.event_id, l.position
  FROM shape_index i FORCE INDEX (PRIMARY) JOIN log l FORCE INDEX (PRIMARY) ON l.position = i.position
  LEFT JOIN log x FORCE INDEX (log_event) ON x.event_id = l.event_id AND x.kind = ${EntryKind.INVALIDATED}
  WHERE i.shape_id = ? AND i.value_hash = ? AND i.position > ? AND l.created_at > ? AND x.position IS NULL
  ORDER BY i.position LIMIT 1)`;
/** The values that are looked for, each by its newest row: no older one is read, however many there are. */
const WHICH = 'SELECT ? AS find_number, ? AS shape_id, ? AS value_hash, ? AS after_position';
const HAS_ANY = `WHERE (SELECT i.position FROM shape_index i FORCE INDEX (PRIMARY)
  WHERE i.shape_id = w.shape_id AND i.value_hash = w.value_hash
  ORDER BY ${fixedInSubquery('i.shape_id DESC, i.value_hash DESC')} i.position DESC LIMIT 1) > w.after_position`;
const OPEN = `FROM wait FORCE INDEX (wait_match) WHERE shape_id = ? AND state = ${EntryKind.AWAITED} AND value_hash IN `;
const OPEN_WAITS = `SELECT ${WAIT_COLUMNS} ${OPEN}`;
const OPEN_KEYS = `SELECT shape_id, value_hash ${uncovered('topic_id')} ${OPEN}`;
/** Up to so many finds are made at once, each by a part of its own, which takes the database some 50 µs to plan. */
const FEW_FINDS = 8;
/** Hashes that a statement is made for exactly; above, it is made for steps, and filled up. */
const EXACT_HASHES = 64;
const HASH_STEP = 50;

/** The open waits of the keys, by a list of hashes for each shape: a list of pairs takes the database twice the time. */
export function addOpenWaits(statements: Statements, keys: readonly WaitKey[]): void {
  addByShape(statements, OPEN_WAITS, keys);
}

/** Returns those of the keys for whose hashes something is awaited. */
export async function awaitedKeys(queries: Queries, keys: readonly WaitKey[]): Promise<readonly WaitKey[]> {
  const statements = new Statements();
  addByShape(statements, OPEN_KEYS, keys);
  const [rows = []] = (await statements.run(queries)) as { shape_id: number; value_hash: Buffer }[][];
  const open = new Set(rows.map((row) => waitKeyText(row.shape_id, row.value_hash)));
  return open.size === 0 ? [] : keys.filter(({ text }) => open.has(text));
}

function addByShape(statements: Statements, select: string, keys: readonly WaitKey[]): void {
  const byShape = new Map<number, Buffer[]>();
  for (const { shapeId, hash } of keys) {
    const hashes = byShape.get(shapeId);
    if (hashes === undefined) byShape.set(shapeId, [asBuffer(hash)]);
    else hashes.push(asBuffer(hash));
  }
  const isOne = byShape.size === 1;
  const lists = [...byShape].map(([shapeId, hashes]) => ({ shapeId, hashes: isOne ? filledUp(hashes) : hashes }));
  statements.add(
    lists.map(({ hashes }) => `${select}(${placeholders(hashes.length)})`).join(' UNION ALL '),
    lists.flatMap(({ shapeId, hashes }) => [shapeId, ...hashes]),
    isOne,
  );
}

/** The last one repeated until there are as many as statements are made for. */
function filledUp(hashes: readonly Buffer[]): Buffer[] {
  const size = hashes.length <= EXACT_HASHES ? hashes.length : Math.ceil(hashes.length / HASH_STEP) * HASH_STEP;
  return Array.from({ length: size }, (_, index) => hashes[Math.min(index, hashes.length - 1)] as Buffer);
}

/**
 * Few finds as they are. Of many only whether something is indexed at all behind where they begin: most descriptions are of what has
 * not occurred, and one statement sees that of all of them in a quarter of the time.
 */
export function addFinds(statements: Statements, finds: readonly Find[]): void {
  if (finds.length <= FEW_FINDS) statements.add(...unionOf(finds));
  else {
    const rows = `${WHICH}${' UNION ALL SELECT ?, ?, ?, ?'.repeat(finds.length - 1)}`;
    const values = finds.flatMap(({ key, after }, index) => [index, key.shapeId, asBuffer(key.hash), after]);
    statements.add(`SELECT w.find_number FROM (${rows}) w ${HAS_ANY}`, values);
  }
}

/** What was found, by the texts of finds, from the rows that `addFinds` came to; of many finds by one more trip. */
export async function readFound(
  queries: Queries,
  finds: readonly Find[],
  rows: readonly FoundRow[],
  onTrip: () => void,
): Promise<ReadonlyMap<string, Occurrence>> {
  const isFinal = finds.length <= FEW_FINDS || rows.length === 0;
  const likely = isFinal ? finds : rows.map((row) => finds[row.find_number] as Find);
  if (!isFinal) onTrip();
  const found = isFinal ? rows : await queries.query<FoundRow>(...unionOf(likely));
  return new Map(found.map((row) => [(likely[row.find_number] as Find).text, occurrenceOf(row)]));
}

function unionOf(finds: readonly Find[]): [sql: string, values: SqlValue[]] {
  const values = finds.flatMap(({ key, after, since }, index) => {
    return [index, key.shapeId, asBuffer(key.hash), after, since];
  });
  return [finds.map(() => FIND).join(' UNION ALL '), values];
}

function occurrenceOf(row: { readonly event_id: EventId; readonly position: Position }): Occurrence {
  return { eventId: row.event_id, position: row.position };
}
