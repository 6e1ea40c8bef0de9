// Callers who are gone before the server comes to them: nobody loses his place to them, nor an event.

import { afterEach, expect, it } from 'vitest';
import { ConsumerSettings, SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { ALL_CONTEXTS } from '../../../src/domain/names.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { useProxiedServer } from '../../support/database/proxied.js';
import { waitUntil } from '../../support/wait-until.js';

const STREAM = 'orders';

const logged: string[] = [];
const suite = useProxiedServer({}, { logged });
const scene = useScenes(suite);
afterEach(() => logged.splice(0));

/** Holds up the look for the streams that the next call with must_exist names: in every context they are looked for anew. */
function holdUp() {
  return suite.proxy.inject({
    harm: { kind: 'delay', ms: 500 },
    when: ({ command, text }) => command !== 'prepare' && /JOIN stream\b/.test(text),
  });
}

/** Resolves once the server has ended so many calls of the method. */
async function ended(method: string, calls = 1): Promise<void> {
  const isEnd = (line: string) => line.includes(`/${method}"`) && line.includes('"msg":"call"');
  await waitUntil(() => logged.filter(isEnd).length >= calls, { what: `${calls} calls of ${method} have ended` });
}

const byStream = (settings: ConsumerSettings) =>
  ConsumerSettings.fromPartial({ ...settings, filter: { ...settings.filter, streams: [STREAM] } });

it('a subscriber who is gone replaces no member of its name', async () => {
  const test = scene();
  await test.push(1, { stream: STREAM });
  const call = { context: ALL_CONTEXTS, member: 'one', settings: byStream(test.settings) };
  const member = test.subscribe(call);
  const [delivery] = await member.first(1);
  const held = holdUp();
  const gone = new AbortController();
  const request = SubscribeRequest.fromPartial({ ...call, consumer: test.consumer, mustExist: true });
  const frames = suite.client.consumers.subscribe(request, { signal: gone.signal });
  const first = frames[Symbol.asyncIterator]()
    .next()
    .catch((error: unknown) => error);
  await waitUntil(() => held.hits === 1, { what: 'the second one waits' });
  gone.abort();
  await first;
  await ended('Subscribe');
  await test.push(1, { stream: STREAM }, 2);
  const both = await member.first(2);
  expect(both.map(({ attempt, lease }) => ({ attempt, isFirst: lease === delivery?.lease }))).toEqual([
    { attempt: 1, isFirst: true },
    { attempt: 1, isFirst: false },
  ]);
});

it('a caller of Fetch who is gone is leased nothing', async () => {
  const test = scene();
  await test.push(1, { stream: STREAM });
  const { consumers } = suite.client;
  const key = { context: ALL_CONTEXTS, consumer: test.consumer };
  const call = { ...key, settings: byStream(test.settings), limit: 1 };
  await consumers.fetch({ ...call, member: 'one' });
  await test.push(1, { stream: STREAM }, 2);
  const held = holdUp();
  const gone = new AbortController();
  const request = { ...call, member: 'two', mustExist: true };
  const fetched = consumers.fetch(request, { signal: gone.signal }).catch((error: unknown) => error);
  await waitUntil(() => held.hits === 1, { what: 'the second one waits' });
  gone.abort();
  await fetched;
  await ended('Fetch', 2);
  const { consumer } = await consumers.getConsumer({ context: ALL_CONTEXTS, name: test.consumer });
  expect(consumer?.members.map(({ name }) => name)).toEqual(['one']);
});
