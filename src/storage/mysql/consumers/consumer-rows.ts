// The rows of consumers and how they become records.

import {
  applySettings,
  type ConsumerSettings,
  DEFAULT_SETTINGS,
  type SettingsPatch,
} from '../../../domain/consumers/consumer.js';
import type { FailureRecord, FailureState } from '../../../domain/consumers/delivery-types.js';
import type { ConsumerPause } from '../../../domain/consumers/managed/consumer-pause.js';
import { normalFilter } from '../../../domain/events/normal-filter.js';
import type { Micros, Position } from '../../../units.js';
import type { ConsumerRecord } from '../../ports/consumer-storage.js';

/** Columns of a row without `acked_above`, which may be large. */
export const CONSUMER_COLUMNS =
  'id, context, name, settings, generation, generation_lease, generation_offset, next_lease, acked_to, moved_at, created_at, ' +
  'paused_at, paused_by, pause_reason, expired_unread, ' +
  'deleted_at IS NOT NULL AS deleted, owner, owner_address, owner_epoch, lease_until >= NOW(6) AS leased';

/** When the event right after the offset was created: one row of the log by its primary key. */
export const NEXT_AT =
  '(SELECT log.created_at FROM log FORCE INDEX (PRIMARY) WHERE log.position = consumer.acked_to + 1) AS next_at';

export interface ConsumerRow {
  readonly id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
  readonly generation: number;
  readonly generation_lease: number;
  readonly generation_offset: Position | null;
  readonly next_lease: number;
  readonly acked_to: number;
  readonly acked_above?: Buffer;
  readonly moved_at: number | null;
  readonly created_at: Micros;
  readonly paused_at: Micros | null;
  readonly paused_by: string;
  readonly pause_reason: string;
  readonly expired_unread: number;
  readonly next_at?: Micros | null;
  readonly deleted: number;
  readonly owner: Buffer;
  readonly owner_address: Buffer;
  readonly owner_epoch: number;
  readonly leased: number;
}

const NOTHING = new Uint8Array(0);

export function recordOf(row: ConsumerRow): ConsumerRecord {
  const owned = row.owner.length > 0 && row.leased === 1;
  return {
    id: row.id,
    context: row.context.toString(),
    name: row.name.toString(),
    settings: decodeSettings(row.settings),
    generation: row.generation,
    generationLease: row.generation_lease,
    generationOffset: row.generation_offset ?? 0,
    offset: row.acked_to,
    acked: row.acked_above ?? NOTHING,
    movedAt: row.moved_at ?? undefined,
    createdAt: row.created_at,
    pause: pauseOf(row),
    expiredUnread: row.expired_unread,
    nextAt: row.next_at ?? undefined,
    owner: owned ? { id: row.owner.toString(), address: row.owner_address.toString() } : undefined,
  };
}

function pauseOf(row: ConsumerRow): ConsumerPause | undefined {
  const { paused_at: pausedAt, paused_by: by, pause_reason: reason } = row;
  return pausedAt === null ? undefined : { pausedAt, by, reason };
}

export function encodeSettings(settings: ConsumerSettings): string {
  return JSON.stringify(settings);
}

/** A setting that the row does not have is one that was added since, and has its default. Filters of before are in no normal form. */
export function decodeSettings(text: string): ConsumerSettings {
  const stored = JSON.parse(text) as SettingsPatch;
  return applySettings(DEFAULT_SETTINGS, { ...stored, filter: normalFilter(stored.filter ?? {}) });
}

/** A failure record without its texts: who runs the consumer does not need them. */
export interface FailureRow {
  readonly position: Position;
  readonly attempts: number;
  readonly losses: number;
  readonly not_before_ms: number;
  readonly failed_lease: number;
  readonly parked_at: Micros;
  readonly state: number;
}

/** Stored values of the states. */
export const FAILURE_STATES = { RETRY: 1, PARKED: 2, REPLAY: 3 } as const satisfies Record<FailureState, number>;
const STATE_NAMES = new Map(
  Object.entries(FAILURE_STATES).map(([name, value]) => [value as number, name as FailureState]),
);

export function failureOf(row: FailureRow): FailureRecord {
  const { position, attempts, losses, not_before_ms: notBeforeMs, failed_lease: failedLease } = row;
  const parkedAtMs = row.parked_at / 1000;
  const state = STATE_NAMES.get(row.state) ?? 'RETRY';
  return { position, attempts, losses, notBeforeMs, failedLease, cause: undefined, parkedAtMs, state };
}
