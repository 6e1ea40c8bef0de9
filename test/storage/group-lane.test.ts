// How many statements a group sends while it holds the head row (rule 6): each is a round trip that everybody waits for.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../generated/madeleine/v1/event.js';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { newEvent } from '../support/builders.js';
import { useProxiedServer } from '../support/proxied.js';
import { startServer, TestClient, type TestServer } from '../support/server.js';

/** Streams read, insert, streams written, head, COMMIT. */
const AT_MOST = 5;
/** Message ids read. */
const AT_MOST_WITH_IDS = 6;
/** New names are allowed theirs: contexts, topics looked up and inserted. */
const NAMES = 3;

const suite = useProxiedServer();
let other: TestServer;
let otherClient: TestClient;

beforeAll(async () => {
  other = await startServer({ databaseUrl: suite.database.url });
  otherClient = new TestClient(other.address);
});
afterAll(async () => {
  otherClient.close();
  await other.stop();
});

/** Pushes the events as one unit and returns what was sent between taking the head row and its release. */
async function underLock(events: readonly NewEvent[]): Promise<string[]> {
  const from = suite.proxy.statements.length;
  await suite.client.events.pushEvents({ events: events.map((event) => ({ event })) });
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

  it('for few round trips when the streams are known', async () => {
    expect(count(await underLock(events(50, onStreams)))).toBeLessThanOrEqual(3);
  });

  it('for few round trips when another instance wrote meanwhile', async () => {
    await otherClient.events.pushEvent({ event: newEvent({ stream: 'stream 1' }) });
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
    await otherClient.events.pushEvent({ event: newEvent({ stream: 'stream 2' }) });
    const more = events(20, (n) => ({ ...onStreams(n), messageId: randomUUID() }));
    expect(count(await underLock([...pushed, ...more]))).toBeLessThanOrEqual(AT_MOST_WITH_IDS);
    const { results } = await suite.client.events.pushEvents({ events: more.map((event) => ({ event })) });
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set([Outcome.OUTCOME_DUPLICATE]));
  });
});
