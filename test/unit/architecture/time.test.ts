// What waits or measures is told the time by the clock that it was given, so that tests own it, and by the one that never jumps.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { listSources } from './imports.js';

/** Dates of a given instant are no look at a clock. */
const OWN_TIME =
  /\bDate\.now\b|\bnew Date\(\)|\bperformance\.(now|timeOrigin)\b|\bset(Timeout|Interval)\b|AbortSignal\.timeout\(|node:timers/;

describe('time', () => {
  const files = listSources('src').filter((file) => /^src\/(domain|engine|grpc)\//.test(file));
  const offenders = files.filter((file) => OWN_TIME.test(readFileSync(file, 'utf8')));

  it('is asked of the injected clock in domain, engine and grpc', () => {
    expect(files.length).toBeGreaterThan(100);
    expect(offenders).toEqual([]);
  });

  it.each([
    'const at = Date.now();',
    'nowMs: Date.now,',
    'const at = new Date();',
    'const at = performance.now();',
    'const timer = setTimeout(work, 5);',
    'setInterval(() => work(), 5).unref();',
    'await wait(AbortSignal.timeout(500));',
    "import { setTimeout as sleep } from 'node:timers/promises';",
  ])('would be found in: %s', (line) => {
    expect(line).toMatch(OWN_TIME);
  });

  it.each([
    'const date = new Date(createdAtMs);',
    'const at = clock.monotonicMs();',
    'setImmediate(() => this.#pump());',
  ])('is not asked by: %s', (line) => {
    expect(line).not.toMatch(OWN_TIME);
  });
});
