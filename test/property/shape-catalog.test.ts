// The catalogue that is made of a former one and of what has changed is the one that would be loaded, and the one of an instance ends as
// the stored one, whatever the order of its own changes, loads, changes of others, and changes that a database has lost.

import fc, { type Scheduler } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/domain/descriptions/shape.js';
import {
  type CatalogChange,
  type CatalogUpdate,
  type RegisteredTopic,
  ShapeCatalog,
  type WatchedShape,
} from '../../src/domain/group/shape-catalog.js';
import type { ContextSettings } from '../../src/domain/topics/context-settings.js';
import { UNSET_SETTINGS } from '../../src/domain/topics/topic-settings.js';
import { ShapeCatalogCache } from '../../src/engine/group/shape-catalog-cache.js';
import { viewOf } from '../support/events/catalog-view.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

const TOPICS = ['t', 'u'].map((topic) => ({ context: 'default', topic }));
/** More than a topic has places for. */
const PATHS = Array.from({ length: 20 }, (_, n) => [`p${n}`]);
const PAYLOAD = Buffer.from(JSON.stringify(Object.fromEntries(PATHS.map(([key]) => [key, 1]))));

interface Step {
  readonly kind: 'watch' | 'ready' | 'drop' | 'register' | 'update' | 'identified' | 'unregister' | 'context' | 'clear';
  readonly topic: number;
  readonly number: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...([
      'watch',
      'watch',
      'watch',
      'ready',
      'drop',
      'register',
      'update',
      'identified',
      'unregister',
      'context',
      'clear',
    ] as const),
  ),
  topic: fc.nat(TOPICS.length - 1),
  number: fc.nat(PATHS.length - 1),
});

interface Row {
  readonly context: string;
  readonly topic: string;
  readonly shape: WatchedShape;
}

/** The rows that a catalogue is loaded from. */
class Rows {
  version = 1;
  #nextId = 1;
  #shapes: Row[] = [];
  #freed: number[] = [];
  #contexts = new Map<string, ContextSettings>();
  #registered = new Map<string, RegisteredTopic & { context: string; topic: string }>();

  copy(): Rows {
    const copy = new Rows();
    copy.version = this.version;
    copy.#nextId = this.#nextId;
    copy.#shapes = [...this.#shapes];
    copy.#freed = [...this.#freed];
    copy.#registered = new Map(this.#registered);
    copy.#contexts = new Map(this.#contexts);
    return copy;
  }

  load(version = this.version): ShapeCatalog {
    return ShapeCatalog.of(version, this.#shapes, this.#registered.values(), this.#freed, this.#contexts);
  }

  /** What the step changes; undefined: nothing. */
  change({ kind, topic: which, number }: Step): CatalogChange | undefined {
    const name = TOPICS[which] as { context: string; topic: string };
    const wanted = shapeOf([PATHS[number] as string[]]);
    const known = this.#shapes.find(({ topic, shape }) => topic === name.topic && shape.digest.equals(wanted.digest));
    if (kind === 'watch') {
      const progress = { ready: false, watchedAfter: 7 * this.#nextId, builtTo: 0, neededAt: 1_000 - this.#nextId };
      return known ? undefined : { kind: 'watched', ...name, shape: { ...wanted, id: this.#nextId, ...progress } };
    }
    if (kind === 'ready') return known && { kind: 'ready', shapeId: known.shape.id };
    if (kind === 'drop') {
      // One, or all that have a larger id.
      const others = this.#shapes.filter(({ shape }) => number % 3 === 0 && shape.id > (known?.shape.id ?? 0));
      return known && { kind: 'dropped', shapeIds: [known, ...others].map(({ shape }) => shape.id) };
    }
    if (kind === 'context') {
      const unregisteredTopics = [undefined, 'accept' as const, 'discard' as const][number % 3];
      return { kind: 'context', context: name.context, settings: { unregisteredTopics } };
    }
    return kind === 'clear' ? undefined : this.#changeRegistration(kind, name, number);
  }

  #changeRegistration(
    kind: 'register' | 'update' | 'identified' | 'unregister',
    name: { readonly context: string; readonly topic: string },
    number: number,
  ): CatalogChange | undefined {
    const former = this.#registered.get(name.topic);
    const settings = { ...UNSET_SETTINGS, descriptionPaths: number % 2 === 0 ? [] : [`/p${number}`] };
    if (kind === 'register') return former ? undefined : { kind: 'registered', ...name, settings, registeredAt: 1 };
    if (former === undefined) return undefined;
    if (kind === 'unregister') return { kind: 'unregistered', ...name };
    if (kind === 'update') {
      const pending = { buildId: number, inForce: former.settings.descriptionPaths, watchedAfter: number };
      return { kind: 'updated', ...name, former, settings, pending: number % 3 === 0 ? undefined : pending, at: 1 };
    }
    const { descriptionPaths } = former.settings;
    const { pending } = former;
    return pending && { kind: 'identified', ...name, buildId: pending.buildId, descriptionPaths, at: 1 };
  }

  write({ version, change }: CatalogUpdate): void {
    this.version = version;
    if (change.kind === 'watched') {
      this.#shapes.push(change);
      this.#nextId = change.shape.id + 1;
    } else if (change.kind === 'registered' || change.kind === 'updated') {
      this.#registered.set(change.topic, change);
    } else if (change.kind === 'unregistered') {
      this.#registered.delete(change.topic);
    } else if (change.kind === 'identified') {
      const { settings = UNSET_SETTINGS } = this.#registered.get(change.topic) ?? {};
      this.#registered.set(change.topic, { context: change.context, topic: change.topic, settings });
    } else if (change.kind === 'ready') {
      const done = ({ shape }: Row) => ({ ...shape, ready: true, builtTo: shape.watchedAfter });
      this.#shapes = this.#shapes.map((row) => (row.shape.id === change.shapeId ? { ...row, shape: done(row) } : row));
    } else if (change.kind === 'context') {
      if (change.settings.unregisteredTopics === undefined) this.#contexts.delete(change.context);
      else this.#contexts.set(change.context, change.settings);
    } else {
      this.#shapes = this.#shapes.filter(({ shape }) => !change.shapeIds.includes(shape.id));
      this.#freed = [...this.#freed, ...change.shapeIds].sort((a, b) => a - b);
    }
  }

  /** Forgets one that was freed; undefined: there is none. */
  clear(): number | undefined {
    return this.#freed.shift();
  }
}

const view = (catalog: ShapeCatalog) => viewOf(catalog, TOPICS, PAYLOAD);

describe('a catalogue', () => {
  it('with what has changed is the one that is loaded then, and stays itself as it was', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const rows = new Rows();
        let catalog = rows.load();
        for (const one of steps) {
          const former = catalog;
          const before = view(former);
          const change = rows.change(one);
          if (change !== undefined) {
            const update = { version: rows.version + 1, change };
            rows.write(update);
            catalog = catalog.with(update);
          } else if (one.kind === 'clear') {
            catalog = catalog.withoutFreed(rows.clear() ?? 0);
          }
          expect(view(catalog)).toEqual(view(rows.load()));
          expect(view(former)).toEqual(before);
        }
      }),
      propertyParameters(),
    );
  });
});

type Act = { readonly later: number } & (
  | { readonly kind: 'own' | 'other'; readonly step: Step }
  | { readonly kind: 'load' | 'lose' }
);

const later = fc.nat(8);
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('own' as const), step, later }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('other' as const), step, later }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('load' as const), later }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), later }) },
);

/**
 * A database, and an instance on it. It may lose the newest changes of all that nobody was told of; of one that is not durable those that
 * somebody was told of too.
 */
class Scene {
  rows = new Rows();
  /** States that the database may come back with. */
  former: Rows[] = [];
  /** Versions are not used again. */
  #newest = 1;
  loads = 0;
  readonly cache: ShapeCatalogCache;
  readonly #scheduler: Scheduler;
  readonly #isDurable: boolean;

  constructor(scheduler: Scheduler, isDurable = true) {
    this.#scheduler = scheduler;
    this.#isDurable = isDurable;
    this.cache = new ShapeCatalogCache({
      store: { load: () => this.#load() },
      durableReads: { durable: (read) => read() },
    });
  }

  async perform(one: Act): Promise<void> {
    for (let n = 0; n < one.later; n += 1) await this.#after('wait', () => {});
    if (one.kind === 'own') await this.change(one.step);
    else if (one.kind === 'other') this.#commit(one.step);
    else if (one.kind === 'load') await this.cache.reload();
    else this.rows = this.former.pop() ?? this.rows;
  }

  /** Changes the catalogue as a group does: under the lock it has to be the one that the group was planned with. */
  async change(wanted: Step): Promise<void> {
    for (;;) {
      const planned = this.cache.current;
      const isStored = await this.#after('lock', () => planned.version === this.rows.version);
      if (isStored) {
        expect(view(planned)).toEqual(view(this.rows.load()));
        const update = this.#commit(wanted);
        const { rows } = this;
        const isAnswered = await this.#after('answer', () => this.#tell(rows));
        if (update !== undefined && isAnswered) this.cache.committed(planned, update);
        return;
      }
      if (this.cache.current.version === planned.version) await this.cache.reload();
    }
  }

  #commit(wanted: Step): CatalogUpdate | undefined {
    const change = this.rows.change(wanted);
    if (change === undefined) return undefined;
    this.former.push(this.rows.copy());
    this.#newest += 1;
    const update = { version: this.#newest, change };
    this.rows.write(update);
    return update;
  }

  async #load(): Promise<ShapeCatalog> {
    this.loads += 1;
    const { rows } = this;
    const version = await this.#after('version', () => (this.#isDurable ? rows.version : undefined));
    const loaded = await this.#after('rows', () => rows.load(version));
    // What two lives of a database have told is not taken: see DurableReads.
    return (await this.#after('loaded', () => this.#tell(rows))) ? loaded : this.#load();
  }

  /** Whether the database is still in the life in which it had these rows; then it keeps them. */
  #tell(rows: Rows): boolean {
    if (rows === this.rows && this.#isDurable) this.former = [];
    return rows === this.rows;
  }

  #after<T>(label: string, work: () => T): Promise<T> {
    return this.#scheduler.schedule(Promise.resolve(), label).then(work);
  }
}

describe('the catalogue of an instance', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it.each([
    ['keeps what it has told', true],
    ['may lose everything', false],
  ])(
    'on a database that %s is the stored one wherever a group goes on with it, and in the end',
    async (_, isDurable) => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.array(act, { maxLength: 24 }), async (scheduler, acts) => {
          const scene = new Scene(scheduler, isDurable);
          await scheduler.waitFor(Promise.all(acts.map((one) => scene.perform(one))));
          await scheduler.waitFor(scene.change({ kind: 'clear', topic: 0, number: 0 }));
          expect(view(scene.cache.current)).toEqual(view(scene.rows.load()));
        }),
        propertyParameters(500),
      );
    },
  );

  it('is not loaded for what the instance changes by itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(step, { maxLength: 24 }), async (scheduler, steps) => {
        const scene = new Scene(scheduler);
        const changes = async () => {
          for (const one of steps) await scene.change(one);
        };
        await scheduler.waitFor(changes());
        expect(scene.loads).toBeLessThanOrEqual(1);
      }),
      propertyParameters(),
    );
  });
});
