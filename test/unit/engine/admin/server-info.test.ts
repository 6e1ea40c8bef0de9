// What is told of the server while its database answers, is silent, fails and is away.

import { describe, expect, it } from 'vitest';
import { instanceName } from '../../../../src/engine/admin/instance-name.js';
import { ServerInfo } from '../../../../src/engine/admin/server-info.js';
import { UpSince } from '../../../../src/engine/admin/up-since.js';
import type { DatabaseFacts, ServerStore } from '../../../../src/storage/ports/server-storage.js';
import { ManualClock } from '../../../support/manual-clock.js';

const FACTS: DatabaseFacts = { engine: 'MariaDB', version: '10.11.14', cluster: '', lossySettings: [] };

function scene(changes: Partial<ServerStore> = {}) {
  const clock = new ManualClock();
  const database = new UpSince(clock);
  const asked = { facts: 0, entries: 0 };
  const store: ServerStore = {
    facts: async () => {
      asked.facts += 1;
      return FACTS;
    },
    instances: async () => [],
    ...changes,
  };
  const source = {
    visible: 7,
    epoch: 5,
    inMemory: () => undefined,
    readAt: async () => {
      asked.entries += 1;
      return [];
    },
  };
  return { clock, database, asked, info: new ServerInfo({ store, source, database, clock }) };
}

const never = () => new Promise<never>(() => {});
const fails = () => Promise.reject(new Error('away'));

describe('what is known of the server', () => {
  it('is asked for once a second, however many ask', async () => {
    const { clock, asked, info } = scene();
    await Promise.all(Array.from({ length: 100 }, () => info.read()));
    expect(asked.facts).toBe(1);
    await clock.advance(999);
    await info.read();
    expect(asked.facts).toBe(1);
    await clock.advance(1);
    const { database } = await info.read();
    expect(asked.facts).toBe(2);
    expect(database).toEqual({ facts: FACTS, instances: [], seenAt: clock.nowMs() * 1_000 });
  });

  it.each([
    ['that is silent', never],
    ['that fails', fails],
  ])('of a database %s is what was known before, after two seconds at most', async (_, answer) => {
    let facts: () => Promise<DatabaseFacts> = async () => FACTS;
    const { clock, info } = scene({ facts: () => facts() });
    const before = await info.read();
    await clock.advance(5_000);
    facts = answer;
    const reading = info.read();
    await clock.advance(2_000);
    expect(await reading).toEqual(before);
  });

  it('of a database that never answered is nothing, and the head without its time', async () => {
    const { clock, info } = scene({ facts: never });
    const reading = info.read();
    await clock.advance(2_000);
    expect(await reading).toEqual({ database: undefined, head: { epoch: 5, position: 7, createdAt: undefined } });
  });

  it('is told at once while the database is known to be away', async () => {
    let facts = 0;
    const { asked, database, info } = scene({
      facts: () => {
        facts += 1;
        return never();
      },
    });
    database.set(false);
    for (let n = 0; n < 100; n += 1) expect((await info.read()).head.position).toBe(7);
    // However many ask, they leave behind no more than one read that waits for the database.
    expect([facts, asked.entries]).toEqual([1, 0]);
  });
});

describe('since when something is up', () => {
  it('is when it changed last', async () => {
    const clock = new ManualClock();
    const up = new UpSince(clock);
    const times = [up.since];
    for (const isUp of [true, false, false, true]) {
      await clock.advance(10);
      up.set(isUp);
      times.push(up.since);
    }
    expect(times.map((time) => (time - (times[0] ?? 0)) / 1_000)).toEqual([0, 0, 20, 20, 40]);
    expect(up.isUp).toBe(true);
  });
});

describe('the name of an instance', () => {
  it('and the number of its start are in the id of its run', () => {
    const name = '0193f0a4-5b5c-7d1e-8f3a-0123456789ab';
    expect(instanceName(`${name}:000000000012`)).toEqual({ name, startNumber: 12 });
    expect(instanceName(name)).toEqual({ name, startNumber: 0 });
    expect(instanceName('a:b')).toEqual({ name: 'a:b', startNumber: 0 });
  });
});
