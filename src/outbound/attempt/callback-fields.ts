// What every callback carries beside its body, whatever the protocol: the headers that its cawin asks for, the event's trace, and
// the signature.

import { isHeaderValue, isReservedHeader } from '../../domain/cawins/callback-headers.js';
import type { CallbackAttempt } from '../../engine/cawins/callback-sender.js';
import type { Millis } from '../../units.js';
import { signatureHeaders } from './signature.js';

/** The headers, metadata or message headers of an attempt. `signed`: the bytes that the signature is over, each by itself. */
export function callbackFields(
  attempt: CallbackAttempt,
  signed: readonly Uint8Array[],
  nowMs: Millis,
): Record<string, string> {
  const { headers, secrets, deliveryId: id, event } = attempt;
  const { traceparent, tracestate } = event.entry.rest ?? {};
  return {
    ...Object.fromEntries(Object.entries(headers).filter(([name, value]) => isAllowed(name, value))),
    ...(isSendable(traceparent) ? { traceparent } : {}),
    ...(isSendable(tracestate) ? { tracestate } : {}),
    ...signatureHeaders({ id, bodies: signed, secrets, nowMs }),
  };
}

/** Whether a header of a cawin may be sent: earlier versions kept more of them. */
function isAllowed(name: string, value: string): boolean {
  return !isReservedHeader(name) && isHeaderValue(value);
}

/** Whether a text that was stored with an event, by whatever version or program, can be a header: the call goes out without it. */
function isSendable(value: string | undefined): value is string {
  return value !== undefined && isHeaderValue(value);
}
