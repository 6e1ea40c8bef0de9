import { describe, expect, it } from 'vitest';
import { cutText, Redactor } from '../../../../src/outbound/attempt/redaction.js';
import { SECRET } from '../../../support/cawins/callback-attempt.js';

const headers = { Authorization: 'Bearer tok/en+1', 'X-Api-Key': 'k3y', Login: `Basic ${btoa('anna:pass word')}` };
const redactor = new Redactor({ secrets: [SECRET], headers });
const bare = SECRET.slice('whsec_'.length);

describe('redaction', () => {
  it('is tried with a secret that is written in several ways', () => {
    expect(SECRET).toMatch(/^whsec_.*\/.*=$/);
    expect(SECRET).toContain('+');
  });

  it.each([
    [SECRET, '[redacted]'],
    [`key=${bare}`, 'key=[redacted]'],
    [`"${bare.replaceAll('/', '\\/')}"`, '"[redacted]"'],
    [`?s=${encodeURIComponent(bare)}&`, '?s=[redacted]&'],
    ['Authorization: Bearer tok/en+1', 'Authorization: [redacted]'],
    ['token TOK/EN+1 is unknown', 'token [redacted] is unknown'],
    ['{"t":"tok\\/en+1"}', '{"t":"[redacted]"}'],
    ['wrong password "pass word"', 'wrong password "[redacted]"'],
    ['k3yk3y and more', '[redacted][redacted] and more'],
    ['nothing of it', 'nothing of it'],
  ])('makes %j to %j', (text, expected) => {
    expect(redactor.text(text)).toBe(expected);
    expect(redactor.beginning(Buffer.from(text), 1024)).toBe(expected);
  });

  it('lets no part of a secret through at the edge, however many were cut before', () => {
    for (let before = 0; before <= 70; before += 1) {
      const text = 'x'.repeat(before) + SECRET + 'é'.repeat(3) + SECRET;
      const limit = 64;
      const cut = redactor.beginning(Buffer.from(text).subarray(0, limit + redactor.longest), limit);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(limit);
      expect(cut.replaceAll('[redacted]', '')).not.toMatch(/whse|YSBz/);
    }
  });

  it('keeps text readable, in whole characters', () => {
    const plain = new Redactor({ secrets: [], headers: {} });
    expect(plain.beginning(Buffer.from('a\u001b[31mb\u0000\tc\n\u009bd'), 99)).toBe('a\ufffd[31mb\ufffd\tc\n\ufffdd');
    expect(plain.beginning(Buffer.from('ééé'), 5)).toBe('éé');
    // The half of a character becomes U+FFFD, which has three bytes itself.
    expect(plain.beginning(Buffer.from('aé'), 2)).toBe('a');
    expect(plain.beginning(Buffer.from([0xff, 0xfe]), 99)).toBe('\ufffd\ufffd');
    expect(cutText('a😀b', 4)).toBe('a');
    expect(cutText('a😀b', 5)).toBe('a😀');
  });
});
