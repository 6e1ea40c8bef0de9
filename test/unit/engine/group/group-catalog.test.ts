// Groups and the catalogue: counted in loads, each of which costs as much as there are shapes and holds up every group.

import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../../../src/domain/descriptions/shape.js';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import type { GroupUnit } from '../../../../src/domain/group/group-plan-types.js';
import { type CatalogUpdate, ShapeCatalog, type WatchedShape } from '../../../../src/domain/group/shape-catalog.js';
import { GroupCommit } from '../../../../src/engine/group/group-commit.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';
import type { LogTail } from '../../../../src/engine/log/log-tail.js';
import { Callers } from '../../../../src/lib/callers.js';
import { systemClock } from '../../../../src/lib/clock.js';
import { type GroupCommitter, GroupFailure, type GroupRun } from '../../../../src/storage/ports/log-storage.js';
import { Metrics } from '../../../../src/telemetry.js';

const turn = () => new Promise<void>((done) => setImmediate(done));
const topicOf = (n: number) => ({ context: 'default', topic: `topic ${n}` });
const SHAPE = shapeOf([['a']]);
const watch = (n: number): GroupUnit => ({ kind: 'watch', ...topicOf(n), shape: SHAPE, neededAt: 1 });

/** What is stored. One group at a time has the head row. */
class FakeDatabase {
  version = 1;
  position = 0;
  readonly shapes: { context: string; topic: string; shape: WatchedShape }[] = [];
  loads = 0;
  stale = 0;
  /** COMMITs that are not answered. */
  unanswered = 0;
  #held: Promise<void> = Promise.resolve();

  async load(): Promise<ShapeCatalog> {
    this.loads += 1;
    await turn();
    return ShapeCatalog.of(this.version, this.shapes);
  }

  write({ version, change }: CatalogUpdate): void {
    this.version = version;
    if (change.kind === 'watched') this.shapes.push(change);
  }

  async lock<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#held;
    let release = () => {};
    this.#held = new Promise((done) => {
      release = done;
    });
    await before;
    return work().finally(release);
  }
}

class FakeCommitter implements GroupCommitter {
  readonly #database: FakeDatabase;

  constructor(database: FakeDatabase) {
    this.#database = database;
  }

  async run(group: GroupRun): Promise<readonly []> {
    const database = this.#database;
    await database.lock(() => this.#commit(group));
    // The next one has the lock before COMMIT is answered.
    await turn();
    await turn();
    if (database.unanswered > 0) {
      database.unanswered -= 1;
      throw new GroupFailure('unknown', 'no answer');
    }
    return [];
  }

  async close(): Promise<void> {}

  async #commit(group: GroupRun): Promise<void> {
    const database = this.#database;
    group.onLocked();
    await turn();
    if (group.catalogVersion !== database.version) {
      database.stale += 1;
      throw new GroupFailure('stale', 'newer');
    }
    const { position, shapes, version } = database;
    const writes = group.decide({
      head: { position, nextEventId: 1 + position, createdAt: position, nextShapeId: shapes.length + 1 },
      now: version,
      streams: new Map(),
      pushed: new Map(),
      waits: undefined,
    });
    database.position = writes.head.position;
    if (writes.waits?.catalog !== undefined) database.write(writes.waits.catalog);
  }
}

class Scene {
  readonly database = new FakeDatabase();
  readonly catalog = new ShapeCatalogCache({
    store: { load: () => this.database.load() },
    durableReads: { durable: (read) => read() },
  });
  readonly commit = new GroupCommit({
    committers: [new FakeCommitter(this.database), new FakeCommitter(this.database)],
    tail: { publish: () => {}, visible: 0 } as unknown as LogTail,
    catalog: this.catalog,
    callers: new Callers(systemClock),
    clock: systemClock,
    random: Math.random,
    maxGroupBytes: 6 * 1024 * 1024,
    maxQueuedEvents: 20_000,
    maxQueuedBytes: 64 * 1024 * 1024,
    metrics: new Metrics(),
    logger: pino({ level: 'silent' }),
  });
  #pushed = 0;

  /** A scene whose catalogue is loaded. */
  static async begin(): Promise<Scene> {
    const scene = new Scene();
    await scene.catalog.reload();
    scene.database.loads = 0;
    return scene;
  }

  push(): Promise<unknown> {
    this.#pushed += 1;
    const payload = { contentType: '', bytes: Buffer.from('{"a":1}') };
    const envelope = { ...BLANK_ENVELOPE, ...topicOf(this.#pushed), issuer: 'i', messageId: '' };
    const draft = { ...envelope, payload, description: undefined };
    const push = { draft, expectedSequence: undefined, messageId: `m${this.#pushed}`, digest: undefined };
    return this.commit.submit({ kind: 'push', pushes: [push], atomic: true }, undefined, `caller ${this.#pushed % 3}`);
  }
}

describe('the catalogue that this instance changes', () => {
  it('is not loaded, and no group is planned in vain, whoever pushes meanwhile', async () => {
    const scene = await Scene.begin();
    const changes = Array.from({ length: 50 }, (_, n) => scene.commit.submit(watch(n)));
    const pushes: Promise<unknown>[] = [];
    for (let n = 0; n < 200; n += 1) {
      pushes.push(scene.push());
      if (n % 3 === 0) await turn();
    }
    await Promise.all([...changes, ...pushes]);
    expect(scene.database).toMatchObject({ loads: 0, stale: 0, position: 200 });
    expect(scene.catalog.current.version).toBe(scene.database.version);
  });

  it('is known as it is before its caller is told', async () => {
    const scene = await Scene.begin();
    for (let n = 0; n < 3; n += 1) {
      expect(await scene.commit.submit(watch(n))).toEqual({ kind: 'watching', created: true });
      expect(scene.catalog.current.of('default', `topic ${n}`)?.shapes).toMatchObject([{ id: n + 1, ready: false }]);
    }
    expect(await scene.commit.submit(watch(1))).toEqual({ kind: 'watching', created: false });
  });

  it('is loaded where COMMIT was not answered', async () => {
    const scene = await Scene.begin();
    scene.database.unanswered = 1;
    expect(await scene.commit.submit(watch(0))).toEqual({ kind: 'watching', created: false });
    expect(scene.database).toMatchObject({ loads: 1, stale: 1 });
    expect(scene.database.shapes).toHaveLength(1);
  });
});

describe('the catalogue that another instance changes', () => {
  it('is loaded once for all groups that meet it', async () => {
    const scene = await Scene.begin();
    const pushes = Array.from({ length: 3 }, () => scene.push());
    const shape = { ...SHAPE, id: 1, ready: true, watchedAfter: 0, builtTo: 0, neededAt: 1 };
    scene.database.write({ version: 9, change: { kind: 'watched', ...topicOf(7), shape } });
    await turn();
    pushes.push(scene.push());
    await Promise.all(pushes);
    expect(scene.database.loads).toBe(1);
    expect(scene.catalog.current.byId(1)?.ready).toBe(true);
  });

  it('is not loaded where that was done since the group was planned', async () => {
    const scene = await Scene.begin();
    let release = () => {};
    const held = scene.database.lock(
      () =>
        new Promise<void>((done) => {
          release = done;
        }),
    );
    const push = scene.push();
    await turn();
    scene.database.version = 9;
    await scene.catalog.reload();
    release();
    await Promise.all([held, push]);
    expect(scene.database).toMatchObject({ loads: 1, stale: 1 });
  });
});
