// What was deleted before a consumer came to where it is moved: recorded with the move, as a gap that nobody counted.

import { type ConsumerKey, consumerCriteria } from '../../../domain/consumers/consumer.js';
import type { Position } from '../../../units.js';
import { deletedTo } from '../log/deleted-events.js';
import type { Queries } from '../sql/database.js';
import { decodeSettings } from './consumer-rows.js';
import { nameValues } from './consumer-writes.js';
import { addGaps } from './gap-rows.js';

const COUNT_MOVE = 'UPDATE log_deletion SET moves = moves + 1 WHERE id = 1';
/** Nobody tells an ephemeral one. */
const FIND =
  'SELECT id, context, name, settings, acked_to FROM consumer FORCE INDEX (PRIMARY) WHERE id = ? AND ephemeral = 0';
const FIND_NEW = 'SELECT id, context, name, settings, acked_to FROM consumer WHERE context = ? AND name = ?';

interface Row {
  readonly id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
  readonly acked_to: Position;
}

/** How many times consumers were moved, or came; with `lock` it stays so until the transaction ends. */
export async function readMoves(queries: Queries, lock: '' | 'FOR UPDATE' = ''): Promise<number> {
  const [row] = await queries.execute<{ moves: number }>(`SELECT moves FROM log_deletion WHERE id = 1 ${lock}`);
  if (row === undefined) throw new Error('log_deletion has no row');
  return row.moves;
}

/** Takes note that consumers are moved, or come, with the end of the transaction; waits for the COMMIT of a deletion, if one is under way. */
export async function countMove(queries: Queries): Promise<void> {
  await queries.write(COUNT_MOVE);
}

/** Records what was deleted after the position of what the consumer selects, as it is stored. */
export async function addGapAfter(queries: Queries, consumerId: number, position: Position): Promise<void> {
  const [row] = await queries.execute<Row>(FIND, [consumerId]);
  if (row !== undefined) await add(queries, row, position);
}

/** Records it for a consumer that was inserted just now. */
export async function addGapOfNew(queries: Queries, key: ConsumerKey): Promise<void> {
  const [row] = await queries.execute<Row>(FIND_NEW, nameValues(key));
  if (row !== undefined) await add(queries, row, row.acked_to);
}

async function add(queries: Queries, row: Row, position: Position): Promise<void> {
  const key = { context: row.context.toString(), name: row.name.toString() };
  const last = await deletedTo(queries, consumerCriteria(key, decodeSettings(row.settings)), position);
  if (last > position) await addGaps(queries, [{ consumerId: row.id, first: position + 1, last, events: 0 }]);
}
