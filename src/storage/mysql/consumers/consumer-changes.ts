// Changes of consumers that a group makes: what they find is read before it decides, without a lock; their rows are the last that it
// locks, by ascending id. Each statement is guarded by what the group was told: where that is not so any more, nothing is stored.

import type { ConsumerKey } from '../../../domain/consumers/consumer.js';
import { type PositionRanges, storedRanges } from '../../../domain/consumers/position-ranges.js';
import { assertNever } from '../../../domain/errors.js';
import type { GroupWrites, PlannedChange } from '../../../domain/group/group-plan-types.js';
import { asBuffer } from '../../../domain/json/bytes.js';
import {
  type ConsumerChange,
  type ConsumerConfiguration,
  type ConsumerCreation,
  type ConsumerDeletion,
  type ConsumerPausing,
  type ConsumerSeek,
  type FoundConsumer,
  type GenerationStart,
  mayFallBack,
  type ParkedChange,
  type SnapshotDeletion,
  type SnapshotSaving,
} from '../../../domain/management/consumer-change.js';
import { scopedKey } from '../../../domain/names.js';
import type { Position } from '../../../units.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { inChunks, placeholders } from '../sql/placeholders.js';
import { isDuplicateKey } from '../sql/sql-errors.js';
import { encodeSettings, FAILURE_STATES } from './consumer-rows.js';
import { deleteConsumer, insertConsumers, nameValues, recreateConsumer } from './consumer-writes.js';
import { addGapAfter, addGapOfNew, countMove } from './deleted-before.js';
import { deleteAllGaps } from './gap-rows.js';
import { takeParked } from './parked-places.js';
import {
  deleteSnapshot,
  deleteSnapshots,
  insertCreations,
  insertMove,
  insertRecreation,
  saveSnapshot,
} from './place-writes.js';

const NOTHING = new Uint8Array(0);
const FIND = (rows: number) => `
  SELECT id, context, name, owner_epoch, deleted_at IS NOT NULL AS deleted FROM consumer FORCE INDEX (consumer_name)
  WHERE (context, name) IN (${placeholders(rows, '(?, ?)')})`;
const FIND_PARKED = (rows: number) => `
  SELECT position, state FROM consumer_trouble FORCE INDEX (PRIMARY)
  WHERE consumer_id = ? AND position IN (${placeholders(rows)}) AND state <> ${FAILURE_STATES.RETRY}`;

const HELD = 'id = ? AND owner_epoch = ? AND deleted_at IS NULL';
const LOCK_HELD = `SELECT id FROM consumer FORCE INDEX (PRIMARY) WHERE ${HELD} FOR UPDATE`;
const LOCK_ALL = (rows: number) =>
  `SELECT id FROM consumer FORCE INDEX (PRIMARY) WHERE id IN (${placeholders(rows)}) ORDER BY id FOR UPDATE`;
const CONFIGURE = `UPDATE consumer FORCE INDEX (PRIMARY) SET settings = ?, ephemeral = ? WHERE ${HELD}`;
const BEGIN_GENERATION = `
  UPDATE consumer FORCE INDEX (PRIMARY)
  SET generation = ?, generation_lease = ?, generation_offset = ?, acked_to = ?, acked_above = ?
  WHERE ${HELD}`;
/** Begins a generation at a place that is moved to: in one statement, as everybody's pushes wait for it. */
const BEGIN_MOVED = BEGIN_GENERATION.replace('SET ', 'SET moved_at = ?, ');
const SET_PAUSE = `
  UPDATE consumer FORCE INDEX (PRIMARY) SET paused_at = ?, paused_by = ?, pause_reason = ? WHERE ${HELD}`;
/** What of the failure records means nothing in a generation that begins after a position. */
const FORGET_FAILURES = `
  DELETE FROM consumer_trouble WHERE consumer_id = ? AND (state = ${FAILURE_STATES.RETRY} OR position > ?)`;
const FIND_FAILURES = `
  SELECT position FROM consumer_trouble FORCE INDEX (PRIMARY) WHERE consumer_id = ? AND position > ? AND position <= ?`;
const FORGET = (rows: number) =>
  `DELETE FROM consumer_trouble WHERE consumer_id = ? AND position IN (${placeholders(rows)})`;
const REPLAY = (rows: number) => `
  UPDATE consumer_trouble SET state = ${FAILURE_STATES.REPLAY}, attempts = 0, losses = 0, not_before_ms = 0
  WHERE consumer_id = ? AND position IN (${placeholders(rows)}) AND state = ${FAILURE_STATES.PARKED}`;
const DISCARD = (rows: number) => `
  DELETE FROM consumer_trouble
  WHERE consumer_id = ? AND position IN (${placeholders(rows)}) AND state <> ${FAILURE_STATES.RETRY}`;

interface FoundRow {
  readonly id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly owner_epoch: number;
  readonly deleted: number;
}

/** The consumers that the changes are of, by scopedKey(context, name). */
export async function readConsumers(
  queries: Queries,
  changes: readonly ConsumerChange[],
  onTrip: () => void,
): Promise<Map<string, FoundConsumer>> {
  const keys = [...new Map(changes.map(({ key }) => [textOf(key), key])).values()];
  const found = new Map<string, FoundConsumer>();
  await inChunks(keys, async (chunk) => {
    onTrip();
    for (const row of await queries.execute<FoundRow>(FIND(chunk.length), chunk.flatMap(nameValues))) {
      const { id, owner_epoch: epoch } = row;
      const key = scopedKey(row.context.toString(), row.name.toString());
      const parked = row.deleted === 1 ? [] : await readParked(queries, id, positionsOf(changes, key), onTrip);
      found.set(key, { id, epoch, isDeleted: row.deleted === 1, parked: new Map(parked) });
    }
  });
  return found;
}

function textOf({ context, name }: ConsumerKey): string {
  return scopedKey(context, name);
}

/** The positions that changes of the consumer name. */
function positionsOf(changes: readonly ConsumerChange[], key: string): readonly Position[] {
  return changes.flatMap((change) => ('positions' in change && textOf(change.key) === key ? change.positions : []));
}

async function readParked(
  queries: Queries,
  id: number,
  positions: readonly Position[],
  onTrip: () => void,
): Promise<(readonly [Position, { readonly replaying: boolean }])[]> {
  const found: (readonly [Position, { readonly replaying: boolean }])[] = [];
  await inChunks(positions, async (chunk) => {
    onTrip();
    const rows = await queries.execute<{ position: Position; state: number }>(FIND_PARKED(chunk.length), [
      id,
      ...chunk,
    ]);
    for (const { position, state } of rows) found.push([position, { replaying: state === FAILURE_STATES.REPLAY }]);
  });
  return found;
}

/** Takes parked events away and makes the changes; false: a consumer is not as it was found, and nothing may be stored. */
export async function writeConsumers(
  queries: Queries,
  { replaced, consumers }: Pick<GroupWrites, 'replaced' | 'consumers'>,
  onTrip: () => void,
): Promise<boolean> {
  const isMove = consumers.some(({ change }) => mayFallBack(change));
  // Either locks by ascending id, but one after the other they would not; and a deletion has consumers before log_deletion.
  if (isMove || (replaced.length > 0 && consumers.length > 0)) {
    const ids = [...replaced.map(({ consumerId }) => consumerId), ...consumers.flatMap(({ id }) => id ?? [])];
    await lockConsumers(queries, ids, onTrip);
  }
  if (isMove) {
    onTrip();
    await countMove(queries);
  }
  return (await takeParked(queries, replaced, onTrip)) && writeChanges(queries, consumers, onTrip);
}

async function lockConsumers(queries: Queries, ids: readonly number[], onTrip: () => void): Promise<void> {
  const ascending = [...new Set(ids)].sort((a, b) => a - b);
  await inChunks(ascending, async (chunk) => {
    onTrip();
    await queries.execute(LOCK_ALL(chunk.length), chunk);
  });
}

/** Makes the changes; false: a consumer is not as it was found, and nothing may be stored. */
export async function writeChanges(
  queries: Queries,
  planned: readonly PlannedChange[],
  onTrip: () => void,
): Promise<boolean> {
  const created = planned.flatMap(({ change, id }) => (change.kind === 'create' && id === undefined ? [change] : []));
  const others = planned.flatMap(({ change, id }) => (id === undefined ? [] : [{ change, id }]));
  for (const { change, id } of others.sort((a, b) => a.id - b.id)) {
    onTrip();
    if (!(await apply(queries, change, id))) return false;
  }
  if (created.length === 0) return true;
  onTrip();
  return insert(queries, created);
}

async function insert(queries: Queries, created: readonly ConsumerCreation[]): Promise<boolean> {
  try {
    await insertConsumers(
      queries,
      created.map(({ key, ...rest }) => ({ ...key, ...rest })),
    );
    await insertCreations(queries, created.filter(isLasting));
    for (const { key, fromOldest } of created) if (!fromOldest) await addGapOfNew(queries, key);
    return true;
  } catch (error) {
    // One that is ephemeral comes into being without a group, and so does each of an older server.
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}

/** Makes one change of the consumer with the id; false: it is not as it was found. */
function apply(queries: Queries, change: ConsumerChange, id: number): Promise<boolean> {
  switch (change.kind) {
    case 'create':
      return recreate(queries, change, id);
    case 'configure':
      return configure(queries, change);
    case 'seek':
      return seek(queries, change);
    case 'replay':
    case 'discard':
      return changeParked(queries, change);
    case 'pause':
      return setPause(queries, change);
    case 'save-snapshot':
    case 'delete-snapshot':
      return changeSnapshots(queries, change);
    case 'delete':
      return deleteConsumer(queries, change.hold);
    default:
      return assertNever(change);
  }
}

async function recreate(queries: Queries, change: ConsumerCreation, id: number): Promise<boolean> {
  if (isLasting(change)) await insertRecreation(queries, id, change);
  // An older server may have deleted it, and knows none.
  await deleteSnapshots(queries, id);
  await deleteAllGaps(queries, id);
  if (!(await recreateConsumer(queries, id, { ...change.key, ...change }))) return false;
  if (!change.fromOldest) await addGapAfter(queries, id, change.offset);
  return true;
}

/** Whether anybody may ask who made it: it does not go with its last member. */
function isLasting({ settings }: ConsumerCreation): boolean {
  return !settings.ephemeral;
}

type Hold = ConsumerDeletion['hold'];

async function configure(queries: Queries, { hold, settings, start }: ConsumerConfiguration): Promise<boolean> {
  const values = [encodeSettings(settings), settings.ephemeral ? 1 : 0, hold.id, hold.epoch];
  if ((await queries.write(CONFIGURE, values)).affectedRows !== 1) return false;
  return start === undefined || begin(queries, hold, start);
}

async function seek(
  queries: Queries,
  { hold, start, acked, movedAt, move, fromOldest }: ConsumerSeek,
): Promise<boolean> {
  const values = [movedAt ?? null, ...generationValues(hold, start, acked)];
  if ((await queries.write(BEGIN_MOVED, values)).affectedRows !== 1) return false;
  await forgetFailures(queries, hold, start.offset, storedRanges(acked));
  await insertMove(queries, hold.id, move);
  if (!fromOldest) await addGapAfter(queries, hold.id, start.offset);
  return true;
}

async function begin(queries: Queries, hold: Hold, start: GenerationStart): Promise<boolean> {
  if ((await queries.write(BEGIN_GENERATION, generationValues(hold, start, NOTHING))).affectedRows !== 1) return false;
  await forgetFailures(queries, hold, start.offset, storedRanges(NOTHING));
  await addGapAfter(queries, hold.id, start.offset);
  return true;
}

/** Values of BEGIN_GENERATION. */
function generationValues(
  hold: Hold,
  { generation, firstLease, offset }: GenerationStart,
  acked: Uint8Array,
): SqlValue[] {
  return [generation, firstLease, offset, offset, asBuffer(acked), hold.id, hold.epoch];
}

/** Forgets the failures that mean nothing any more; what is parked where it is done above the offset stays so. */
async function forgetFailures(
  queries: Queries,
  { id }: Hold,
  offset: Position,
  done: Pick<PositionRanges, 'has' | 'last'>,
): Promise<void> {
  const last = Math.max(offset, done.last);
  await queries.write(FORGET_FAILURES, [id, last]);
  if (last === offset) return;
  const rows = await queries.execute<{ position: Position }>(FIND_FAILURES, [id, offset, last]);
  const over = rows.map(({ position }) => position).filter((position) => !done.has(position));
  await inChunks(over, async (chunk) => {
    await queries.write(FORGET(chunk.length), [id, ...chunk]);
  });
}

async function setPause(queries: Queries, { hold, pause }: ConsumerPausing): Promise<boolean> {
  const values = [pause?.pausedAt ?? null, pause?.by ?? '', pause?.reason ?? '', hold.id, hold.epoch];
  return (await queries.write(SET_PAUSE, values)).affectedRows === 1;
}

async function changeSnapshots(queries: Queries, change: SnapshotSaving | SnapshotDeletion): Promise<boolean> {
  const { hold } = change;
  if (!(await isHeld(queries, hold))) return false;
  if (change.kind === 'delete-snapshot') return deleteSnapshot(queries, hold.id, change.name);
  await saveSnapshot(queries, hold.id, change.place);
  return true;
}

/** Locks the consumer's row, if it is held so still. */
async function isHeld(queries: Queries, { id, epoch }: Hold): Promise<boolean> {
  return (await queries.execute(LOCK_HELD, [id, epoch])).length === 1;
}

async function changeParked(queries: Queries, { kind, hold, positions }: ParkedChange): Promise<boolean> {
  if (!(await isHeld(queries, hold))) return false;
  const sql = kind === 'replay' ? REPLAY : DISCARD;
  let changed = 0;
  await inChunks(positions, async (chunk) => {
    changed += (await queries.write(sql(chunk.length), [hold.id, ...chunk])).affectedRows;
  });
  return changed === positions.length;
}
