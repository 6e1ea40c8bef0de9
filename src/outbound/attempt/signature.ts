// Standard Webhooks: the three headers that let a receiver know who calls, when, and that nothing was changed.

import { createHmac } from 'node:crypto';
import { parseCallbackSecret } from '../../domain/cawins/callback-secret.js';
import type { Millis } from '../../units.js';

export interface SignedMessage {
  /** The message's id, the same for every attempt. */
  readonly id: string;
  readonly body: Uint8Array;
  /** The secrets that sign, two while one replaces the other; none: the signature is left out. */
  readonly secrets: readonly string[];
  /** The wall clock's time of this attempt: receivers refuse what is older than some minutes. */
  readonly nowMs: Millis;
}

/** The headers `webhook-id`, `webhook-timestamp` and, with secrets, `webhook-signature`: a `v1` signature each, after spaces. */
export function signatureHeaders({ id, body, secrets, nowMs }: SignedMessage): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secrets.length === 0) return headers;
  const signatures = secrets.map((secret) => {
    const hmac = createHmac('sha256', parseCallbackSecret(secret));
    return `v1,${hmac.update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
  });
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}
