// What the log's caches forget: never something that was just looked up or added, as a group decides by it.

import { describe, expect, it } from 'vitest';
import type { StreamState } from '../../../src/domain/events/stream.js';
import { HeadCache } from '../../../src/storage/mysql/group/head-cache.js';
import { Names } from '../../../src/storage/mysql/names/name-cache.js';

const MANY = 250_000;
const MANY_TOPICS = 60_000;

describe('the cache of names', () => {
  it('knows what was added or asked for lately, and in time forgets the rest', () => {
    const cache = new Names();
    cache.current.addStream(1, { context: 'c', name: 'in use' });
    cache.current.addStream(2, { context: 'c', name: 'never used again' });
    for (let id = 3; id < MANY; id += 1) {
      cache.current.addStream(id, { context: 'c', name: `stream ${id}` });
      if (cache.current.streamName(id - 1) === undefined) expect.fail(`${id - 1} is forgotten at once`);
      if (id % 50_000 === 0) expect(cache.current.streamId('c', 'in use')).toBe(1);
    }
    expect(cache.current.streamName(1)).toBe('in use');
    expect(cache.current.streamId('c', 'never used again')).toBeUndefined();
  });
});

describe('the caches of contexts and topics', () => {
  it('are bounded, whatever names clients make up', () => {
    const cache = new Names();
    for (let id = 1; id < MANY_TOPICS; id += 1) {
      cache.current.addContext(id, `context ${id}`);
      cache.current.addTopic(id, { context: 'c', name: `topic ${id}` });
    }
    expect(cache.size).toBeLessThanOrEqual(60_000);
    expect(cache.current.topicId('c', `topic ${MANY_TOPICS - 1}`)).toBe(MANY_TOPICS - 1);
    expect(cache.current.topicId('c', 'topic 1')).toBeUndefined();
  });

  it('keep for a piece of work what it has asked for, in both directions', () => {
    const cache = new Names({ contexts: 10, topics: 10, streams: 10 });
    const work = cache.current;
    cache.current.addTopic(1, { context: 'c', name: 'first' });
    expect(work.topicId('c', 'first')).toBe(1);
    for (let id = 2; id < 30; id += 1) cache.current.addTopic(id, { context: 'c', name: `topic ${id}` });
    expect(cache.current.topicId('c', 'first')).toBeUndefined();
    expect([work.topicId('c', 'first'), work.topicScope(1)]).toEqual([1, { context: 'c', name: 'first' }]);
  });
});

describe('the cache of streams under the head row', () => {
  const state = (name: string) => ({ context: 'c', name }) as StreamState;

  it('forgets between groups only', () => {
    const cache = new HeadCache();
    cache.keepOnlyFor(1);
    for (let n = 0; n < MANY; n += 1) cache.setStream('c', `stream ${n}`, state(`stream ${n}`));
    expect(cache.stream('c', 'stream 0')).toEqual(state('stream 0'));
    cache.keepOnlyFor(1);
    expect(cache.knows('c', 'stream 0')).toBe(false);
  });

  it('keeps nothing when somebody else has written', () => {
    const cache = new HeadCache();
    cache.keepOnlyFor(1);
    cache.setStream('c', 'known', state('known'));
    cache.setStream('c', 'known not to exist', undefined);
    cache.keepOnlyFor(1);
    expect([cache.knows('c', 'known'), cache.knows('c', 'known not to exist')]).toEqual([true, true]);
    cache.keepOnlyFor(2);
    expect([cache.knows('c', 'known'), cache.knows('c', 'known not to exist')]).toEqual([false, false]);
  });
});
