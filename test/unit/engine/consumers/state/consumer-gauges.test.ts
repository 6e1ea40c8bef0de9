// The series of consumers in the metrics, and their bound.

import { describe, expect, it } from 'vitest';
import {
  ConsumerGauges,
  MAX_MEASURED,
  type MeasuredConsumer,
} from '../../../../../src/engine/consumers/state/consumer-gauges.js';
import { systemClock } from '../../../../../src/lib/clock.js';
import { Metrics } from '../../../../../src/telemetry.js';

const logger = { debug() {}, info() {}, warn() {}, error() {} };

function session(name: string, lag: number, { parked = 0, isPaused = false } = {}): MeasuredConsumer {
  const countPending = async () => ({ count: 3, isMinimum: false });
  const report = {
    offset: 100 - lag,
    lag,
    isPaused,
    expiredUnread: 0,
    stats: () => ({ inFlight: 0, parked }),
    countPending,
  };
  return { key: { context: 'default', name }, report };
}

describe('figures of consumers', () => {
  it('have series for so many of them, and say what was left out', async () => {
    const metrics = new Metrics();
    const gauges = new ConsumerGauges({ clock: systemClock, metrics, logger });
    const sessions = Array.from({ length: MAX_MEASURED + 500 }, (_, n) => session(`c${n}`, n % 90));
    gauges.measure(sessions);
    const values = async (name: string) => (await metrics.registry.getSingleMetric(name)?.get())?.values ?? [];
    for (const name of ['madeleine_consumer_offset', 'madeleine_consumer_lag', 'madeleine_consumer_in_flight']) {
      expect(await values(name)).toHaveLength(MAX_MEASURED);
    }
    expect((await values('madeleine_consumer_pending')).length).toBeLessThanOrEqual(MAX_MEASURED);
    expect((await values('madeleine_consumers')).map(({ labels, value }) => [labels.series, value])).toEqual([
      ['own', MAX_MEASURED],
      ['left_out', 500],
    ]);
    expect((await values('madeleine_consumers_left_out_lag'))[0]?.value).toBe(89);
    const [first, ...others] = sessions;
    if (first !== undefined) gauges.remove(first);
    gauges.measure(others);
    const lags = await values('madeleine_consumer_lag');
    expect(lags).toHaveLength(MAX_MEASURED);
    expect(lags.some(({ labels }) => labels.consumer === 'c0')).toBe(false);
    expect(lags.some(({ labels }) => labels.consumer === `c${MAX_MEASURED}`)).toBe(true);
  });

  it('tell what is parked, of those consumers only that have something', async () => {
    const metrics = new Metrics();
    const gauges = new ConsumerGauges({ clock: systemClock, metrics, logger });
    const troubled = session('troubled', 0, { parked: 2 });
    const values = async () =>
      ((await metrics.registry.getSingleMetric('madeleine_consumer_parked')?.get())?.values ?? []).map(
        ({ labels, value }) => [labels.consumer, value],
      );
    gauges.measure([session('well', 0), troubled]);
    expect(await values()).toEqual([['troubled', 2]]);
    gauges.remove(troubled);
    expect(await values()).toEqual([]);
  });

  it('tell of a pause as long as it lasts, and of no other consumer', async () => {
    const metrics = new Metrics();
    const gauges = new ConsumerGauges({ clock: systemClock, metrics, logger });
    const held = { ...session('held', 0), report: { ...session('held', 0).report, isPaused: true } };
    const values = async () =>
      ((await metrics.registry.getSingleMetric('madeleine_consumer_paused')?.get())?.values ?? []).map(
        ({ labels, value }) => [labels.consumer, value],
      );
    gauges.measure([session('well', 0), held]);
    expect(await values()).toEqual([['held', 1]]);
    held.report.isPaused = false;
    gauges.measure([held]);
    expect(await values()).toEqual([['held', 0]]);
    gauges.remove(held);
    expect(await values()).toEqual([]);
  });

  it('tell what is pending, and nothing of a consumer that went meanwhile', async () => {
    const metrics = new Metrics();
    const gauges = new ConsumerGauges({ clock: systemClock, metrics, logger });
    const [idle, behind, gone] = [session('idle', 0), session('behind', 50), session('gone', 50)];
    gauges.measure([idle, behind, gone]);
    gauges.remove(gone);
    await new Promise((resolve) => setImmediate(resolve));
    const { values } = (await metrics.registry.getSingleMetric('madeleine_consumer_pending')?.get()) ?? { values: [] };
    expect(values.map(({ labels, value }) => [labels.consumer, value])).toEqual([
      ['idle', 0],
      ['behind', 3],
    ]);
  });
});
