// The tables of the documents are complete: every reason, metric and setting is there, and nothing else.

import { readFile } from 'node:fs/promises';
import { Status } from 'nice-grpc';
import { describe, expect, it } from 'vitest';
import { STATUS } from '../../src/grpc/middleware/errors.js';
import { Metrics } from '../../src/telemetry.js';

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Cells of the rows whose first cell is code and fits the pattern. */
function rowsOf(markdown: string, first: RegExp): string[][] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
    .filter(([name = '']) => first.test(name));
}

const code = (cell = '') => cell.replace(/^`(.*)`$/, '$1');

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
