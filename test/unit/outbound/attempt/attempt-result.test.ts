// What comes from outside is bounded before it is told to anybody who stores it.

import { describe, expect, it } from 'vitest';
import { type Answer, AttemptFailure, retryAfter } from '../../../../src/outbound/attempt/attempt-failure.js';
import { resultOf, resultOfFailure } from '../../../../src/outbound/attempt/attempt-result.js';
import { Redactor } from '../../../../src/outbound/attempt/redaction.js';

const redactor = new Redactor({ secrets: [], headers: { authorization: 'Bearer t0ken' } });
const DAY_MS = 86_400_000;

function answer(changes: Partial<Answer>): Answer {
  return {
    ...{ outcome: 'failed', reason: 'answered', status: '503', statusCode: 503, bytes: Buffer.alloc(0) },
    ...{ answeredAtMs: 5, ...changes },
  };
}

describe('what is told of an attempt', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 2.5, 4_294_967_296, 1e300])(
    'has no status code %d',
    (statusCode) => {
      expect(resultOf(answer({ statusCode }), 0, redactor).statusCode).toBe(0);
      expect(resultOfFailure(new AttemptFailure('answer', 'x', { statusCode }), 1, redactor).statusCode).toBe(0);
    },
  );

  it('has texts that are short, valid, and without control characters and secrets', () => {
    const text = `a\u0000b\u0007c\ud800d t0ken ${'é'.repeat(1_000)}`;
    const { status, error } = resultOf(answer({ status: text, error: text }), 0, redactor);
    const failed = resultOfFailure(new AttemptFailure('broker', text, { status: text }), 1, redactor);
    for (const [told, most] of [
      [status, 255],
      [error, 512],
      [failed.status, 255],
      [failed.error, 512],
    ] as const) {
      expect(told).toMatch(/^a\ufffdb\ufffdc\ufffdd \[redacted\] é+$/);
      expect(Buffer.byteLength(told ?? '')).toBeLessThanOrEqual(most);
      expect(Buffer.from(told ?? '').toString()).toBe(told);
    }
  });

  it('took no less than no time', () => {
    expect(resultOf(answer({ answeredAtMs: 3 }), 5, redactor).latencyMs).toBe(0);
  });

  it.each([
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, DAY_MS],
    [Number.NEGATIVE_INFINITY, 0],
    [-5, 0],
    [1e300, DAY_MS],
    [1.2, 2],
  ])('asks for a wait of %d ms as %s', (asked, wait) => {
    expect(retryAfter(asked)).toBe(wait);
  });
});
