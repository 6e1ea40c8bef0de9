// Two servers on one database: a position that the first has told is good at the second, which shows it a moment later.

import { describe, expect, it } from 'vitest';
import type { Event as EventMessage } from '../../../generated/madeleine/v1/event.js';
import { refusalOf, take } from '../../support/contract/refusals.js';
import { newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';

const suite = useServer();
// Looks so rarely that it has not seen what was pushed a moment ago.
const other = useServerBeside(suite, { pollMs: '400' });

const NAMES = Array.from({ length: 3 }, (_, n) => `t${n}`);

/** Pushes one event of each name at the first server. */
async function push(context: string): Promise<EventMessage[]> {
  const { results } = await suite.client.events.pushEvents({
    events: NAMES.map((topic) => ({ event: newEvent({ context, topic }) })),
  });
  return results.map(({ event }) => event as EventMessage);
}

const positionsOf = (events: readonly EventMessage[]) => events.map(({ position }) => position);

describe('a position that another server has told', () => {
  it('is read on from', async () => {
    for (let round = 0; round < 30; round += 1) {
      const [, , { position: afterPosition }] = (await push('read')) as [EventMessage, EventMessage, EventMessage];
      const frames = await take(other.client.events.readEvents({ context: 'read', afterPosition }), () => false);
      expect(frames.map(({ frame }) => frame?.$case)).toEqual(['caughtUp']);
    }
  });

  it('is peeked on from', async () => {
    const [first, second] = (await push('peek')) as [EventMessage, EventMessage];
    const peeked = await other.client.events.peekEvent({ context: 'peek', afterPosition: first.position });
    expect(peeked.event?.position).toBe(second.position);
  });

  it('bounds a listing', async () => {
    const [first, second, third] = (await push('list')) as [EventMessage, EventMessage, EventMessage];
    const after = { context: 'list', afterPosition: first.position };
    expect(positionsOf((await other.client.events.listEvents({ filter: after })).events)).toContain(second.position);
    const more = await push('list');
    const before = { context: 'list', beforePosition: more[2]?.position };
    const { events } = await other.client.events.listEvents({ filter: before });
    expect(positionsOf(events)).toEqual(positionsOf([first, second, third, ...more.slice(0, 2)]));
  });

  it.each([false, true])('goes on with a listing from page to page, newest first: %s', async (newestFirst) => {
    const context = `pages-${newestFirst}`;
    const pushed = positionsOf(await push(context));
    const request = { filter: { context }, pageSize: 1, newestFirst };
    const first = await suite.client.events.listEvents(request);
    const second = await other.client.events.listEvents({ ...request, pageToken: first.nextPageToken });
    expect(positionsOf([...first.events, ...second.events])).toEqual(
      newestFirst ? pushed.reverse().slice(0, 2) : pushed.slice(0, 2),
    );
  });

  it('is where a consumer starts, and where one is sent', async () => {
    const [, { position: afterPosition }] = (await push('consumers')) as [EventMessage, EventMessage];
    const at = { $case: 'afterPosition', value: afterPosition } as const;
    const key = { context: 'consumers', name: 'beside' };
    const { consumer } = await other.client.consumers.createConsumer({ ...key, start: { at } });
    expect(consumer?.offset).toBe(afterPosition);
    const [, { position }] = (await push('consumers')) as [EventMessage, EventMessage];
    const sent = await other.client.consumers.seekConsumer({ ...key, to: { at: { ...at, value: position } } });
    expect(sent.offset).toBe(position);
  });

  it('is acknowledged, if only as unknown', async () => {
    await other.client.consumers.createConsumer({ context: 'acks', name: 'acks' });
    const [{ position: upTo }] = (await push('acks')) as [EventMessage];
    const request = { context: 'acks', consumer: 'acks', upTo };
    expect((await other.client.consumers.acknowledge(request)).acknowledgedUpTo).toBe(0);
  });
});

describe('a position above the head', () => {
  it('is refused once nobody shows it in time', async () => {
    const { position } = (await push('above')).at(-1) as EventMessage;
    const above = { context: 'above', afterPosition: position + 1_000n };
    const refused = { status: 'FAILED_PRECONDITION', reason: 'POSITION_BEYOND_HEAD' };
    const { events } = other.client;
    expect(await refusalOf(take(events.readEvents(above), () => false))).toMatchObject({
      ...refused,
      fields: ['after_position'],
    });
    expect(await refusalOf(events.peekEvent(above))).toMatchObject({ ...refused, fields: ['after_position'] });
    expect(await refusalOf(events.listEvents({ filter: above }))).toMatchObject({
      ...refused,
      fields: ['filter.after_position'],
    });
  });

  it('is no bound for what comes before it', async () => {
    const [first] = (await push('before')) as [EventMessage];
    for (const beforePosition of [first.position + 1_000n, 2n ** 64n - 1n]) {
      const filter = { context: 'before', beforePosition };
      expect((await suite.client.events.listEvents({ filter })).events).toHaveLength(NAMES.length);
    }
  });
});
