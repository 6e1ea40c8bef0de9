// GetStats: the events of a period by day, topic and stream, as far as they are counted.

import { describe, expect, it } from 'vitest';
import { GetStatsRequest, type GetStatsResponse } from '../../../generated/madeleine/v1/admin_service.js';
import type { NewEvent } from '../../../generated/madeleine/v1/event.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const beside = useServerBeside(suite);

const stats = (request: Partial<GetStatsRequest> = {}, client = suite.client): Promise<GetStatsResponse> =>
  client.admin.getStats(GetStatsRequest.fromPartial(request as GetStatsRequest));

async function push(changes: Partial<NewEvent>): Promise<{ readonly id: bigint; readonly position: bigint }> {
  const payload = bytesPayload('0123456789', 'text/plain');
  const { event } = await suite.client.events.pushEvent({ event: newEvent({ payload, ...changes }) });
  return { id: event?.id ?? 0n, position: event?.position ?? 0n };
}

/** The statistics once a position is counted. */
const counted = (position: bigint, request: Partial<GetStatsRequest>, client = suite.client) =>
  waitUntil(
    async () => {
      const answer = await stats(request, client);
      return answer.asOfPosition >= position ? answer : undefined;
    },
    { what: `position ${position} is counted`, timeoutMs: 20_000 },
  );

const named = (name: string, events: number, context: string) => ({
  ...{ context, name, events: BigInt(events), bytes: BigInt(10 * events) },
});

describe('GetStats', () => {
  it('tells events by day, topic and stream of the present month, on every instance', async () => {
    const context = 'counted';
    const streams = ['a', 'a', 'a', 'b', 'b', ''];
    for (const [n, stream] of streams.entries()) {
      await push({ context, stream, topic: n === 0 ? 'rare' : 'orders' });
    }
    const { position, id } = await push({ context, topic: 'rare', to: 'somebody' });
    for (const client of [suite.client, beside.client]) {
      const answer = await counted(position, { context }, client);
      expect(answer).toMatchObject({ events: 7n, bytes: 70n });
      expect(answer.asOf?.seconds).toBeGreaterThan(0n);
      expect(answer.topics).toEqual([named('orders', 5, context), named('rare', 2, context)]);
      expect(answer.streams).toEqual([named('a', 3, context), named('b', 2, context)]);
      expect(answer.firstDay).toMatch(/^\d{4}-\d{2}-01$/);
      expect(answer.lastDay.slice(0, 7)).toBe(answer.firstDay.slice(0, 7));
      expect(answer.days.map(({ day }) => Number(day.slice(8)))).toEqual(answer.days.map((_, n) => n + 1));
      expect(answer.days.reduce((sum, { events }) => sum + events, 0n)).toBe(7n);
      expect(answer.days.filter(({ events }) => events === 0n).every(({ bytes }) => bytes === 0n)).toBe(true);
    }
    // What is withdrawn has occurred.
    await suite.client.events.invalidateEvent({ id });
    const after = await push({ context: 'elsewhere' });
    expect((await counted(after.position, { context })).events).toBe(7n);
  });

  it('tells of every context, of few days, and as much as is asked for', async () => {
    await push({ context: 'one', topic: 'shared', stream: 'wide' });
    const { position } = await push({ context: 'two', topic: 'shared', stream: 'wide' });
    const all = await counted(position, { context: 'all' });
    expect(all.topics.filter(({ name }) => name === 'shared')).toEqual([
      named('shared', 1, expect.any(String) as unknown as string),
      named('shared', 1, expect.any(String) as unknown as string),
    ]);
    const day = all.days.at(-1)?.day ?? '';
    const today = await stats({ context: 'two', firstDay: day, lastDay: day });
    expect(today).toMatchObject({ firstDay: day, lastDay: day, events: 1n, days: [{ day, events: 1n, change: 1n }] });
    expect(today.days[0]?.changePercent).toBeUndefined();
    expect(today.streams).toEqual([named('wide', 1, 'two')]);
    expect(await stats({ context: 'all', topStreams: 0, topTopics: 1 })).toMatchObject({
      topics: [{ name: expect.any(String) }],
      streams: [],
    });
    expect(await stats({ context: 'all', topStreams: 1_000_000, topTopics: 1_000_000 })).toMatchObject({});
  });

  it('tells of zeros where there was nothing, and of no day that has not come', async () => {
    expect(await stats({ context: 'never used' })).toMatchObject({ events: 0n, topics: [], streams: [] });
    const leap = await stats({ month: '2024-02' });
    expect(leap).toMatchObject({ firstDay: '2024-02-01', lastDay: '2024-02-29', events: 0n });
    expect(leap.days).toHaveLength(29);
    expect(
      leap.days.every(({ events, change, changePercent }) => !events && !change && changePercent === undefined),
    ).toBe(true);
    expect((await stats({ month: '2999-01' })).days).toEqual([]);
    expect((await stats({ firstDay: '2023-01-01', lastDay: '2024-01-01' })).days).toHaveLength(366);
  });

  it.each<[string, Partial<GetStatsRequest>, string]>([
    ['a context that is no name', { context: ' x' }, 'context'],
    ['a month that is none', { month: '2026-13' }, 'month'],
    ['a month that is a day', { month: '2026-11-01' }, 'month'],
    ['a month before 1970', { month: '1969-12' }, 'month'],
    ['a month and a day', { month: '2026-11', firstDay: '2026-11-01' }, 'month'],
    ['a day that is none', { firstDay: '2026-02-29', lastDay: '2026-03-01' }, 'first_day'],
    ['a last day that is none', { firstDay: '2026-02-28', lastDay: 'tomorrow' }, 'last_day'],
    ['no last day', { firstDay: '2026-02-28' }, 'last_day'],
    ['no first day', { lastDay: '2026-02-28' }, 'first_day'],
    ['an end before the start', { firstDay: '2026-02-28', lastDay: '2026-02-27' }, 'last_day'],
    ['more than 366 days', { firstDay: '2023-01-01', lastDay: '2024-01-02' }, 'last_day'],
    ['fewer than no streams', { topStreams: -1 }, 'top_streams'],
    ['fewer than no topics', { topTopics: -1 }, 'top_topics'],
  ])('refuses %s', async (_, request, field) => {
    const refusal = await refusalOf(stats(request));
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
  });
});

describe('madeleine stats', () => {
  const cli = (...argv: string[]) => runToEnd(['stats', ...argv], { server: suite.server.address });

  it('shows days with bars, topics and streams, and all of it as JSON', async () => {
    const context = 'shown';
    await push({ context, topic: 'orders', stream: 'order 7' });
    const { position } = await push({ context, topic: 'orders', stream: 'order 7' });
    await counted(position, { context });
    const { stdout, code } = await cli('--context', context);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^shown from \d{4}-\d\d-01 to \d{4}-\d\d-\d\d: 2 events, 20 bytes; counted up to position \d+ of .*Z\n/,
    );
    expect(stdout).toMatch(/\nDAY +EVENTS +CHANGE\n/);
    expect(stdout).toMatch(/\n\d{4}-\d\d-\d\d +2 +\+2 +█{30}\n/);
    expect(stdout).toMatch(/\nTOPIC +EVENTS +BYTES\norders +2 +20\n/);
    expect(stdout).toMatch(/\nSTREAM +EVENTS +BYTES\norder 7 +2 +20\n/);
    const json = await cli(
      '--context',
      context,
      '--days',
      '2024-02-28..2024-03-01',
      '--streams',
      '1',
      '--topics',
      '1',
      '--json',
    );
    expect(ndjson(json.stdout)).toMatchObject([{ firstDay: '2024-02-28', days: [{}, { day: '2024-02-29' }, {}] }]);
    expect((await cli('--month', '2024-02')).stdout).toMatch(/from 2024-02-01 to 2024-02-29: 0 events/);
  });

  it('fails for what is no period', async () => {
    expect(await cli('--month', '2024-13')).toMatchObject({ code: 1, stderr: expect.stringContaining('month') });
    expect(await cli('--days', 'yesterday')).toMatchObject({ code: 2, stderr: expect.stringContaining('--days') });
    expect(await cli('--month', '2024-02', '--days', '2024-02-01..2024-02-02')).toMatchObject({ code: 1 });
  });
});
