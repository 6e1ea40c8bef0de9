// How many statements a group sends while it holds the head row: each is a round trip that everybody waits for.

import { randomUUID } from 'node:crypto';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../generated/madeleine/v1/event.js';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { useServerBeside } from '../support/server/suite.js';
import { waitUntil } from '../support/wait-until.js';

/** Streams read, insert, streams written, head, COMMIT. */
const AT_MOST = 5;
/** Message ids read. */
const AT_MOST_WITH_IDS = 6;
/** New names are allowed theirs: contexts, topics looked up and inserted. */
const NAMES = 3;

const suite = useProxiedServer();
const other = useServerBeside(suite);

/** Pushes the events as one unit; see `sentUnderLock`. */
function underLock(events: readonly NewEvent[]): Promise<string[]> {
  return sentUnderLock(() => suite.client.events.pushEvents({ events: events.map((event) => ({ event })) }));
}

/** Makes the call and returns what was sent between taking the head row and its release. */
async function sentUnderLock(call: () => Promise<unknown>): Promise<string[]> {
  const from = suite.proxy.statements.length;
  await call();
  const sent = suite.proxy.statements.slice(from).filter(({ group, command }) => group && command !== 'prepare');
  const locked = sent.findIndex(({ text }) => text.includes('FOR UPDATE'));
  const released = sent.findIndex(({ text }, index) => index > locked && /COMMIT|ROLLBACK/.test(text));
  expect(locked).toBeGreaterThanOrEqual(0);
  expect(released).toBeGreaterThan(locked);
  return sent.slice(locked + 1, released + 1).map(({ text }) => text.replace(/\s+/g, ' ').slice(0, 120));
}

/** COMMIT goes out together with the head, in one trip. */
const count = (sent: readonly string[]) => sent.length;
const events = (number: number, changes: (n: number) => Partial<NewEvent>) =>
  Array.from({ length: number }, (_, n) => newEvent(changes(n)));
const onStreams = (n: number) => ({ stream: `stream ${n % 10}` });

describe('a group holds the head row', () => {
  beforeAll(async () => {
    // Names are known, statements are prepared on both connections.
    for (let n = 0; n < 4; n += 1) await underLock(events(50, onStreams));
  });

  it('for few round trips when no stream is named', async () => {
    expect(count(await underLock(events(50, () => ({}))))).toBeLessThanOrEqual(2);
  });

  it('for no more in a topic without descriptions when other topics have them', async () => {
    await suite.client.events.pushEvent({
      event: newEvent({ topic: 'watched', payload: undefined, description: { total: 1 } }),
    });
    expect(count(await underLock(events(50, () => ({}))))).toBeLessThanOrEqual(2);
  });

  it('for two more in a topic that is watched, whatever is awaited', async () => {
    const waits = events(50, (n) => ({ topic: 'watched', payload: undefined, description: { total: n } }));
    await underLock(waits);
    const payload = (n: number) => ({ topic: 'watched', payload: jsonPayload({ total: n }) });
    expect(count(await underLock(events(50, payload)))).toBeLessThanOrEqual(4);
    expect(count(await underLock(events(50, payload)))).toBeLessThanOrEqual(4);
  });

  it('for one more in a topic that is watched, where none of the values is awaited', async () => {
    const payload = (n: number) => ({ topic: 'watched', payload: jsonPayload({ total: 2_000 + n }) });
    await underLock(events(1, payload));
    const sent = await underLock(events(50, payload));
    expect(sent.filter((text) => text.includes('FROM wait'))).toEqual([]);
    expect(count(sent)).toBeLessThanOrEqual(3);
  });

  it('for no more in a topic that is registered without description paths', async () => {
    await suite.client.topics.registerTopic({ name: 'registered' });
    await suite.client.topics.registerTopic({ name: 'identified', settings: { descriptionPaths: ['/total'] } });
    await underLock(events(1, () => ({ topic: 'registered' })));
    expect(count(await underLock(events(50, () => ({ topic: 'registered' }))))).toBeLessThanOrEqual(2);
    expect(count(await underLock(events(50, () => ({}))))).toBeLessThanOrEqual(2);
  });

  it('for two more in a topic with description paths, whether they are watched or not', async () => {
    const identified = (from: number) =>
      events(50, (n) => ({ topic: 'identified', payload: jsonPayload({ total: from + n }) }));
    await underLock(identified(0));
    const sent = await underLock(identified(100));
    expect(count(sent)).toBeLessThanOrEqual(4);
    expect(sent.filter((text) => text.includes('event_identity'))).toHaveLength(2);
    await suite.client.events.pushEvent({
      event: newEvent({ topic: 'identified', payload: undefined, description: { total: 200 } }),
    });
    await underLock(identified(300));
    expect(count(await underLock(identified(400)))).toBeLessThanOrEqual(4);
  });

  it('for two and no insert when events are awaited and found', async () => {
    const waits = () =>
      events(50, (n) => ({ topic: 'watched', payload: undefined, description: { total: n + 1_000 } }));
    expect(count(await underLock(waits()))).toBeLessThanOrEqual(3);
    expect(count(await underLock(waits()))).toBeLessThanOrEqual(3);
  });

  it('for few round trips when the streams are known', async () => {
    expect(count(await underLock(events(50, onStreams)))).toBeLessThanOrEqual(3);
  });

  it('for few round trips when another instance wrote meanwhile', async () => {
    await other.client.events.pushEvent({ event: newEvent({ stream: 'stream 1' }) });
    const sent = await underLock(events(50, onStreams));
    expect(
      sent.filter((text) => text.includes('last_sequence, first_position') && text.startsWith('SELECT')),
    ).toHaveLength(1);
    expect(count(sent)).toBeLessThanOrEqual(AT_MOST);
  });

  it('for few round trips when streams are new', async () => {
    const sent = await underLock(events(50, (n) => ({ stream: `new ${randomUUID()} ${n}` })));
    expect(count(sent)).toBeLessThanOrEqual(AT_MOST);
  });

  it('for a stream that is handed over as for a push to it, and to say from whom it came', async () => {
    const { streams } = suite.client;
    const [stream, warm] = [randomUUID(), randomUUID()];
    await underLock(events(1, () => ({ stream: warm })));
    await streams.transferStream({ stream: warm, owner: 'shop', newOwner: 'web' });
    await underLock(events(1, () => ({ stream })));
    const sent = await sentUnderLock(() => streams.transferStream({ stream, owner: 'shop', newOwner: 'web' }));
    expect(count(sent)).toBeLessThanOrEqual(4);
    const unchanged = await sentUnderLock(() => streams.transferStream({ stream, owner: 'shop', newOwner: 'web' }));
    expect(unchanged).toEqual(['ROLLBACK']);
  });

  it('for the names too when topics are new', async () => {
    const sent = await underLock(events(50, (n) => ({ topic: `new ${randomUUID()} ${n}`, stream: `of new ${n}` })));
    expect(count(sent)).toBeLessThanOrEqual(AT_MOST + NAMES);
  });

  it('for one more at most when clients give message ids, the first time and again', async () => {
    const pushed = events(50, (n) => ({ ...onStreams(n), messageId: randomUUID() }));
    expect(count(await underLock(pushed))).toBeLessThanOrEqual(AT_MOST_WITH_IDS);
    expect(count(await underLock(pushed))).toBeLessThanOrEqual(AT_MOST_WITH_IDS);
  });

  it('for one more at most when some of the pushes are repeated, after another instance wrote', async () => {
    const pushed = events(30, (n) => ({ ...onStreams(n), messageId: randomUUID() }));
    await underLock(pushed);
    await other.client.events.pushEvent({ event: newEvent({ stream: 'stream 2' }) });
    const more = events(20, (n) => ({ ...onStreams(n), messageId: randomUUID() }));
    expect(count(await underLock([...pushed, ...more]))).toBeLessThanOrEqual(AT_MOST_WITH_IDS);
    const { results } = await suite.client.events.pushEvents({ events: more.map((event) => ({ event })) });
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set([Outcome.OUTCOME_DUPLICATE]));
  });
});

describe('a group that lost its lock', () => {
  it('commits nothing, and is run again', async () => {
    const connection = await createConnection(suite.database.adminUrl);
    const stored = async () => (await connection.query<RowDataPacket[]>('SELECT COUNT(*) AS n FROM log'))[0][0]?.['n'];
    const before = await stored();
    // As if somebody else's group had committed while this one inserted.
    await connection.query(
      'CREATE TRIGGER intruder BEFORE INSERT ON log FOR EACH ROW UPDATE log_head SET group_token = group_token + 1',
    );
    suite.proxy.statements.length = 0;
    const pushed = suite.client.events.pushEvent({ event: newEvent() });
    const tries = () => suite.proxy.statements.filter(isCommit).length;
    await waitUntil(() => tries() >= 3, { what: 'the group is run again' });
    expect(await stored()).toBe(before);
    await connection.query('DROP TRIGGER intruder');
    expect((await pushed).outcome).toBe(Outcome.OUTCOME_OCCURRED);
    expect(await stored()).toBe(before + 1);
    await connection.end();
  });
});

describe('what another instance awaits while a group waits for the head row', () => {
  it('is ended by that group', async () => {
    const payload = () => newEvent({ topic: 'watched', payload: jsonPayload({ total: 'late' }) });
    await suite.client.events.pushEvent({ event: newEvent({ topic: 'watched' }) });
    const connection = await createConnection(suite.database.adminUrl);
    const waiting = async () => {
      const [rows] = await connection.query(
        "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE '%FROM log_head%FOR UPDATE%' AND id <> CONNECTION_ID()",
      );
      return (rows as { n: number }[])[0]?.n;
    };
    await connection.query('START TRANSACTION');
    await connection.query('SELECT position FROM log_head WHERE id = 1 FOR UPDATE');
    const description = { total: 'late' };
    const awaited = other.client.events.pushEvent({
      event: newEvent({ topic: 'watched', payload: undefined, description }),
    });
    await waitUntil(async () => (await waiting()) === 1, { what: 'the wait to stand in the queue' });
    const occurred = suite.client.events.pushEvent({ event: payload() });
    await waitUntil(async () => (await waiting()) === 2, { what: 'the event to stand behind it' });
    await connection.query('ROLLBACK');
    await connection.end();
    expect((await awaited).outcome).toBe(Outcome.OUTCOME_AWAITED);
    expect(await occurred).toMatchObject({
      outcome: Outcome.OUTCOME_SATISFIED,
      event: { id: (await awaited).event?.id },
    });
  });
});
