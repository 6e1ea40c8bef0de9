import { describe, expect, it } from 'vitest';
import { shapeOf } from '../../../../src/domain/descriptions/shape.js';
import { type CatalogUpdate, ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';

const PROGRESS = { ready: false, watchedAfter: 0, builtTo: 0, neededAt: 1 };

/** A change to a version: one more shape, whose id is the version. */
function updateTo(version: number): CatalogUpdate {
  const shape = { ...shapeOf([[`path ${version}`]]), id: version, ...PROGRESS };
  return { version, change: { kind: 'watched', context: 'default', topic: 't', shape } };
}

/** A cache, whose loads are answered when the test says so. */
class Scene {
  readonly #answers: ((catalog: ShapeCatalog) => void)[] = [];
  begun = 0;
  readonly cache = new ShapeCatalogCache({
    store: { load: () => this.#load() },
    durableReads: { durable: (read) => read() },
  });

  /** Begins to load, and returns what ends it. */
  load(): (version: number) => Promise<void> {
    const loading = this.cache.reload();
    return (version) => {
      this.#answers.shift()?.(ShapeCatalog.of(version, []));
      return loading;
    };
  }

  commit(version: number): void {
    this.cache.committed(this.cache.current, updateTo(version));
  }

  #load(): Promise<ShapeCatalog> {
    this.begun += 1;
    return new Promise((resolve) => this.#answers.push(resolve));
  }
}

describe('the catalogue of this instance', () => {
  it('follows the stored one, also back: a database that was killed may have lost the newest change', async () => {
    const scene = new Scene();
    await scene.load()(5);
    expect(scene.cache.current.version).toBe(5);
    scene.commit(6);
    await scene.load()(4);
    expect(scene.cache.current.version).toBe(4);
  });

  it('has what this instance changed, whatever was read before that', async () => {
    const scene = new Scene();
    await scene.load()(5);
    const loaded = scene.load();
    scene.commit(6);
    await loaded(5);
    expect(scene.cache.current.version).toBe(6);
    expect(scene.cache.current.byId(6)?.ready).toBe(false);
  });

  it('is what was loaded while this instance changed it, where that is newer', async () => {
    const scene = new Scene();
    await scene.load()(5);
    const loaded = scene.load();
    scene.commit(6);
    await loaded(7);
    expect(scene.cache.current.version).toBe(7);
  });

  it('takes no change of a catalogue that it does not have any more', async () => {
    const scene = new Scene();
    await scene.load()(5);
    const planned = scene.cache.current;
    await scene.load()(7);
    scene.cache.committed(planned, updateTo(6));
    expect(scene.cache.current.version).toBe(7);
  });

  it('is loaded only for what it does not show', async () => {
    const scene = new Scene();
    scene.commit(6);
    await scene.cache.catchUp((known) => known.byId(6) !== undefined);
    expect(scene.begun).toBe(0);
    void scene.cache.catchUp((known) => known.byId(7) !== undefined);
    expect(scene.begun).toBe(1);
  });

  it('forgets a shape of which nothing is left', () => {
    const scene = new Scene();
    scene.commit(6);
    scene.cache.committed(scene.cache.current, { version: 7, change: { kind: 'dropped', shapeIds: [6] } });
    expect(scene.cache.current.freed).toEqual([6]);
    scene.cache.cleared(6);
    expect(scene.cache.current.freed).toEqual([]);
    expect(scene.cache.current.version).toBe(7);
  });
});
