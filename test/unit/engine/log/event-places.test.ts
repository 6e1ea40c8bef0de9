// Where events lie that are named by ids: what it rests on decides whether it has to be made durable before it is told.

import { describe, expect, it } from 'vitest';
import type { NamedEvents } from '../../../../src/engine/log/event-look-up.js';
import { EventPlaces } from '../../../../src/engine/log/event-places.js';
import type { KnownPush } from '../../../../src/storage/ports/log-storage.js';

const A = '0193f0a4-5b5c-7d1e-8f3a-00000000000a';
const B = '0193f0a4-5b5c-7d1e-8f3a-00000000000b';

/** A log in which events lie at these positions, of which everything up to 10 is visible; and what was asked of it. */
function places(positions: Record<number, readonly number[]>, pushed: Record<string, KnownPush> = {}) {
  const calls: string[] = [];
  const find = new EventPlaces({
    store: {
      positionsOf: async (ids) => {
        calls.push(`positions of ${ids}`);
        return new Map(ids.flatMap((id) => (positions[id] === undefined ? [] : [[id, positions[id]]])));
      },
      pushedAs: async (context, ids) => {
        calls.push(`pushed in ${context}: ${ids.length}`);
        return new Map(Object.entries(pushed).filter(([id]) => ids.includes(id)));
      },
    },
    durableReads: {
      durable: async (read, needsBarrier) => {
        const result = await read();
        if (needsBarrier(result)) calls.push('barrier');
        return result;
      },
    },
    tail: {
      visible: 10,
      reach: async (position) => {
        calls.push(`reach ${position}`);
      },
    },
  });
  const at = (events: Partial<NamedEvents>) =>
    find.positionsOf({ eventIds: [], context: 'default', messageIds: [], ...events });
  return { at, calls };
}

describe('the places of events', () => {
  it('come in the order in which they were named, unknown and repeated ones too', async () => {
    const { at, calls } = places({ 7: [3, 9], 8: [4] });
    expect(await at({ eventIds: [8n, 1n, 7n, 8n] })).toMatchObject({ byEventId: [[4], [], [3, 9], [4]] });
    expect(calls).toEqual(['positions of 8,1,7,8', 'reach 9']);
  });

  it('are not asked for by ids that were never given out', async () => {
    const { at, calls } = places({ 0: [1] });
    expect(await at({ eventIds: [2n ** 53n, 2n ** 64n - 1n] })).toMatchObject({ byEventId: [[], []] });
    expect(calls).toEqual(['reach 0']);
  });

  it('are found by message ids through the events of their pushes, all together', async () => {
    const { at, calls } = places({ 7: [3], 8: [4] }, { [A]: { eventId: 7, isEntered: true } });
    expect(await at({ eventIds: [8n], messageIds: [B, A] })).toMatchObject({
      byEventId: [[4]],
      byMessageId: [[], [3]],
    });
    expect(calls).toEqual(['pushed in default: 2', 'positions of 8,7', 'reach 4']);
  });

  it('are made durable where an entry is not visible yet, or where only the ledger knows the push', async () => {
    const beyond = places({ 7: [11] });
    await beyond.at({ eventIds: [7n] });
    expect(beyond.calls).toEqual(['positions of 7', 'barrier', 'reach 11']);
    const ledgered = places({ 7: [3] }, { [A]: { eventId: 7, isEntered: false } });
    expect(await ledgered.at({ messageIds: [A] })).toMatchObject({ byMessageId: [[3]] });
    expect(ledgered.calls).toEqual(['pushed in default: 1', 'positions of 7', 'barrier', 'reach 3']);
  });
});
