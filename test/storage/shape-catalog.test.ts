// The catalogue that a group makes of the one it was planned with is what the rows say that it has written, for each kind of change; and a
// server loads it for none that it has made itself.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/domain/descriptions/shape.js';
import { planGroup } from '../../src/domain/group/group-plan.js';
import { needsOf } from '../../src/domain/group/group-plan-needs.js';
import type { CatalogUnit, GroupPlan } from '../../src/domain/group/group-plan-types.js';
import type { ShapeCatalog } from '../../src/domain/group/shape-catalog.js';
import { UNSET_SETTINGS } from '../../src/domain/topics/topic-settings.js';
import { MysqlGroupCommitter } from '../../src/storage/mysql/group/group-committer.js';
import { HeadCache } from '../../src/storage/mysql/group/head-cache.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { Database } from '../../src/storage/mysql/sql/database.js';
import { migrate } from '../../src/storage/mysql/sql/schema.js';
import { MysqlShapeStore } from '../../src/storage/mysql/waits/shape-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database/database.js';
import { useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { viewOf } from '../support/events/catalog-view.js';

const CONTEXT = 'default';
const TOPICS = ['orders', 'bills'].map((topic) => ({ context: CONTEXT, topic }));
const PAYLOAD = Buffer.from('{"a":1,"b":2,"id":3}');
const view = (catalog: ShapeCatalog) => viewOf(catalog, TOPICS, PAYLOAD);

describe('the catalogue after a group is the stored one', () => {
  let test: TestDatabase;
  let database: Database;
  let store: MysqlShapeStore;
  let committer: MysqlGroupCommitter;
  let catalog: ShapeCatalog;

  beforeAll(async () => {
    test = await createTestDatabase();
    database = new Database({ url: test.url, poolSize: 2, random: Math.random });
    await migrate(database);
    const names = new Names();
    store = new MysqlShapeStore({ database, names });
    const instance = { id: 'this', address: 'here' };
    committer = new MysqlGroupCommitter({ url: test.url, names, headCache: new HeadCache(), instance });
    catalog = await store.load();
  });
  afterAll(async () => {
    await committer.close();
    await database.close();
    await test.drop();
  });

  async function commit(unit: CatalogUnit): Promise<GroupPlan> {
    let plan: GroupPlan | undefined;
    await committer.run({
      needs: needsOf([unit], false),
      catalogVersion: catalog.version,
      token: Math.floor(Math.random() * 2 ** 52) + 1,
      onLocked() {},
      mayProceed: () => true,
      decide: (locked) => {
        plan = planGroup(locked, [unit], catalog);
        return plan.writes;
      },
      needsBarrier: () => false,
    });
    return plan as GroupPlan;
  }

  const watch = (topic: string, key: string, neededAt = 1_000): CatalogUnit => {
    return { kind: 'watch', context: CONTEXT, topic, shape: shapeOf([[key]]), neededAt };
  };
  const register = (topic: string, descriptionPaths: readonly string[]): CatalogUnit => {
    return { kind: 'register', context: CONTEXT, topic, settings: { ...UNSET_SETTINGS, descriptionPaths } };
  };

  const settings = (descriptionPaths: readonly string[]) => ({ ...UNSET_SETTINGS, descriptionPaths });
  const update = (topic: string, before: readonly string[], after: readonly string[]): CatalogUnit => {
    return { kind: 'update', context: CONTEXT, topic, expected: settings(before), settings: settings(after) };
  };
  const unregister = (topic: string, before: readonly string[]): CatalogUnit => {
    return { kind: 'unregister', context: CONTEXT, topic, expected: settings(before) };
  };
  const identified = (): CatalogUnit => {
    const buildId = catalog.registeredAs(CONTEXT, 'orders')?.pending?.buildId ?? 0;
    return { kind: 'identified', context: CONTEXT, topic: 'orders', buildId };
  };

  it.each<[string, CatalogUnit | (() => CatalogUnit)]>([
    ['a shape of a new topic is watched', watch('orders', 'a')],
    ['another one is', watch('orders', 'b', 500)],
    ['its index is ready', { kind: 'ready', shapeId: 2 }],
    ['a topic is registered without paths', register('bills', [])],
    ['one is with the paths of no shape', register('orders', ['/id'])],
    ['the shape with these paths is watched', watch('orders', 'id')],
    ['a shape of a registered topic is watched', watch('bills', 'a')],
    ['shapes are dropped', { kind: 'drop', shapeIds: [4, 1], unusedSince: 2_000 }],
    ['the last one besides its own is', { kind: 'drop', shapeIds: [2], unusedSince: 2_000 }],
    ['identities are to be built by other paths', update('orders', ['/id'], ['/state'])],
    ['they are to be by others again', update('orders', ['/state'], ['/total'])],
    ['these are built', identified],
    ['identities are to be built once more', update('orders', ['/total'], ['/id', '/total'])],
    ['they are not, as the former paths are given again', update('orders', ['/id', '/total'], ['/total'])],
    ['there are to be none', update('orders', ['/total'], [])],
    ['there are to be some', update('orders', [], ['/state'])],
    ['the topic is unregistered meanwhile', unregister('orders', ['/state'])],
    ['one without paths is', unregister('bills', [])],
    ['one is registered again', register('bills', ['/id'])],
  ])('when %s', async (_, given) => {
    const { writes } = await commit(typeof given === 'function' ? given() : given);
    const before = view(catalog);
    const former = catalog;
    catalog = catalog.with(writes.waits?.catalog ?? { version: 0, change: { kind: 'dropped', shapeIds: [] } });
    expect(view(catalog)).toEqual(view(await store.load()));
    expect(view(former)).toEqual(before);
    expect(catalog.version).toBeGreaterThan(former.version);
  });

  it('when nothing changes', async () => {
    const others: CatalogUnit[] = [
      register('bills', ['/id']),
      { ...register('refunds', []), dryRun: true } as CatalogUnit,
      update('bills', ['/id'], ['/id']),
      { ...update('bills', ['/id'], ['/a']), dryRun: true } as CatalogUnit,
      // What the caller saw is not so any more, or never was.
      update('bills', [], ['/a']),
      update('refunds', [], ['/a']),
      unregister('bills', []),
      unregister('refunds', []),
      { kind: 'identified', context: CONTEXT, topic: 'bills', buildId: 7 },
    ];
    for (const unit of [watch('orders', 'id'), ...others, { kind: 'ready', shapeId: 99 } as const]) {
      expect((await commit(unit)).writes.waits).toBeUndefined();
    }
    expect(view(catalog)).toEqual(view(await store.load()));
  });

  it('when nothing is left of a shape', async () => {
    const [freed] = catalog.freed;
    expect(await store.clear(freed ?? 0, 10)).toBe(true);
    catalog = catalog.withoutFreed(freed ?? 0);
    expect(view(catalog)).toEqual(view(await store.load()));
  });
});

describe('a server', () => {
  const suite = useProxiedServer();

  it('makes and drops shapes, and registers topics, without loading the catalogue', async () => {
    const { client, proxy } = suite;
    const loads = () =>
      proxy.statements.filter(
        ({ command, text }) => command === 'execute' && text.startsWith('SELECT id FROM freed_shape'),
      );
    expect(loads()).toHaveLength(1);
    const look = (topic: string, description: object) =>
      client.events.pushEvent({ event: newEvent({ topic, payload: undefined, description }) });
    const shapes = Array.from({ length: 20 }, (_, n) => look(`topic ${n}`, { n }));
    const pushes = Array.from({ length: 50 }, (_, n) =>
      client.events.pushEvent({ event: newEvent({ topic: `topic ${n % 20}`, payload: jsonPayload({ n: n % 20 }) }) }),
    );
    const topics = Array.from({ length: 5 }, (_, n) =>
      client.topics.registerTopic({ name: `topic ${n}`, settings: { descriptionPaths: ['/n'] } }),
    );
    await Promise.all([...shapes, ...pushes, ...topics]);
    const { shapes: made } = await client.topics.listShapes({ context: 'all' });
    expect(made).toHaveLength(20);
    for (const { id, freeAt, awaitedUntil } of made) {
      if (freeAt !== undefined && awaitedUntil === undefined) await client.topics.dropShape({ id });
    }
    await look('topic 19', { more: 1 });
    expect(loads()).toHaveLength(1);
  });
});
