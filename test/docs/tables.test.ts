// The tables of the documents are complete: every reason, metric and setting is there, and nothing else.

import { readFile } from 'node:fs/promises';
import { Status } from 'nice-grpc';
import { describe, expect, it } from 'vitest';
import { MAX_CALLBACK_HEADERS } from '../../src/domain/cawins/callback-headers.js';
import { CALLBACK_TIMEOUT } from '../../src/domain/cawins/cawin.js';
import { FAILURES_TO_OPEN } from '../../src/domain/cawins/endpoint-circuit.js';
import { DEFAULT_RETRY_POLICY } from '../../src/domain/cawins/retry-policy.js';
import { MAX_DESCRIPTION_BYTES } from '../../src/domain/descriptions/description.js';
import { MAX_SHAPES } from '../../src/domain/descriptions/shape.js';
import { DEFAULT_LOOKBACK_MICROS, DEFAULT_WAIT_MICROS, MAX_WAIT_MICROS } from '../../src/domain/waits/wait.js';
import { STATUS } from '../../src/grpc/wire/status.js';
import { Metrics } from '../../src/telemetry.js';
import { code, rowsOf } from './markdown-tables.js';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('docs/errors.md', () => {
  it('has every reason once, with its status', async () => {
    const rows = rowsOf(await read('docs/errors.md'), /^`[A-Z_]+`$/);
    const documented = Object.fromEntries(rows.map(([reason, status]) => [code(reason), code(status)]));
    const expected = Object.fromEntries(Object.entries(STATUS).map(([reason, status]) => [reason, Status[status]]));
    expect(documented).toEqual(expected);
    expect(rows).toHaveLength(Object.keys(expected).length);
  });

  it('knows every reason that the domain declares', async () => {
    const source = await read('src/domain/errors.ts');
    const union = /export type ErrorReason =([^;]*);/.exec(source)?.[1] ?? '';
    const declared = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, reason]) => reason);
    expect(declared.length).toBeGreaterThan(10);
    const rows = rowsOf(await read('docs/errors.md'), /^`[A-Z_]+`$/);
    expect(rows.map(([reason]) => code(reason)).sort()).toEqual([...declared].sort());
  });
});

describe('docs/metrics.md', () => {
  it('has every metric once, with its labels', async () => {
    const rows = rowsOf(await read('docs/metrics.md'), /^`madeleine_/);
    const documented = rows.map(([name, kind, labels = '']) => ({
      name: code(name),
      kind,
      labels: labels.replaceAll('`', ''),
    }));
    const metrics = await new Metrics().registry.getMetricsAsJSON();
    const registered = metrics.filter(({ name }) => name.startsWith('madeleine_'));
    expect(registered.length).toBeGreaterThan(5);
    expect(documented.map(({ name }) => name).sort()).toEqual(registered.map(({ name }) => name).sort());
    for (const { name, type } of registered) {
      const labels = (new Metrics().registry.getSingleMetric(name) as unknown as { labelNames: string[] }).labelNames;
      const expected = { name, kind: String(type), labels: labels.join(', ') };
      expect(documented.find((row) => row.name === name)).toEqual(expected);
    }
  });
});

describe('docs/limits.md', () => {
  it('has the limits of waits and callbacks as the code has them', async () => {
    const limits = await read('docs/limits.md');
    const row = (what: string) => limits.split('\n').find((line) => line.startsWith(`| ${what} |`)) ?? '';
    const days = (micros: number) => micros / 86_400_000_000;
    expect(row('Description')).toContain(`| ${MAX_DESCRIPTION_BYTES / 1024} KiB,`);
    expect(row('Description')).toContain(`at most ${MAX_SHAPES} different sets of paths`);
    expect(row('A wait')).toContain(`${days(DEFAULT_WAIT_MICROS)} days by default, at most ${days(MAX_WAIT_MICROS)} `);
    const lookBack = `${days(DEFAULT_LOOKBACK_MICROS)} days`;
    expect(row('Looking back')).toContain(`| ${lookBack} unless`);
    expect(row('Looking back')).toContain(`begins ${lookBack} and at most a million events`);
    const { defaultMs, minMs, maxMs } = CALLBACK_TIMEOUT;
    expect(row('A callback')).toContain(
      `${defaultMs / 1000} s a call by default, ${minMs / 1000} s to ${maxMs / 1000} s; ${MAX_CALLBACK_HEADERS} headers`,
    );
    const { maxAttempts, baseMs, capMs } = DEFAULT_RETRY_POLICY;
    expect(row('Attempts')).toContain(
      `| ${maxAttempts}, over about ten hours: a random time up to ${baseMs / 1000} s,`,
    );
    expect(capMs).toBe(3_600_000);
    expect(row('A receiver that fails')).toContain(`after ${FAILURES_TO_OPEN} failures in a row`);
  });

  it('has more to say than the limits in README.md, which begin alike', async () => {
    const section = (await read('README.md')).split('\n## ').find((part) => part.startsWith('Limits')) ?? '';
    const short = section.split('\n').filter((line) => /^\| [A-Z]/.test(line));
    expect(short.length).toBeGreaterThan(5);
    const long = (await read('docs/limits.md')).split('\n');
    for (const row of short) {
      const begin = row.replace(/ \|$/, '');
      expect(
        long.filter((line) => line.startsWith(begin)),
        row,
      ).toHaveLength(1);
    }
  });
});
