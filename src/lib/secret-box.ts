// Encryption of what is stored but never shown: AES-256-GCM, bound to the place that it was stored for. Keys are named by an id
// in every box, so that a new key can take over while boxes of the former one can still be opened.

import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';

const VERSION = 1;
export const SECRET_KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES;

/** What a box adds to its content, in bytes. */
export const SECRET_BOX_OVERHEAD_BYTES = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/**
 * What is wrong with a box or a key. `wrong_key`: made with a key that this server does not have. `damaged`: no box, changed, or
 * opened for another place.
 */
export type SecretBoxProblem = 'wrong_key' | 'damaged' | 'bad_key';

export class SecretBoxError extends Error {
  override readonly name = 'SecretBoxError';
  readonly problem: SecretBoxProblem;

  constructor(problem: SecretBoxProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}

export interface SecretBoxOptions {
  /** The key that encrypts: 32 bytes. */
  readonly key: Uint8Array;
  /** Keys that may still decrypt. */
  readonly formerKeys?: readonly Uint8Array[];
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Buffer;
}

/**
 * Layout of a box: version (1 byte, 1), key id (8), nonce (12), ciphertext, tag (16). Version and key id are authenticated with
 * the associated data. Nonces are random, which one key bears for 2^32 boxes.
 */
export class SecretBox {
  readonly #keys = new Map<string, Buffer>();
  readonly #randomBytes: (size: number) => Buffer;
  /** Id of the key that encrypts, in hex: it tells keys apart and nothing about them. */
  readonly keyId: string;

  /** Takes the keys; throws SecretBoxError (bad_key) unless each has 32 bytes. */
  constructor({ key, formerKeys = [], randomBytes }: SecretBoxOptions) {
    this.#randomBytes = randomBytes;
    for (const one of [key, ...formerKeys]) {
      if (one.byteLength !== SECRET_KEY_BYTES) throw badKey();
      this.#keys.set(keyIdOf(one), Buffer.from(one));
    }
    this.keyId = keyIdOf(key);
  }

  /**
   * Encrypts for the place that the associated data names, such as `cawin:17:secret`: moved to another row or column, the box does
   * not open.
   */
  encrypt(plaintext: Uint8Array | string, associatedData: string): Buffer {
    const header = Buffer.concat([Buffer.of(VERSION), Buffer.from(this.keyId, 'hex')]);
    const nonce = this.#randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#keys.get(this.keyId) as Buffer, nonce);
    cipher.setAAD(Buffer.concat([header, Buffer.from(associatedData)]));
    const content = typeof plaintext === 'string' ? Buffer.from(plaintext) : plaintext;
    const ciphertext = Buffer.concat([cipher.update(content), cipher.final()]);
    return Buffer.concat([header, nonce, ciphertext, cipher.getAuthTag()]);
  }

  /** What was encrypted. Throws SecretBoxError: wrong_key or damaged. */
  decrypt(box: Uint8Array, associatedData: string): Buffer {
    const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
    const id = boxKeyId(bytes);
    const key = this.#keys.get(id);
    if (key === undefined) {
      throw new SecretBoxError('wrong_key', `encrypted with key ${id}, but the server has ${[...this.#keys.keys()]}`);
    }
    const nonce = bytes.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.concat([bytes.subarray(0, HEADER_BYTES), Buffer.from(associatedData)]));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([decipher.update(bytes.subarray(HEADER_BYTES + NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    } catch {
      // OpenSSL says no more than that the tag does not fit.
      throw new SecretBoxError('damaged', 'the encrypted value was changed, or belongs to another place');
    }
  }
}

/** Id of the key that made a box, in hex; for finding what is left to encrypt anew. Throws SecretBoxError: damaged. */
export function boxKeyId(box: Uint8Array): string {
  if (box.byteLength < SECRET_BOX_OVERHEAD_BYTES || box[0] !== VERSION) {
    throw new SecretBoxError('damaged', 'not an encrypted value of a version that this server knows');
  }
  return Buffer.from(box.subarray(1, HEADER_BYTES)).toString('hex');
}

/** A key from a setting: 32 bytes in hex or base64. Throws SecretBoxError (bad_key), without the text. */
export function parseSecretKey(text: string): Buffer {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  const key = Buffer.from(text, 'base64');
  if (!/^[A-Za-z0-9+/]{43}=?$/.test(text) || key.length !== SECRET_KEY_BYTES) throw badKey();
  return key;
}

/** The keys of a setting that has several, separated by commas. Throws SecretBoxError (bad_key), without the text. */
export function parseSecretKeys(text: string): Buffer[] {
  const texts = text.split(',').map((one) => one.trim());
  return texts.filter((one) => one !== '').map(parseSecretKey);
}

function badKey(): SecretBoxError {
  return new SecretBoxError('bad_key', `a secret key has to be ${SECRET_KEY_BYTES} bytes in hex or base64`);
}

function keyIdOf(key: Uint8Array): string {
  return createHash('sha256')
    .update('madeleine secret key id\0')
    .update(key)
    .digest()
    .subarray(0, KEY_ID_BYTES)
    .toString('hex');
}
