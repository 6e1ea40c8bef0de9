// Requests about parked events, checked, and the answers to those that change them.

import {
  type DiscardParkedEventsRequest,
  type ListParkedEventsRequest,
  type ParkedResult,
  ParkedStatus,
  type ReplayParkedEventsRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import type { NamedPosition } from '../../engine/log/named-position.js';
import type { ParkedSelection } from '../../storage/ports/parked-storage.js';
import type { Position } from '../../units.js';
import { earlierThanField, labelField, laterThanField, textField } from '../wire/wire.js';
import { MAX_CODE_BYTES } from './consumer-wire.js';
import { assertAtMost, greatestNamed } from './named-positions.js';

/** Parked events that one request names. */
export const MAX_POSITIONS = 1_000;

type WireSelection = Pick<ListParkedEventsRequest, 'code' | 'stream' | 'parkedAfter' | 'parkedBefore'>;

/** Which parked events a request selects. */
export function parkedSelection({ code, stream, parkedAfter, parkedBefore }: WireSelection): ParkedSelection {
  return {
    code: textField('code', code, MAX_CODE_BYTES),
    stream: labelField('stream', stream),
    parkedAfter: laterThanField('parked_after', parkedAfter),
    parkedBefore: earlierThanField('parked_before', parkedBefore),
  };
}

type ChangeRequest = ReplayParkedEventsRequest | DiscardParkedEventsRequest;

/** What a request is to change: positions, or all that is selected. */
export type ParkedTarget =
  | { readonly kind: 'all'; readonly selection: ParkedSelection }
  | {
      readonly kind: 'positions';
      readonly positions: readonly Position[];
      /** The greatest one, and its field. */
      readonly greatest: NamedPosition;
    };

/** Reads what is to be changed. */
export function parkedTarget(request: ChangeRequest): ParkedTarget {
  const selection = parkedSelection(request);
  if (request.all) {
    if (request.positions.length > 0) throw fieldInvalid('all', 'goes without positions');
    return { kind: 'all', selection };
  }
  if (request.positions.length === 0) throw fieldInvalid('positions', 'is required, or `all`');
  assertAtMost('positions', request.positions, MAX_POSITIONS);
  assertUnselected(selection);
  const positions = request.positions.map(Number);
  const greatest = greatestNamed(positions, (index) => `positions[${index}]`, { position: 0, field: 'positions[0]' });
  return { kind: 'positions', positions, greatest };
}

function assertUnselected({ code, stream, parkedAfter, parkedBefore }: ParkedSelection): void {
  const given = { code, stream, parked_after: parkedAfter ?? '', parked_before: parkedBefore ?? '' };
  const [field] = Object.entries(given).find(([, value]) => value !== '') ?? [];
  if (field !== undefined) throw fieldInvalid(field, 'goes with `all` only');
}

/** The results of named positions, in the order of the request; `changed`: those that were parked. */
export function parkedResults(positions: readonly Position[], changed: ReadonlySet<Position>): ParkedResult[] {
  const { PARKED_STATUS_DONE, PARKED_STATUS_NOT_PARKED } = ParkedStatus;
  return positions.map((position) => ({
    position: BigInt(position),
    status: changed.has(position) ? PARKED_STATUS_DONE : PARKED_STATUS_NOT_PARKED,
  }));
}
