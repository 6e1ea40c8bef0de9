// Secrets that sign callbacks, in the form of Standard Webhooks: `whsec_` and the key in base64.

import { fieldInvalid } from '../errors.js';

const PREFIX = 'whsec_';
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
const MINTED_KEY_BYTES = 32;

/** The key of a secret; undefined if the text is none. The prefix may be missing, as in the specification's libraries. */
function keyOf(secret: string): Buffer | undefined {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : secret;
  const key = Buffer.from(text, 'base64');
  // Node's decoder skips what is not base64; only what it gives back unchanged was read as it was meant.
  const unchanged = key.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  return unchanged && key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES ? key : undefined;
}

/** The bytes that sign. Throws FIELD_INVALID for `field`, without the secret. */
export function parseCallbackSecret(secret: string, field = 'callback.secret'): Buffer {
  const key = keyOf(secret);
  if (key === undefined) {
    throw fieldInvalid(field, `has to be ${PREFIX} and ${MIN_KEY_BYTES} to ${MAX_KEY_BYTES} bytes in base64`);
  }
  return key;
}

/** A fresh secret. `randomBytes` has to be a cryptographic source. */
export function mintCallbackSecret(randomBytes: (size: number) => Buffer): string {
  return `${PREFIX}${randomBytes(MINTED_KEY_BYTES).toString('base64')}`;
}
