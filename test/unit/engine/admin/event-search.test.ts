// A page of a search: where it ends, and whose turn it is. Counted in looks, never in time.

import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { SearchText } from '../../../../src/domain/events/search-text.js';
import { EventSearch, SEARCH_MS, SEARCH_PAGE, type SearchTurn } from '../../../../src/engine/admin/event-search.js';
import { Callers } from '../../../../src/lib/callers.js';
import { FairGate } from '../../../../src/lib/fair-gate.js';
import { LoopSlices } from '../../../../src/lib/loop-slices.js';
import { Paced } from '../../../../src/lib/paced.js';
import { SEARCH_LOOK, type SearchLook, type SearchLookOptions } from '../../../../src/storage/ports/search-storage.js';
import { ManualClock } from '../../../support/manual-clock.js';

const HEAD = 100_000;
const SEARCH = { text: new SearchText('needle'), criteria: { context: 'default' }, after: 0, upTo: HEAD };

function entryAt(position: number): LogEntry {
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  const tag = position % 2 === 0 ? 'Needle' : 'other';
  return { ...BLANK_ENVELOPE, context: 'default', messageId: '', ...own, tag };
}

/** A log of which every hundredth entry may have the text, and half of those have it. */
function lookDown({ after, upTo, limit }: SearchLookOptions, bytes = 0): SearchLook {
  const positions: number[] = [];
  const end = Math.max(after, upTo - SEARCH_LOOK.entries);
  for (let position = upTo; position > end && positions.length < limit; position -= 1)
    if (position % 100 < 2) positions.push(position);
  return { positions, next: positions.length === limit ? (positions.at(-1) ?? 0) - 1 : end, bytes };
}

async function readDown(positions: readonly number[]): Promise<readonly LogEntry[]> {
  return [...positions].sort((a, b) => a - b).map(entryAt);
}

function scene({
  bytes = 0,
  look = (options: SearchLookOptions) => Promise.resolve(lookDown(options, bytes)),
  readAt = readDown,
  kept = (entries: readonly LogEntry[]) => entries,
} = {}) {
  const clock = new ManualClock();
  const callers = new Callers(clock);
  const store = {
    look: (_: SearchText, __: unknown, options: SearchLookOptions) => look(options),
    pushedAs: async () => [],
    createdAt: async () => 1,
  };
  const places = { positionsOf: async () => new Map() };
  const ephemeral = { kept };
  const shared = { pages: new FairGate(4), paced: new Paced({ callers, clock }), slices: new LoopSlices(clock) };
  return { clock, callers, search: new EventSearch({ store, log: { readAt }, places, ephemeral, ...shared, clock }) };
}

const turn = (changes: Partial<SearchTurn> = {}): SearchTurn => {
  return { limit: 1_000, caller: 'a', signal: new AbortController().signal, ...changes };
};

describe('a page of a search', () => {
  it('passes over what was for those only who listened when it came', async () => {
    const kept = (entries: readonly LogEntry[]) => entries.filter(({ position }) => position % 1_000 !== 0);
    const { hits, next } = await scene({ kept }).search.page(SEARCH, turn());
    expect(hits).toHaveLength(180);
    expect(hits.some(({ entry }) => entry.position % 1_000 === 0)).toBe(false);
    expect(next).toBe(HEAD - SEARCH_PAGE.entries);
  });

  it('has what has the text, newest first, of 20,000 entries', async () => {
    const { hits, next } = await scene().search.page(SEARCH, turn());
    expect(next).toBe(HEAD - SEARCH_PAGE.entries);
    expect(hits.map(({ entry }) => entry.position)).toEqual(
      Array.from({ length: SEARCH_PAGE.entries / 100 }, (_, n) => HEAD - n * 100),
    );
    expect(hits[0]?.matches).toEqual([{ field: 'tag', excerpt: 'Needle' }]);
  });

  it('holds no payloads, which may be many times as large as what it tells', async () => {
    const payload = { bytes: Buffer.from('{"text":"a needle"}'), contentType: 'application/json' };
    const readAt = async (positions: readonly number[]) =>
      (await readDown(positions)).map((entry) => ({ ...entry, tag: '', payload }));
    const { hits } = await scene({ readAt }).search.page(SEARCH, turn({ limit: 3 }));
    expect(hits.map(({ matches }) => matches.map(({ field }) => field))).toEqual(hits.map(() => ['payload']));
    expect(hits.map(({ entry }) => entry.payload)).toEqual([undefined, undefined, undefined]);
  });

  it('ends where it has enough', async () => {
    const { hits, next } = await scene().search.page(SEARCH, turn({ limit: 3 }));
    expect(hits.map(({ entry }) => entry.position)).toEqual([HEAD, HEAD - 100, HEAD - 200]);
    expect(next).toBe(HEAD - 201);
  });

  it('ends where long entries have 16 MiB', async () => {
    const { next } = await scene({ bytes: SEARCH_LOOK.bytes }).search.page(SEARCH, turn());
    expect(HEAD - next).toBe((SEARCH_PAGE.bytes / SEARCH_LOOK.bytes) * SEARCH_LOOK.entries);
  });

  it('ends at the end', async () => {
    const { hits, next } = await scene().search.page({ ...SEARCH, after: HEAD - 150 }, turn());
    expect([hits.length, next]).toEqual([2, HEAD - 150]);
  });

  it('ends with what was found when its time is over', async () => {
    let looks = 0;
    const never = new Promise<SearchLook>(() => {});
    const { clock, search } = scene({
      look: (options) => {
        looks += 1;
        return looks > 2 ? never : Promise.resolve(lookDown(options));
      },
    });
    const page = search.page(SEARCH, turn());
    await clock.advance(SEARCH_MS);
    expect((await page).next).toBe(HEAD - 2 * SEARCH_LOOK.entries);
  });

  it('is refused where its time is over before its first look', async () => {
    const { clock, search } = scene({ look: () => new Promise(() => {}) });
    const pages = [turn(), turn({ timeMs: 500 })].map((each) => search.page(SEARCH, each).catch((error) => error));
    await clock.advance(500);
    expect(await pages[1]).toMatchObject({ reason: 'SEARCH_TOO_WIDE', retryAfterMs: 1_000 });
    await clock.advance(SEARCH_MS);
    expect(await pages[0]).toMatchObject({ reason: 'SEARCH_TOO_WIDE' });
  });

  it('ends with its caller', async () => {
    const leaving = new AbortController();
    const page = scene({ look: () => new Promise(() => {}) }).search.page(SEARCH, turn({ signal: leaving.signal }));
    leaving.abort();
    await expect(page).rejects.toThrow('aborted');
  });

  it('tells of a database that is away', async () => {
    const away = new Error('away');
    await expect(scene({ look: () => Promise.reject(away) }).search.page(SEARCH, turn())).rejects.toBe(away);
  });
});

describe('searches', () => {
  /** A store whose looks end one by one, when they are told to. */
  function oneByOne() {
    const open: (() => void)[] = [];
    const begun: number[] = [];
    const made = scene({
      look: (options) => {
        begun.push(options.after);
        return new Promise((resolve) => open.push(() => resolve(lookDown(options))));
      },
    });
    const step = async () => {
      open.shift()?.();
      for (let n = 0; n < 20; n += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    return { ...made, open, begun, step };
  }

  it('look two at a time, however many there are', async () => {
    const { open, begun, search, step } = oneByOne();
    const pages = Array.from({ length: 50 }, () => search.page({ ...SEARCH, after: HEAD - 100 }, turn()));
    await step();
    while (begun.length < 50) {
      expect(open.length).toBeLessThanOrEqual(2);
      await step();
    }
    while (open.length > 0) await step();
    await Promise.all(pages);
  });

  it('read what they found two at a time', async () => {
    let [reading, most] = [0, 0];
    const readAt = async (positions: readonly number[]) => {
      reading += 1;
      most = Math.max(most, reading);
      for (let n = 0; n < 3; n += 1) await new Promise((resolve) => setImmediate(resolve));
      reading -= 1;
      return readDown(positions);
    };
    const { search } = scene({ readAt });
    await Promise.all(Array.from({ length: 20 }, () => search.page({ ...SEARCH, after: HEAD - 100 }, turn())));
    expect(most).toBe(2);
  });

  it('of a caller wait for no more than one of another, however many that one has', async () => {
    const { callers, begun, clock, search, step } = oneByOne();
    callers.note('a');
    callers.note('b');
    const many = Array.from({ length: 50 }, () => search.page(SEARCH, turn()).catch(() => undefined));
    await step();
    const before = begun.length;
    const own = search.page({ ...SEARCH, after: HEAD - 100 }, turn({ caller: 'b' }));
    await step();
    await clock.advance(0);
    await step();
    expect(begun.slice(0, before + 2)).toContain(HEAD - 100);
    expect((await own).hits).toHaveLength(1);
    await clock.advance(SEARCH_MS);
    await Promise.all(many);
  });
});
