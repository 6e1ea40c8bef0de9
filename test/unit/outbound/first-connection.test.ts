// Every address gets its try within the time of the call, whatever becomes of those before it.

import { describe, expect, it } from 'vitest';
import { firstConnection, type PinnedAddress } from '../../../src/outbound/connection/first-connection.js';

const never = new AbortController().signal;

interface Behaviour {
  readonly afterMs: number;
  readonly fails?: string;
}

function address(text: string): PinnedAddress {
  return { address: text, family: text.includes(':') ? 6 : 4 };
}

/** Connects to addresses that behave as told; what is connected to is its address. */
class Network {
  readonly tried: string[] = [];
  readonly discarded: string[] = [];
  given = 0;

  constructor(readonly behaviours: Readonly<Record<string, Behaviour>>) {}

  first(timeMs = 5_000, signal = never): Promise<string> {
    return firstConnection({
      addresses: Object.keys(this.behaviours).map(address),
      connect: ({ address: text }, over) => this.#connect(text, over),
      discard: (text) => this.discarded.push(text),
      ...{ timeMs, signal },
    });
  }

  #connect(text: string, over: AbortSignal): Promise<string> {
    this.tried.push(text);
    const { afterMs, fails } = this.behaviours[text] ?? { afterMs: 0 };
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.given += 1;
        clearTimeout(timer);
        reject(over.reason);
      };
      const timer = setTimeout(() => {
        over.removeEventListener('abort', onAbort);
        if (fails === undefined) resolve(text);
        else reject(Object.assign(new Error(fails), { code: fails }));
      }, afterMs);
      over.addEventListener('abort', onAbort);
    });
  }
}

describe('the first connection to a host', () => {
  it('is to an address whose handshake takes longer than its head start, where the other family leads nowhere', async () => {
    const network = new Network({ '10.0.0.1': { afterMs: 600 }, 'fd00::1': { afterMs: 0, fails: 'ENETUNREACH' } });
    expect(await network.first()).toBe('10.0.0.1');
    expect(network.tried).toEqual(['10.0.0.1', 'fd00::1']);
  });

  it('is to the last of many addresses, of which the others say nothing', async () => {
    const silent = Array.from({ length: 20 }, (_, n) => [`10.0.0.${n}`, { afterMs: 60_000 }] as const);
    const network = new Network({ ...Object.fromEntries(silent), '10.0.1.1': { afterMs: 10 } });
    // Within the time that it is given; afterwards it would reject.
    expect(await network.first(1_000)).toBe('10.0.1.1');
    expect(network.given).toBe(20);
  });

  it('is to the next one at once where one is refused', async () => {
    const network = new Network({ '10.0.0.1': { afterMs: 0, fails: 'ECONNREFUSED' }, '10.0.0.2': { afterMs: 0 } });
    const startedMs = performance.now();
    expect(await network.first()).toBe('10.0.0.2');
    expect(performance.now() - startedMs).toBeLessThan(200);
  });

  it('tries the families in turns', async () => {
    const fails = 'ECONNREFUSED';
    const network = new Network({
      ...{ '10.0.0.1': { afterMs: 0, fails }, '10.0.0.2': { afterMs: 0, fails }, '10.0.0.3': { afterMs: 0, fails } },
      ...{ 'fd00::1': { afterMs: 0, fails }, 'fd00::2': { afterMs: 0, fails } },
    });
    await expect(network.first()).rejects.toThrow(fails);
    expect(network.tried).toEqual(['10.0.0.1', 'fd00::1', '10.0.0.2', 'fd00::2', '10.0.0.3']);
  });

  it('fails with what says most', async () => {
    const network = new Network({
      ...{ 'fd00::1': { afterMs: 0, fails: 'ENETUNREACH' }, '10.0.0.1': { afterMs: 0, fails: 'ECONNREFUSED' } },
    });
    await expect(network.first()).rejects.toThrow('ECONNREFUSED');
  });

  it('ends with the call, and nothing is left under way', async () => {
    const network = new Network({ '10.0.0.1': { afterMs: 60_000 }, '10.0.0.2': { afterMs: 60_000 } });
    const over = new AbortController();
    const first = network.first(1_000, over.signal);
    setTimeout(() => over.abort(new Error('late')), 400);
    await expect(first).rejects.toThrow('late');
    expect(network.given).toBe(network.tried.length);
  });
});
