import { describe, expect, it } from 'vitest';
import { Uuid7Source } from '../../../src/lib/uuid7.js';

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (uuid: string) => Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);

describe('minted UUIDs', () => {
  it('are of version 7, with the time in them', () => {
    for (const now of [0, 1, 65_535, 65_536, Date.UTC(2026, 0, 1), 2 ** 48 - 1]) {
      const uuid = new Uuid7Source(() => now).next();
      expect(uuid).toMatch(FORM);
      expect(timeOf(uuid)).toBe(Math.max(now, 0));
    }
  });

  it('rise, whatever the clock does, and never come twice', () => {
    const times = [5_000, 5_000, 4_000, 6_000, 1];
    let calls = 0;
    const source = new Uuid7Source(() => times[Math.floor(calls++ / 5_000) % times.length] as number);
    const minted = Array.from({ length: 25_000 }, () => source.next());
    expect(minted).toEqual(minted.toSorted());
    expect(new Set(minted).size).toBe(minted.length);
    for (const uuid of minted) if (!FORM.test(uuid)) expect.fail(uuid);
  });

  it('share nothing but the time with those of another source', () => {
    const [a, b] = [new Uuid7Source(() => 7), new Uuid7Source(() => 7)];
    const tails = Array.from({ length: 1_000 }, () => [a.next(), b.next()].map((uuid) => uuid.slice(19))).flat();
    expect(new Set(tails).size).toBe(2_000);
  });
});
