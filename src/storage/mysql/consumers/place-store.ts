// Moves of offsets and snapshots in MySQL; see PlaceStore for what each method promises. Rows are written by place-writes.ts.

import type { ConsumerSnapshot, SavedPlace } from '../../../domain/consumers/managed/consumer-snapshot.js';
import type { MoveKind } from '../../../domain/consumers/managed/offset-move.js';
import type { Micros, Position } from '../../../units.js';
import {
  type ListMovesOptions,
  type ListSnapshotsOptions,
  MAX_FORGOTTEN,
  type MoveRecord,
  type PlaceStore,
} from '../../ports/place-storage.js';
import type { Database } from '../sql/database.js';
import { decodeSettings } from './consumer-rows.js';

/** Stored values of the kinds. */
export const MOVE_KINDS = { CREATED: 1, SEEK: 2, RESTORED: 3 } as const satisfies Record<MoveKind, number>;
const KIND_NAMES = new Map(Object.entries(MOVE_KINDS).map(([name, value]) => [value as number, name as MoveKind]));

/** A position before all others in the order of the moves. */
const NEWEST = Number.MAX_SAFE_INTEGER;

const LIST_MOVES = `
  SELECT id, kind, moved_at, moved_by, reason, snapshot, former_offset, acked_to, generation
  FROM offset_move FORCE INDEX (offset_move_consumer) WHERE consumer_id = ? AND id < ? ORDER BY id DESC LIMIT ?`;
/** Reads the index offset_move_age, which a DELETE of one table cannot name. */
const FORGET_MOVES = `DELETE FROM offset_move WHERE moved_at < ? ORDER BY moved_at LIMIT ${MAX_FORGOTTEN}`;
const SNAPSHOT_COLUMNS = 'name, acked_to, acked_last, generation, saved_at, saved_by';
const LIST_SNAPSHOTS = `
  SELECT ${SNAPSHOT_COLUMNS} FROM consumer_snapshot FORCE INDEX (PRIMARY)
  WHERE consumer_id = ? AND name > ? ORDER BY name LIMIT ?`;
const COUNT_SNAPSHOTS = `
  SELECT COUNT(*) AS snapshots FROM consumer_snapshot FORCE INDEX (PRIMARY) WHERE consumer_id = ?`;
const FIND_SNAPSHOT = `
  SELECT ${SNAPSHOT_COLUMNS}, acked_above, settings FROM consumer_snapshot FORCE INDEX (PRIMARY)
  WHERE consumer_id = ? AND name = ?`;

interface MoveRow {
  readonly id: number;
  readonly kind: number;
  readonly moved_at: Micros;
  readonly moved_by: string;
  readonly reason: string;
  readonly snapshot: Buffer;
  readonly former_offset: Position | null;
  readonly acked_to: Position;
  readonly generation: number;
}

interface SnapshotRow {
  readonly name: Buffer;
  readonly acked_to: Position;
  readonly acked_last: Position;
  readonly generation: number;
  readonly saved_at: Micros;
  readonly saved_by: string;
}

interface PlaceRow extends SnapshotRow {
  readonly acked_above: Buffer;
  readonly settings: string;
}

export class MysqlPlaceStore implements PlaceStore {
  readonly #database: Database;

  constructor({ database }: { readonly database: Database }) {
    this.#database = database;
  }

  async listMoves({ consumerId, before = NEWEST, limit }: ListMovesOptions): Promise<readonly MoveRecord[]> {
    // Not prepared: a LIMIT among the values of a prepared statement is no number on every engine.
    const rows = await this.#database.query<MoveRow>(LIST_MOVES, [consumerId, before, limit]);
    return rows.map(moveOf);
  }

  async forgetMoves(before: Micros): Promise<number> {
    return (await this.#database.write(FORGET_MOVES, [before])).affectedRows;
  }

  async listSnapshots({ consumerId, after = '', limit }: ListSnapshotsOptions): Promise<readonly ConsumerSnapshot[]> {
    const values = [consumerId, Buffer.from(after), limit];
    return (await this.#database.query<SnapshotRow>(LIST_SNAPSHOTS, values)).map(snapshotOf);
  }

  async countSnapshots(consumerId: number): Promise<number> {
    const [row] = await this.#database.execute<{ snapshots: number }>(COUNT_SNAPSHOTS, [consumerId]);
    return row?.snapshots ?? 0;
  }

  async findSnapshot(consumerId: number, name: string): Promise<SavedPlace | undefined> {
    const [row] = await this.#database.execute<PlaceRow>(FIND_SNAPSHOT, [consumerId, Buffer.from(name)]);
    return row && { ...snapshotOf(row), acked: row.acked_above, settings: decodeSettings(row.settings) };
  }
}

function moveOf({ id, kind, moved_at: movedAt, moved_by: by, reason, ...row }: MoveRow): MoveRecord {
  const place = { formerOffset: row.former_offset ?? undefined, offset: row.acked_to, generation: row.generation };
  const snapshot = row.snapshot.toString();
  return { id, kind: KIND_NAMES.get(kind) ?? 'SEEK', movedAt, by, reason, snapshot, ...place };
}

function snapshotOf(row: SnapshotRow): ConsumerSnapshot {
  const { acked_to: offset, acked_last: doneTo, generation, saved_at: savedAt, saved_by: by } = row;
  return { name: row.name.toString(), offset, doneTo, generation, savedAt, by };
}
