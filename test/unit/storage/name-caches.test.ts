// What the log's caches forget: never something that was just looked up or added, as a group decides by it.

import { describe, expect, it } from 'vitest';
import type { StreamState } from '../../../src/domain/events/stream.js';
import { HeadCache } from '../../../src/storage/mysql/group/head-cache.js';
import { NameCache } from '../../../src/storage/mysql/names/name-cache.js';

const MANY = 250_000;

describe('the cache of names', () => {
  it('knows what was added or asked for lately, and in time forgets the rest', () => {
    const names = new NameCache();
    names.addStream(1, { context: 'c', name: 'in use' });
    names.addStream(2, { context: 'c', name: 'never used again' });
    for (let id = 3; id < MANY; id += 1) {
      names.addStream(id, { context: 'c', name: `stream ${id}` });
      if (names.streamName(id - 1) === undefined) expect.fail(`${id - 1} is forgotten at once`);
      if (id % 50_000 === 0) expect(names.streamId('c', 'in use')).toBe(1);
    }
    expect(names.streamName(1)).toBe('in use');
    expect(names.streamId('c', 'never used again')).toBeUndefined();
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
