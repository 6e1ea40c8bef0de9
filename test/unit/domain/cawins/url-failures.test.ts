import { describe, expect, it } from 'vitest';
import { FAILURES_TO_OPEN, healthOf } from '../../../../src/domain/cawins/endpoint-circuit.js';
import { UrlFailures } from '../../../../src/domain/cawins/url-failures.js';

describe('the failures of URLs', () => {
  it('are counted where something answers, by URL, until one is taken', () => {
    const failures = new UrlFailures();
    const noted = (url: string, healths: readonly ('answers' | 'refuses' | 'fails' | 'nothing')[]) =>
      healths.map((health) => failures.note(url, health));
    expect(noted('a', ['refuses', 'refuses', 'fails', 'nothing', 'refuses'])).toEqual([0, 1, 2, 2, 2]);
    expect(noted('b', ['fails', 'refuses', 'answers', 'refuses'])).toEqual([0, 0, 1, 0]);
    expect(noted('a', ['answers', 'refuses'])).toEqual([3, 0]);
  });

  it('are counted anew after those that open the circuit', () => {
    const failures = new UrlFailures();
    const counts = Array.from({ length: FAILURES_TO_OPEN + 2 }, () => failures.note('a', 'refuses'));
    expect(counts.slice(-3)).toEqual([FAILURES_TO_OPEN - 1, 0, 1]);
  });

  it('are remembered of a bounded number of URLs', () => {
    const failures = new UrlFailures();
    failures.note('first', 'refuses');
    for (let n = 0; n < 5_000; n += 1) failures.note(`url ${n}`, 'refuses');
    expect(failures.note('first', 'refuses')).toBe(0);
    expect(failures.note('url 4999', 'refuses')).toBe(1);
  });
});

describe('what an attempt says', () => {
  it.each([
    ['answers', 'answers', 'answers'],
    ['refuses', 'answers', 'fails'],
    ['fails', 'fails', 'fails'],
    ['nothing', 'nothing', 'nothing'],
  ] as const)('with %s of the host: %s, of the URL: %s', (health, host, url) => {
    expect([healthOf('host', health), healthOf('url', health)]).toEqual([host, url]);
  });
});
