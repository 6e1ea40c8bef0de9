// Counters and gauges by names that clients make up: exact, bounded however many names there are, and readable whatever the names are.

import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { NamedCounter, NamedGauge } from '../../src/telemetry.js';

function scene() {
  const registry = new Registry();
  const counter = new NamedCounter(registry, {
    name: 'events_total',
    help: 'Events.',
    labelNames: ['context', 'topic'],
  });
  const lines = async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith('events_total'));
  return { counter, lines };
}

describe('a counter by names', () => {
  it('counts each name in its context, as often as somebody looks', async () => {
    const { counter, lines } = scene();
    for (const [context, name] of [
      ['a', 'x'],
      ['a', 'y'],
      ['b', 'x'],
      ['a', 'x'],
    ] as const)
      counter.inc(context, name);
    const expected = [
      'events_total{context="a",topic="x"} 2',
      'events_total{context="a",topic="y"} 1',
      'events_total{context="b",topic="x"} 1',
    ];
    expect(await lines()).toEqual(expected);
    expect(await lines()).toEqual(expected);
  });

  it('has a hundred series of 10,000 names and one of the others, and loses nothing', async () => {
    const { counter, lines } = scene();
    for (let round = 0; round < 3; round += 1) {
      for (let n = 0; n < 10_000; n += 1) counter.inc(`context ${n % 500}`, `topic ${n}`);
    }
    const found = await lines();
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toBe('events_total{context="",topic="other"} 29700');
    for (const line of found.slice(0, -1))
      expect(line).toMatch(/^events_total\{context="context \d+",topic="topic \d+"\} 3$/);
  });

  it('keeps a topic that is called as the others are apart from them', async () => {
    const { counter, lines } = scene();
    counter.inc('default', 'other');
    for (let n = 0; n < 100; n += 1) counter.inc('default', String(n));
    const found = await lines();
    expect(found).toContain('events_total{context="default",topic="other"} 1');
    expect(found).toContain('events_total{context="",topic="other"} 1');
  });

  it('has no line that a name could have written', async () => {
    const { counter, lines } = scene();
    const hostile = [
      'a"} 7',
      'b\\',
      'c\\"',
      'd\nevents_total 9',
      '{}',
      '# HELP',
      '\u2028',
      '😀',
      '__proto__',
      'constructor',
    ];
    for (const name of hostile) counter.inc(name, name);
    const found = await lines();
    expect(found).toHaveLength(hostile.length);
    for (const line of found)
      expect(line).toMatch(/^events_total\{context="(?:[^"\\\n]|\\["\\n])*",topic="(?:[^"\\\n]|\\["\\n])*"\} 1$/);
  });
});

describe('a gauge by names', () => {
  const scene = () => {
    const registry = new Registry();
    const gauge = new NamedGauge(registry, {
      ...{ name: 'lag', help: 'Lag.', labelNames: ['context', 'topic', 'consumer_context', 'consumer'] as const },
    });
    const lines = async () => (await registry.metrics()).split('\n').filter((line) => line.startsWith('lag'));
    return { gauge, lines };
  };
  const value = (n: number, of = n) => ({
    ...{ labels: { context: 'a', topic: `t${n}`, consumer_context: 'b', consumer: 'c' }, value: of },
  });

  it('tells what is there when somebody looks, and nothing of what was', async () => {
    const { gauge, lines } = scene();
    expect(await lines()).toEqual([]);
    gauge.ask = () => [value(1), value(2)];
    expect(await lines()).toHaveLength(2);
    gauge.ask = () => [value(2, 7)];
    expect(await lines()).toEqual(['lag{context="a",topic="t2",consumer_context="b",consumer="c"} 7']);
  });

  it('has a hundred series of 100,000 names, and one with the greatest of the others', async () => {
    const { gauge, lines } = scene();
    gauge.ask = () => Array.from({ length: 100_000 }, (_, n) => value(n, (n * 7) % 100_000));
    const found = await lines();
    expect(found).toHaveLength(101);
    expect(found.at(-1)).toBe('lag{context="",topic="other",consumer_context="",consumer="other"} 99999');
  });
});
