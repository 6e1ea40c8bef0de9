// Where a seek goes, and what it did, on the wire.

import type { SeekConsumerRequest, SeekConsumerResponse } from '../../../generated/madeleine/v1/consumer_service.js';
import { MAX_SEEK_EVENTS, type SeekTarget } from '../../domain/consumers/consumer.js';
import { fieldInvalid } from '../../domain/errors.js';
import type { SeekResult } from '../../engine/consumers/consumers.js';
import { positionFromWire } from './consumer-wire.js';

const MOST = BigInt(MAX_SEEK_EVENTS);

/** Where a seek goes. */
export function seekTarget({ to, byEvents }: SeekConsumerRequest): SeekTarget {
  if (byEvents === 0n && to?.at === undefined) throw fieldInvalid('to', 'or by_events is required');
  if (byEvents === 0n) return positionFromWire('to', to);
  if (to !== undefined) throw fieldInvalid('by_events', 'does not go together with to');
  if (byEvents < -MOST || byEvents > MOST) throw fieldInvalid('by_events', `has to be from -${MOST} to ${MOST}`);
  return { kind: 'by-events', events: Number(byEvents) };
}

export function soughtToWire(result: SeekResult): SeekConsumerResponse {
  return { ...movedToWire(result), movedEvents: BigInt(result.moved) };
}

/** What moving an offset did, or would do. */
export function movedToWire({ formerOffset, offset, affected }: Omit<SeekResult, 'moved'>) {
  return {
    formerOffset: BigInt(formerOffset),
    offset: BigInt(offset),
    affected: BigInt(affected.count),
    affectedIsMinimum: affected.isMinimum,
  };
}
