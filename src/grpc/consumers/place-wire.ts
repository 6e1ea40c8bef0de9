// Moves of offsets and snapshots on the wire.

import {
  OffsetMove,
  OffsetMoveKind,
  type RestoreSnapshotResponse,
  Snapshot,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { ConsumerSnapshot } from '../../domain/consumers/managed/consumer-snapshot.js';
import type { OffsetMove as DomainMove, MoveKind } from '../../domain/consumers/managed/offset-move.js';
import type { RestoreResult } from '../../engine/consumers/consumers.js';
import { toTimestamp } from '../wire/wire.js';
import { movedToWire } from './seek-wire.js';

const KINDS = {
  CREATED: OffsetMoveKind.OFFSET_MOVE_KIND_CREATED,
  SEEK: OffsetMoveKind.OFFSET_MOVE_KIND_SEEK,
  RESTORED: OffsetMoveKind.OFFSET_MOVE_KIND_RESTORED,
} as const satisfies Record<MoveKind, OffsetMoveKind>;

export function moveToWire({ kind, movedAt, by, reason, formerOffset, offset, generation, snapshot }: DomainMove) {
  return OffsetMove.create({
    ...{ kind: KINDS[kind], movedAt: toTimestamp(movedAt), by, reason, snapshot },
    formerOffset: formerOffset === undefined ? undefined : BigInt(formerOffset),
    ...{ offset: BigInt(offset), generation: BigInt(generation) },
  });
}

export function snapshotToWire({ name, offset, doneTo, generation, savedAt, by }: ConsumerSnapshot) {
  return Snapshot.create({
    ...{ name, offset: BigInt(offset), doneTo: BigInt(doneTo), generation: BigInt(generation) },
    ...{ savedAt: toTimestamp(savedAt), by },
  });
}

/** What going to a snapshot did, or would do. */
export function restoredToWire(result: RestoreResult): RestoreSnapshotResponse {
  const { snapshot, offsetOnly } = result;
  return { ...movedToWire(result), snapshot: snapshotToWire(snapshot), offsetOnly };
}
