// What is erased, from and to the wire.

import type { EraseEventsRequest, EraseEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { type ErasureTarget, subjectDigest } from '../../domain/erasure/erasure.js';
import { fieldInvalid } from '../../domain/errors.js';
import type { ManagementCall } from '../../domain/management/audit.js';
import type { Erasing, ErasureReport } from '../../engine/group/erasing.js';
import { managementCall } from '../wire/management-call.js';
import { ownContext, readContext, requiredName, toTimestamp } from '../wire/wire.js';

/** What a request wants erased, and who asks for it. FIELD_INVALID. */
export function erasureOf(request: EraseEventsRequest): {
  readonly target: ErasureTarget;
  readonly call: ManagementCall;
} {
  return { target: targetOf(request), call: managementCall('EraseEvents', request) };
}

function targetOf({ context, target }: EraseEventsRequest): ErasureTarget {
  switch (target?.$case) {
    case 'dataSubject': {
      const digest = subjectDigest(requiredName('data_subject', target.value));
      return { kind: 'subject', context: readContext('context', context), digest };
    }
    case 'stream':
      return {
        kind: 'stream',
        context: ownContext('context', context),
        stream: requiredName('stream', target.value),
      };
    default:
      throw fieldInvalid('data_subject', 'or stream is required');
  }
}

export function erasureToWire(
  { events, remaining, erasedAt }: ErasureReport,
  { names, count }: Awaited<ReturnType<Erasing['archives']>>,
): EraseEventsResponse {
  return {
    erased: BigInt(events),
    remaining: BigInt(remaining.events),
    remainingIsExact: remaining.isExact,
    erasedAt: erasedAt === undefined ? undefined : toTimestamp(erasedAt),
    archives: [...names],
    archiveCount: BigInt(count),
  };
}
