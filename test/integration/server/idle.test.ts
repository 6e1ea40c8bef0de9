// A server with nothing to do asks its database for little besides the look of its tail, whatever is awaited.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import { SystemClock } from '../../../src/lib/clock.js';
import { CAWIN_SETTINGS, callbackTo, created } from '../../support/cawins/cawin-scene.js';
import type { Statement } from '../../support/database/faulty-proxy.js';
import { useProxiedServer } from '../../support/database/proxied.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { startServer, TestClient } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useProxiedServer({ ...CAWIN_SETTINGS, pollMs: '10000' });
const SECONDS = 4;
const A_SECOND = 5;

/** What this server alone sends: other files use the same database server. A count by time, so time has to pass. */
async function statements(): Promise<string[]> {
  suite.proxy.statements.length = 0;
  await sleep(SECONDS * 1_000);
  return suite.proxy.statements.filter(({ command }) => command !== 'prepare').map(({ text }) => text.trim());
}

/** How statements begin that a server sends once, when it has started. */
const ONCE = [
  'SELECT id, address',
  'DELETE FROM push_ledger',
  'UPDATE firing_cursor SET owner',
  'UPDATE count_cursor SET owner',
];

/** Resolves when a server that has started has sent all these. */
async function settled(): Promise<void> {
  const isSent = (beginning: string) =>
    suite.proxy.statements.some(({ command, text }) => command !== 'prepare' && text.trim().startsWith(beginning));
  await waitUntil(() => ONCE.every(isSent), { what: 'the server has begun all its work' });
}

class AheadClock extends SystemClock {
  override nowMs(): number {
    return super.nowMs() + 3_600_000;
  }
}

describe('an idle server', () => {
  it('sends few statements', async () => {
    await settled();
    const sent = await statements();
    expect(sent.length, sent.join('\n')).toBeGreaterThan(0);
    expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(SECONDS * A_SECOND);
  });

  it('sends no more when much is awaited, and when cawins have deadlines', async () => {
    suite.proxy.statements.length = 0;
    for (let n = 0; n < 50; n += 1) {
      const event = newEvent({ topic: 'idle', payload: undefined, description: { n } });
      const request = { event, waitTimeout: { seconds: BigInt(600 + n), nanos: 0 } };
      const { event: stored } = await suite.client.events.pushEvent(
        PushEventRequest.fromPartial(request as PushEventRequest),
      );
      const expiresAt = { seconds: BigInt(Math.floor(Date.now() / 1000) + 300), nanos: 0 };
      await created(suite.client, {
        eventId: stored?.id ?? 0n,
        expiresAt,
        callback: callbackTo('http://127.0.0.1:9/'),
      });
    }
    // New shapes are in the catalogue: what topics keep is read once more.
    const isReading = ({ command, text }: Statement) => command !== 'prepare' && text.includes('r.settings LIKE');
    await waitUntil(() => suite.proxy.statements.some(isReading), { what: 'the topics are read' });
    const sent = await statements();
    expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(SECONDS * A_SECOND);
  });

  it('asks a few times, however many wait for one event by a stream', async () => {
    const client = new TestClient(suite.server.address);
    const event = newEvent({ topic: 'streamed', payload: undefined, description: { n: 1 } });
    const eventId = (await client.events.pushEvent({ event })).event?.id ?? 0n;
    const frames = Array.from({ length: 300 }, () => client.cawins.waitForEvent({ eventId })[Symbol.asyncIterator]());
    for (const each of frames) expect((await each.next()).value?.ended).toBe(false);
    suite.proxy.statements.length = 0;
    await client.events.pushEvent({ event: newEvent({ topic: 'streamed', payload: jsonPayload({ n: 1 }) }) });
    for (const each of frames) expect((await each.next()).value?.event?.status).toBe(EventStatus.EVENT_STATUS_OCCURRED);
    expect(suite.proxy.statements.length).toBeLessThan(60);
    for (const each of frames) await each.next();
    client.close();
  });

  it('whose clock is ahead of the database by an hour waits for what that says', async () => {
    const clock = new AheadClock();
    suite.proxy.statements.length = 0;
    const ahead = await startServer({ databaseUrl: suite.proxy.url, ...CAWIN_SETTINGS, pollMs: '10000' }, { clock });
    try {
      await settled();
      const sent = await statements();
      // Two servers.
      expect(sent.length, sent.join('\n')).toBeLessThanOrEqual(2 * SECONDS * A_SECOND);
      const { events } = await suite.client.events.listEvents({
        filter: { topics: ['idle'], statuses: [EventStatus.EVENT_STATUS_EXPIRED] },
      });
      expect(events).toEqual([]);
    } finally {
      await ahead.stop();
    }
  });
});
