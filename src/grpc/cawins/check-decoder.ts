// Decodes CheckOrWaitRequest. Its description is read as that of a push, from the bytes: the generated code keeps a Struct's
// fields in an object and assigns to them, so that one named `__proto__` would vanish, and the wait would take events that do not
// match.

import { CheckOrWaitRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { BLANK_ENVELOPE } from '../../domain/events/envelope.js';
import { asBuffer } from '../../domain/json/bytes.js';
import {
  type DecodedDescription,
  type DecodedPush,
  DraftInProgress,
  emptyEvent,
  readDescription,
} from '../events/push-decoder.js';
import { decodeStrictly } from '../wire/definitions.js';
import { WireReader } from '../wire/wire-reader.js';

/** The field `description`, as a tag. */
const DESCRIPTION = (3 << 3) | 2;

export interface DecodedCheck {
  readonly request: CheckOrWaitRequest;
  /** The push that looks or waits. */
  readonly push: DecodedPush;
}

/** Decodes a CheckOrWaitRequest. Throws what the generated code and WireReader throw. */
export function decodeCheckOrWait(bytes: Uint8Array): DecodedCheck {
  const request = decodeStrictly(CheckOrWaitRequest, bytes) as CheckOrWaitRequest;
  const { context, topic, issuer, since, waitTimeout } = request;
  const draft = new DraftInProgress({ ...BLANK_ENVELOPE, context, topic, issuer });
  const event = { ...emptyEvent(), draft, description: descriptionIn(bytes) };
  return { request, push: { event, expectedSequence: undefined, streamEpoch: undefined, since, waitTimeout } };
}

function descriptionIn(bytes: Uint8Array): DecodedDescription | undefined {
  const reader = new WireReader(asBuffer(bytes));
  let description: DecodedDescription | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === DESCRIPTION) description = readDescription(reader.message());
    else reader.skip(tag);
  }
  return description;
}
