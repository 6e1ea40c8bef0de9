// The hand-over of a stream, as the plan of a group decides it: under the head row, so that everything of the former owner lies before
// its entry and nothing after.

import { streamUnknown } from '../errors.js';
import { EMPTY_ENVELOPE, type Envelope } from '../events/envelope.js';
import type { StreamState } from '../events/stream.js';
import { SERVER_ISSUER } from '../names.js';
import type { Refused } from './group-outcomes.js';
import { ownedByAnother } from './group-plan-refusals.js';
import type { TransferUnit } from './group-plan-types.js';

/** Topic of the entries by which streams are handed over. */
export const TRANSFER_TOPIC = 'madeleine.stream';

/**
 * What the unit does to the stream as it is: refused; nothing, as it was done before; or the stream is handed over.
 * `isStored`: by this very unit, whose COMMIT had not been answered.
 */
export function decideTransfer(
  unit: TransferUnit,
  stream: StreamState | undefined,
  isStored: boolean,
): Refused | { readonly kind: 'done' | 'due'; readonly stream: StreamState } {
  if (stream === undefined) return { kind: 'refused', error: streamUnknown(unit.context, unit.stream) };
  const isRepeated = stream.owner === unit.newOwner && stream.formerOwner === unit.owner;
  if (isStored || isRepeated) return { kind: 'done', stream };
  if (stream.owner !== unit.owner) return { kind: 'refused', error: ownedByAnother(stream) };
  return { kind: 'due', stream };
}

/** What the entry of a hand-over says: the stream before it, and who owns it from there on. */
export function transferEnvelope({ context, name, owner, epoch }: StreamState, newOwner: string): Envelope {
  const properties = { former_owner: owner, owner: newOwner, epoch: String(epoch + 1) };
  const named = { context, topic: TRANSFER_TOPIC, stream: name, issuer: SERVER_ISSUER };
  return { ...EMPTY_ENVELOPE, ...named, rest: { properties } };
}
