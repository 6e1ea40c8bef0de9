import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  boxKeyId,
  parseSecretKey,
  SECRET_BOX_OVERHEAD_BYTES,
  SecretBox,
  SecretBoxError,
} from '../../../src/lib/secret-box.js';

const key = randomBytes(32);
const box = new SecretBox({ key, randomBytes });
const PLACE = 'cawin:17:secret';

function problem(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SecretBoxError) return error.problem;
    throw error;
  }
  return 'none';
}

describe('secret box', () => {
  it('gives back what was put in', () => {
    for (const text of ['', 'whsec_abc', 'Zoë 😀', 'x'.repeat(10_000)]) {
      const closed = box.encrypt(text, PLACE);
      expect(closed).toHaveLength(Buffer.byteLength(text) + SECRET_BOX_OVERHEAD_BYTES);
      if (text !== '') expect(closed.includes(text)).toBe(false);
      expect(box.decrypt(closed, PLACE).toString()).toBe(text);
    }
  });

  it('is another one each time', () => {
    expect(box.encrypt('a', PLACE).equals(box.encrypt('a', PLACE))).toBe(false);
  });

  it('does not open for another place', () => {
    expect(problem(() => box.decrypt(box.encrypt('a', PLACE), 'cawin:18:secret'))).toBe('damaged');
  });

  it('does not open when any byte was changed', () => {
    const closed = box.encrypt('a secret', PLACE);
    for (let index = 0; index < closed.length; index += 1) {
      const changed = Buffer.from(closed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(
        problem(() => box.decrypt(changed, PLACE)),
        `byte ${index}`,
      ).toBe(index >= 1 && index <= 8 ? 'wrong_key' : 'damaged');
    }
    for (let length = 0; length < closed.length; length += 1) {
      expect(problem(() => box.decrypt(closed.subarray(0, length), PLACE))).toBe('damaged');
    }
  });

  it('says that the key is another one, by ids that tell nothing of it', () => {
    const other = new SecretBox({ key: randomBytes(32), randomBytes });
    const closed = box.encrypt('a', PLACE);
    expect(problem(() => other.decrypt(closed, PLACE))).toBe('wrong_key');
    expect(() => other.decrypt(closed, PLACE)).toThrow(
      `encrypted with key ${box.keyId}, but the server has ${other.keyId}`,
    );
    expect(key.toString('hex')).not.toContain(box.keyId);
  });

  it('opens with a former key and closes with the new one', () => {
    const closed = box.encrypt('a', PLACE);
    const next = new SecretBox({ key: randomBytes(32), formerKeys: [key], randomBytes });
    expect(next.decrypt(closed, PLACE).toString()).toBe('a');
    expect(boxKeyId(closed)).toBe(box.keyId);
    expect(boxKeyId(next.encrypt('a', PLACE))).toBe(next.keyId);
    expect(next.keyId).not.toBe(box.keyId);
  });

  it('reads a key in hex and in base64', () => {
    expect(parseSecretKey(key.toString('hex'))).toEqual(key);
    expect(parseSecretKey(key.toString('base64'))).toEqual(key);
    expect(parseSecretKey(key.toString('base64').slice(0, -1))).toEqual(key);
  });

  it.each(['', 'short', randomBytes(31).toString('hex'), randomBytes(33).toString('base64'), 'g'.repeat(64)])(
    'refuses %j as a key',
    (text) => {
      expect(problem(() => parseSecretKey(text))).toBe('bad_key');
      expect(problem(() => new SecretBox({ key: Buffer.from(text), randomBytes }))).toBe('bad_key');
    },
  );
});
