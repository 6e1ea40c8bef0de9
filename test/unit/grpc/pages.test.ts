import { describe, expect, it } from 'vitest';
import { listPage, messageEnd, type PageRequest, type Read } from '../../../src/grpc/wire/pages.js';

interface Item {
  readonly id: number;
  readonly bytes: number;
}

const MIB = 1024 * 1024;
const KEY = { id: 'position' } as const;
const numbered = (sizes: readonly number[]): Item[] => sizes.map((bytes, index) => ({ id: index + 1, bytes }));
const FIRST: PageRequest = { pageSize: 0, pageToken: '' };

/** A page of the items; `filter` and `epoch` belong to its tokens. */
function page(
  items: readonly Item[],
  request: Partial<PageRequest> = {},
  { filter = '', epoch = 1, next }: { filter?: string; epoch?: number; next?: number } = {},
) {
  return listPage(
    { ...FIRST, ...request },
    {
      of: ['ListItems', filter],
      epoch,
      key: KEY,
      read: async (after, limit): Promise<Read<Item, typeof KEY>> => ({
        items: items.filter(({ id }) => id > (after?.id ?? 0)).slice(0, limit),
        next: next === undefined ? undefined : { id: next },
      }),
      toWire: (item) => item,
      codec: { encode: ({ bytes }) => ({ finish: () => new Uint8Array(bytes) }) },
    },
  );
}

const ids = ({ items }: { readonly items: readonly Item[] }) => items.map(({ id }) => id);

describe('a page of a list', () => {
  it('goes on where it ended', async () => {
    const items = numbered([1, 1, 1, 1, 1]);
    const first = await page(items, { pageSize: 2 });
    const second = await page(items, { pageSize: 2, pageToken: first.nextPageToken });
    const third = await page(items, { pageSize: 2, pageToken: second.nextPageToken });
    expect([first, second, third].map(ids)).toEqual([[1, 2], [3, 4], [5]]);
    expect(third.nextPageToken).toBe('');
  });

  it('has no successor when it is full and the last', async () => {
    expect((await page(numbered([1, 1]), { pageSize: 2 })).nextPageToken).toBe('');
    expect((await page([])).nextPageToken).toBe('');
  });

  it('has a successor where its reader says that more may follow, even when it is empty', async () => {
    const { items, nextPageToken } = await page([], {}, { next: 7 });
    expect(items).toEqual([]);
    expect(ids(await page(numbered(Array(9).fill(1)), { pageToken: nextPageToken }))).toEqual([8, 9]);
  });

  it('ends before it is too large, and has one item at least', async () => {
    const items = numbered([2 * MIB, MIB, MIB, 5 * MIB, 5 * MIB]);
    const pages: number[][] = [];
    for (let pageToken = '', first = true; first || pageToken !== ''; first = false) {
      const read = await page(items, { pageToken });
      pages.push(ids(read));
      pageToken = read.nextPageToken;
    }
    expect(pages).toEqual([[1, 2], [3], [4], [5]]);
  });

  it('has 100 items by default and 1,000 at most', async () => {
    const items = numbered(Array(1_200).fill(1));
    expect(ids(await page(items))).toHaveLength(100);
    expect(ids(await page(items, { pageSize: 1_000 }))).toHaveLength(1_000);
    for (const pageSize of [1_001, 2 ** 31 - 1]) expect(ids(await page(items, { pageSize }))).toHaveLength(1_000);
    await expect(page(items, { pageSize: -1 })).rejects.toMatchObject({ violations: [{ field: 'page_size' }] });
  });

  it('takes the tokens of its own filter and log only', async () => {
    const items = numbered([1, 1]);
    const { nextPageToken: pageToken } = await page(items, { pageSize: 1 }, { filter: 'a' });
    expect(ids(await page(items, { pageToken }, { filter: 'a' }))).toEqual([2]);
    await expect(page(items, { pageToken }, { filter: 'b' })).rejects.toMatchObject({ reason: 'PAGE_TOKEN_INVALID' });
    await expect(page(items, { pageToken }, { filter: 'a', epoch: 2 })).rejects.toMatchObject({
      reason: 'POSITION_BEYOND_HEAD',
      violations: [{ field: 'page_token' }],
    });
  });
});

describe('the end of a message', () => {
  it('counts what stands before each item too', () => {
    const items = Array.from({ length: 2_000_000 }, () => 0);
    const end = messageEnd(items, () => 0);
    expect(end * 6).toBeGreaterThan(3 * MIB);
    expect(end * 6).toBeLessThan(4 * MIB);
  });
});
