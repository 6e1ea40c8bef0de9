// Erasures among several instances: nobody shows what is erased once that is answered, also one that stood still meanwhile; and whoever
// is killed in the middle is gone on for.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import type { Event } from '../../generated/madeleine/v1/event.js';
import type { EraseEventsResponse } from '../../generated/madeleine/v1/event_service.js';
import { placesOf } from '../support/database/every-row.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { Cluster, type Instance } from '../support/server/cluster.js';
import { waitUntil } from '../support/wait-until.js';

const MARKER = 'the marker of an erased payload';
const STREAM = 'to erase';

let cluster: Cluster | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

async function read({ client }: Instance): Promise<Event[]> {
  const events: Event[] = [];
  for await (const frame of client.events.readEvents({ topics: ['orders'] })) events.push(...frame.events);
  return events;
}

const erase = ({ client }: Instance) => client.events.eraseEvents({ target: { $case: 'stream', value: STREAM } });

async function push({ client }: Instance, count: number): Promise<void> {
  const said = { topic: 'orders', stream: STREAM, issuer: 'shop', payload: jsonPayload({ who: MARKER }), tag: MARKER };
  for (let n = 0; n < count; n += 500) {
    const events = Array.from({ length: Math.min(500, count - n) }, () => ({ event: newEvent(said) }));
    await client.events.pushEvents({ events });
  }
}

/** Events whose content is still stored. */
async function contentLeft(): Promise<number> {
  const connection = await createConnection(cluster?.database.url ?? '');
  try {
    const sql = "SELECT COUNT(*) AS n FROM events WHERE topic = 'orders' AND payload IS NOT NULL";
    return (await connection.query<RowDataPacket[]>(sql))[0][0]?.n;
  } finally {
    await connection.end();
  }
}

const erasedOf = (events: readonly Event[]) => events.filter(({ erasedAt }) => erasedAt !== undefined).length;

describe('an erasure', () => {
  it('is kept to by an instance that stood still when it was made', async () => {
    cluster = await Cluster.start(2);
    const [one, frozen] = [cluster.at(0), cluster.at(1)];
    await push(one, 10);
    await waitUntil(async () => (await read(frozen)).length === 10, { what: 'the other one has them in memory' });
    frozen.server.signal('SIGSTOP');
    let answer: EraseEventsResponse;
    do {
      answer = await erase(one);
    } while (answer.remaining > 0n);
    expect(erasedOf(await read(one))).toBe(10);
    // Asked before it goes on, so that the call is the first thing that it does.
    const late = read(frozen);
    frozen.server.signal('SIGCONT');
    expect(erasedOf(await late)).toBe(10);
  });

  it('is finished by whoever is left when its instance is killed in the middle', async () => {
    cluster = await Cluster.start(2);
    const [killed, other] = [cluster.at(0), cluster.at(1)];
    await push(killed, 3_000);
    const call = erase(killed).catch(() => undefined);
    await waitUntil(async () => (await contentLeft()) < 2_900, { what: 'it is under way' });
    await killed.server.kill();
    await call;
    expect(await contentLeft()).toBeGreaterThan(0);
    // Decided: nobody shows any of it, though most of it is still stored.
    expect(erasedOf(await read(other))).toBe(3_000);
    await waitUntil(async () => (await contentLeft()) === 0, { what: 'it is finished', timeoutMs: 60_000 });
    await waitUntil(async () => (await erase(other)).remaining === 0n, { what: 'and says so', timeoutMs: 30_000 });
    expect(await placesOf(cluster.database.url, MARKER)).toEqual([]);
  });
});
