// What GetTopic and ListTopics tell of what is stored: counted up to a place that they name, and the ends of the topic as they are now.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { StoredEvents } from '../../../generated/madeleine/v1/topic_service.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';
import { runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const other = useServerBeside(suite);

const newTopic = () => `topic ${randomUUID()}`;
const event = (topic: string, bytes: number, rest = {}) =>
  newEvent({ topic, payload: bytesPayload('x'.repeat(bytes), 'text/plain'), ...rest });

/** What is stored of the topic once everything up to the position is counted. */
function countedTo(name: string, position: bigint, client = suite.client, context = ''): Promise<StoredEvents> {
  const counted = async () => {
    const { topic } = await client.topics.getTopic({ name, context });
    const stored = topic?.stored;
    return stored !== undefined && stored.asOfPosition >= position ? stored : undefined;
  };
  return waitUntil(counted, { what: `everything is counted up to ${position}`, timeoutMs: 20_000 });
}

describe('what is stored of a topic', () => {
  it('is counted, and told with its ends, by every instance', async () => {
    const topic = newTopic();
    const { results } = await suite.client.events.pushEvents({
      events: Array.from({ length: 30 }, (_, n) => ({ event: event(topic, n + 1) })),
    });
    const [first, last] = [results[0]?.event, results.at(-1)?.event];
    await suite.client.events.pushEvent({ event: event(newTopic(), 5) });
    const position = last?.position ?? 0n;
    for (const client of [suite.client, other.client]) {
      const stored = await countedTo(topic, position, client);
      expect(stored).toMatchObject({
        ...{ events: 30n, bytes: 465n, oldestPosition: first?.position, newestPosition: position },
        ...{ oldestAt: first?.createdAt, newestAt: last?.createdAt },
      });
      expect(stored.asOf).toBeDefined();
      expect(stored.eventsPerSecond).toBeCloseTo(30 / 60, 5);
      const { topics } = await client.topics.listTopics({ namePrefix: topic });
      expect(topics[0]?.stored).toMatchObject({ events: 30n, bytes: 465n, newestPosition: position });
    }
    // What was withdrawn is still stored, and so is what says so.
    await suite.client.events.invalidateEvent({ id: first?.id ?? 0n });
    const { topic: after } = await suite.client.topics.getTopic({ name: topic });
    expect(after?.stored).toMatchObject({ events: 30n, oldestPosition: first?.position });
    expect(after?.stored?.newestPosition).toBeGreaterThan(position);
  });

  it('is nothing where nothing occurred', async () => {
    const name = newTopic();
    const { topic } = await suite.client.topics.registerTopic({ name });
    expect(topic?.stored).toMatchObject({
      events: 0n,
      bytes: 0n,
      oldestPosition: 0n,
      newestPosition: 0n,
      eventsPerSecond: 0,
    });
    expect(topic?.stored?.oldestAt).toBeUndefined();
    const tried = await suite.client.topics.registerTopic({ name: newTopic(), dryRun: true });
    expect(tried.topic?.stored).toBeUndefined();
    const awaited = newTopic();
    await suite.client.events.pushEvent({
      event: newEvent({ topic: awaited, payload: undefined, description: { a: 1 } }),
    });
    expect((await suite.client.topics.getTopic({ name: awaited })).topic?.stored).toMatchObject({ newestPosition: 0n });
    const used = await suite.client.topics.registerTopic({ name: awaited, dryRun: true });
    expect(used).toMatchObject({ created: true, topic: { registered: true, stored: { events: 0n } } });
  });

  it('tells a rate of the newest hundred where these are younger than a minute', async () => {
    const topic = newTopic();
    const events = Array.from({ length: 1_000 }, () => ({ event: event(topic, 1) }));
    await suite.client.events.pushEvents({ events });
    const { topic: told } = await suite.client.topics.getTopic({ name: topic });
    expect(told?.stored?.eventsPerSecond).toBeGreaterThan(1_000 / 60);
    expect(Number.isFinite(told?.stored?.eventsPerSecond)).toBe(true);
  });

  it('comes with more topics than one statement asks for', async () => {
    const context = `context ${randomUUID()}`;
    const names = Array.from({ length: 120 }, (_, n) => `t${String(n).padStart(3, '0')}`);
    const events = names.flatMap((topic, n) =>
      Array.from({ length: (n % 3) + 1 }, () => ({ event: event(topic, n, { context }) })),
    );
    const { results } = await suite.client.events.pushEvents({ events });
    await countedTo('t000', results.at(-1)?.event?.position ?? 0n, suite.client, context);
    const { topics } = await suite.client.topics.listTopics({ context, pageSize: 1_000 });
    expect(topics.map(({ name }) => name)).toEqual(names);
    for (const [n, { stored }] of topics.entries()) {
      const count = (n % 3) + 1;
      expect(stored).toMatchObject({ events: BigInt(count), bytes: BigInt(count * n) });
    }
  });

  it('is shown on the command line', async () => {
    const topic = newTopic();
    const { event: stored } = await suite.client.events.pushEvent({ event: event(topic, 7) });
    await countedTo(topic, stored?.position ?? 0n);
    const cli = (...argv: string[]) => runToEnd(['topics', ...argv], { server: suite.server.address });
    expect((await cli('get', topic)).stdout).toMatch(
      /EVENTS +1\nBYTES +7\nCOUNTED TO +position \d+, \S+\nOLDEST +position \d+, \S+\nNEWEST +position \d+, \S+\nRATE +0\.017\/s\n$/,
    );
    expect((await cli('list', '--prefix', topic)).stdout).toMatch(/\n\S+ +topic \S+ +1 +7 +0\.017\/s +\S+Z\n$/);
  });
});
