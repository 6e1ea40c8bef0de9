// What a cawin keeps secret: the secrets that sign its calls and the values of its headers, encrypted together for its row.

import { SECRET_OVERLAP_MICROS } from '../../domain/cawins/cawin.js';
import { fieldError } from '../../domain/errors.js';
import type { SecretBox } from '../../lib/secret-box.js';
import type { Micros } from '../../units.js';

export interface CawinSecrets {
  /** The secret that signs; empty: calls are not signed. */
  readonly secret: string;
  /** The one before, which signs too until its time. */
  readonly former?: { readonly secret: string; readonly until: Micros };
  readonly headers: Readonly<Record<string, string>>;
}

export const NO_SECRETS: CawinSecrets = { secret: '', headers: {} };

/** Secrets that sign at this time, the newest first. */
export function signingSecrets({ secret, former }: CawinSecrets, now: Micros): string[] {
  if (secret === '') return [];
  return former !== undefined && former.until > now ? [secret, former.secret] : [secret];
}

/** The secrets after a change of the secret: the former one signs beside it for a while. */
export function withSecret(secrets: CawinSecrets, secret: string, now: Micros): CawinSecrets {
  const { headers } = secrets;
  if (secret === '') return { secret: '', headers };
  if (secrets.secret === '' || secrets.secret === secret) return { ...secrets, secret };
  return { secret, headers, former: { secret: secrets.secret, until: now + SECRET_OVERLAP_MICROS } };
}

export class CawinVault {
  readonly #box: SecretBox | undefined;

  /** Takes the box that encrypts; without one there is no key, and nothing can be kept. */
  constructor(box: SecretBox | undefined) {
    this.#box = box;
  }

  /** Throws CALLBACK_NOT_ALLOWED where there is something to keep and no key to keep it with. */
  assertCanKeep({ secret, headers }: CawinSecrets): void {
    if (this.#box !== undefined || (secret === '' && Object.keys(headers).length === 0)) return;
    const field = secret === '' ? 'callback.headers' : 'callback.secret';
    const description =
      'cannot be kept: this server has no key to encrypt it with; the operator may set MADELEINE_SECRET_KEY';
    throw fieldError('CALLBACK_NOT_ALLOWED', field, description);
  }

  /** Encrypts secrets for a cawin's row; undefined if there is nothing to keep. */
  seal(secrets: CawinSecrets, cawinId: number): Buffer | undefined {
    if (secrets.secret === '' && Object.keys(secrets.headers).length === 0) return undefined;
    this.assertCanKeep(secrets);
    return this.#box?.encrypt(JSON.stringify(secrets), placeOf(cawinId));
  }

  /** Throws SecretBoxError where the key is another one, or the value was changed. */
  open(sealed: Buffer | undefined, cawinId: number): CawinSecrets {
    if (sealed === undefined) return NO_SECRETS;
    if (this.#box === undefined) throw new Error('this server has no key to decrypt with: set MADELEINE_SECRET_KEY');
    return JSON.parse(this.#box.decrypt(sealed, placeOf(cawinId)).toString()) as CawinSecrets;
  }
}

/** A value that is moved to another row does not open. */
function placeOf(cawinId: number): string {
  return `cawin:${cawinId}:callback`;
}
