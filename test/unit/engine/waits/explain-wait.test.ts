// Why an event is awaited, asked by many about large events: what is looked at without a break is counted.

import { describe, expect, it } from 'vitest';
import { EMPTY_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import type { EventQueries } from '../../../../src/engine/log/event-queries.js';
import { ExplainWait } from '../../../../src/engine/waits/explain-wait.js';
import { SystemClock } from '../../../../src/lib/clock.js';
import { LoopSlices } from '../../../../src/lib/loop-slices.js';

const LARGE = Buffer.from(JSON.stringify({ order: 1, filling: 'x'.repeat(230_000) }));

/** By it each slice takes a millisecond. */
class SlowClock extends SystemClock {
  #readMs = 0;

  override monotonicMs(): number {
    this.#readMs += 1;
    return this.#readMs;
  }
}

function entry(position: number, payload: LogEntry['payload'], rest: LogEntry['rest']): LogEntry {
  const own = { context: 'default', topic: 't', issuer: 'x', position, eventId: position, rest, payload };
  return { ...EMPTY_ENVELOPE, ...own, kind: EntryKind.OCCURRED, sequence: 0, messageId: '', createdAt: position };
}

/** A log whose payloads tell when they are looked at. */
function logOf(look: () => void): Pick<EventQueries, 'byId' | 'list'> {
  const payload = () => ({
    // It is asked for where the payload is looked at, and nowhere else.
    get contentType() {
      look();
      return '';
    },
    bytes: LARGE,
  });
  return {
    byId: async () => entry(0, undefined, { description: '{"order":2}' }),
    list: async (_criteria, { upTo, limit, maxBytes = 0 }) => {
      const size = Math.min(limit, Math.ceil(maxBytes / LARGE.byteLength), upTo);
      const entries = Array.from({ length: size }, (_, n) => entry(upTo - n, payload(), undefined));
      return { entries, scannedTo: upTo - size };
    },
  };
}

describe('the explanation of a wait', () => {
  it('looks at one large payload at a time, whoever else asks, and callers take turns', async () => {
    let looks = 0;
    let mostLooks = 0;
    const queries = logOf(() => {
      looks += 1;
      mostLooks = Math.max(mostLooks, looks);
      setImmediate(() => {
        looks = 0;
      });
    });
    const source = { visible: 60 };
    const explain = new ExplainWait({ queries, source, slices: new LoopSlices(new SlowClock()) });
    let othersDone = 0;
    const greedy = Array.from({ length: 16 }, () =>
      explain.run(1, 5, 'greedy').then((found) => {
        othersDone += 1;
        return found;
      }),
    );
    const modest = await explain.run(1, 5, 'modest');
    expect(othersDone).toBe(0);
    expect(modest).toMatchObject({ lookedAt: 60, nearMisses: [{ event: { position: 60 } }, {}, {}, {}, {}] });
    for (const { lookedAt } of await Promise.all(greedy)) expect(lookedAt).toBe(60);
    expect(mostLooks).toBe(1);
  });

  it('ends when its caller goes away', async () => {
    let looks = 0;
    const gone = new AbortController();
    const queries = logOf(() => {
      looks += 1;
      if (looks === 10) gone.abort(new Error('gone'));
    });
    const explain = new ExplainWait({ queries, source: { visible: 60 }, slices: new LoopSlices(new SlowClock()) });
    await expect(explain.run(1, 5, 'a', gone.signal)).rejects.toThrow('gone');
    expect(looks).toBeLessThan(12);
  });

  it('looks at 64 MiB at most', async () => {
    const queries = logOf(() => {});
    const explain = new ExplainWait({ queries, source: { visible: 2_000 } });
    const { lookedAt } = await explain.run(1, 5);
    expect(lookedAt * LARGE.byteLength).toBeGreaterThanOrEqual(64 * 1024 * 1024 - 1024 * 1024);
    expect(lookedAt * LARGE.byteLength).toBeLessThan(67 * 1024 * 1024);
  });
});
