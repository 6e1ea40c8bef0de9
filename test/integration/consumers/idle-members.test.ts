// What members that get nothing cost those that do, counted in work.

import { setMaxListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import type { Event } from '../../../generated/madeleine/v1/event.js';
import { MemberPool } from '../../../src/domain/consumers/member-pool.js';
import { DeliveryMember } from '../../../src/domain/consumers/open-events.js';
import { ConsumerDispatcher } from '../../../src/engine/consumers/consumer-dispatcher.js';
import { Subscription } from '../../../src/engine/consumers/consumer-subscription.js';
import { LogReader } from '../../../src/engine/log/log-reader.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const scene = useScenes(suite);
const IDLE = 300;
const EVENTS = 100;

describe('members that get nothing', () => {
  it('cost nothing where another one of their consumer works', async () => {
    const { subscribe, push, ack } = scene();
    const members = Array.from({ length: IDLE }, (_, n) => subscribe({ member: `idle-${n}` }));
    await Promise.all(members.map((member) => member.opened()));
    // The whole stream goes to the member that has its first event.
    await push(1, { stream: 'busy' });
    await waitUntil(() => members.some(({ deliveries }) => deliveries.length > 0), { what: 'the first delivery' });
    const busy = members.find(({ deliveries }) => deliveries.length > 0);
    const work = [
      vi.spyOn(Subscription.prototype, 'roundDone'),
      vi.spyOn(Subscription.prototype, 'nextWakeAtMs'),
      vi.spyOn(Subscription.prototype, 'hungry', 'get'),
      vi.spyOn(DeliveryMember.prototype, 'canTake'),
      vi.spyOn(MemberPool.prototype, 'all'),
    ];
    for (let n = 0; n < EVENTS; n += 1) {
      await push(1, { stream: 'busy' }, n + 2);
      const deliveries = await busy?.first(n + 2);
      await ack((deliveries ?? []).slice(n, n + 1));
    }
    const counts = Object.fromEntries(work.map((spy) => [spy.getMockName(), spy.mock.calls.length]));
    vi.restoreAllMocks();
    for (const [name, count] of Object.entries(counts)) expect(count, name).toBeLessThan(EVENTS * 20 + 10 * IDLE);
  });

  it('cost nothing where events come that none of their consumers gets', async () => {
    const { subscribe, push, topic } = scene();
    const settings = (n: number) => ({ settings: { filter: { topics: [`${topic}-${n}`] } } as never });
    const members: ReturnType<typeof subscribe>[] = [];
    // Some at a time: each is created, and taken over, by transactions of its own.
    for (let n = 0; n < IDLE; n += 20) {
      const some = Array.from({ length: 20 }, (_, k) =>
        subscribe({ consumer: `${topic}-${n + k}`, ...settings(n + k) }),
      );
      await Promise.all(some.map((member) => member.frame('caughtUp')));
      members.push(...some);
    }
    const kick = vi.spyOn(ConsumerDispatcher.prototype, 'kick');
    for (let n = 0; n < EVENTS; n += 1) await push(1, { topic: 'of nobody' });
    const kicks = kick.mock.calls.length;
    vi.restoreAllMocks();
    expect(kicks).toBeLessThan(IDLE);
    // They pass what does not concern them all the same, and get what does.
    const [position] = await push(1, { topic: `${topic}-7` });
    const [delivery] = (await members[7]?.first(1)) ?? [];
    expect(delivery?.event?.position).toBe(position);
    const { consumer } = await suite.client.consumers.getConsumer({ name: `${topic}-8` });
    expect(consumer).toMatchObject({ lag: 0n, pending: 0n, offset: position });
  });

  it('cost nothing where readers and watchers wait for other topics', async () => {
    const { push, topic } = scene();
    const abort = new AbortController();
    const { signal } = abort;
    setMaxListeners(0, signal);
    const streams = Array.from({ length: IDLE }, (_, n) => {
      const topics = [`${topic}-${n}`];
      const { events } = suite.client;
      const stream: AsyncIterable<{ readonly events: readonly Event[] }> =
        n % 2 === 0
          ? events.readEvents({ topics, follow: true }, { signal })
          : events.watchEvents({ topics }, { signal });
      return stream[Symbol.asyncIterator]();
    });
    await Promise.all(streams.map((stream) => stream.next()));
    const read = vi.spyOn(LogReader.prototype, 'read');
    for (let n = 0; n < EVENTS; n += 1) await push(1, { topic: 'of nobody' });
    const reads = read.mock.calls.length;
    vi.restoreAllMocks();
    expect(reads).toBeLessThan(IDLE);
    for (const n of [4, 5]) {
      const [position] = await push(1, { topic: `${topic}-${n}` });
      const { value } = (await streams[n]?.next()) ?? {};
      expect(value?.events.map((event: Event) => event.position)).toEqual([position]);
    }
    abort.abort();
    await Promise.allSettled(streams.map((stream) => stream.return?.()));
  });
});
