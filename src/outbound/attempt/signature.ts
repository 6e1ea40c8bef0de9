// Standard Webhooks: the three headers that let a receiver know who calls, when, and that nothing was changed.

import { createHmac } from 'node:crypto';
import { parseCallbackSecret } from '../../domain/cawins/callback-secret.js';
import type { Millis } from '../../units.js';

export interface SignedMessage {
  /** The message's id, the same for every attempt. */
  readonly id: string;
  /** What is signed: the body, or several forms of it, so that whoever sees one of them can verify. */
  readonly bodies: readonly Uint8Array[];
  /** The secrets that sign, two while one replaces the other; none: the signature is left out. */
  readonly secrets: readonly string[];
  /** The wall clock's time of this attempt: receivers refuse what is older than some minutes. */
  readonly nowMs: Millis;
}

/**
 * The headers `webhook-id`, `webhook-timestamp` and, with secrets, `webhook-signature`: a `v1` signature for each secret and body,
 * after spaces.
 */
export function signatureHeaders({ id, bodies, secrets, nowMs }: SignedMessage): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (secrets.length === 0) return headers;
  const keys = secrets.map((secret) => parseCallbackSecret(secret));
  const signatures = keys.flatMap((key) =>
    bodies.map((body) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`),
  );
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}
