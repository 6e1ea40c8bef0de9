// The idle connections of a pool, on a clock of the test's.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleConnections, type Pinged } from '../../../src/storage/mysql/sql/idle-connections.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The end of a connection that pings come to. */
class Peer implements Pinged {
  readonly #answers: boolean;
  pings = 0;

  constructor({ answers }: { answers: boolean }) {
    this.#answers = answers;
  }

  ping(done?: (error: null) => void): void {
    this.pings += 1;
    // A connection that is destroyed does not tell the pings that are under way.
    if (this.#answers) done?.(null);
  }
}

describe('idle connections', () => {
  it('are kept open as long as their pings are answered', async () => {
    const idle = new IdleConnections();
    const peer = new Peer({ answers: true });
    idle.add(peer);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(peer.pings).toBe(60);
    expect(idle.isStale(peer)).toBe(false);
    idle.clear();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('whose ping is never answered are stale, and let go', async () => {
    const idle = new IdleConnections();
    const peer = new Peer({ answers: false });
    idle.add(peer);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(idle.isStale(peer)).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(idle.isStale(peer)).toBe(true);
    expect(peer.pings).toBe(1);
    expect(vi.getTimerCount(), 'timers for nobody').toBe(0);
  });

  it('that were silent for long, as while the process was stopped, are not used again', () => {
    const idle = new IdleConnections();
    const peer = new Peer({ answers: true });
    idle.add(peer, performance.now() - 2_501);
    expect(idle.isStale(peer)).toBe(true);
    idle.clear();
  });
});
