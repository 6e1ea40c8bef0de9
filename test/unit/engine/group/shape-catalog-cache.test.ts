import { describe, expect, it } from 'vitest';
import { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { ShapeCatalogCache } from '../../../../src/engine/group/shape-catalog-cache.js';

describe('the catalogue of this instance', () => {
  it('follows the stored one, also back: a database that was killed may have lost the newest change', async () => {
    const versions = [5, 4];
    const cache = new ShapeCatalogCache({
      store: { load: async () => new ShapeCatalog(versions.shift() ?? 0, []) },
      durableReads: { durable: (read) => read() },
    });
    await cache.reload();
    expect(cache.current.version).toBe(5);
    await cache.reload();
    expect(cache.current.version).toBe(4);
  });
});
