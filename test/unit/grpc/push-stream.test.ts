// Works that are under way for the requests of one stream, and what becomes of them when somebody goes away.

import { describe, expect, it } from 'vitest';
import { pipelined } from '../../../src/grpc/events/push-stream.js';

async function* requestsOf(...requests: readonly number[]): AsyncGenerator<number> {
  yield* requests;
}

/** Requests that end when the call does. */
async function* endless(signal: AbortSignal): AsyncGenerator<number> {
  yield 1;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function all(answers: AsyncIterable<number>): Promise<{ answers: number[]; error?: string }> {
  const found: number[] = [];
  try {
    for await (const answer of answers) found.push(answer);
    return { answers: found };
  } catch (error) {
    return { answers: found, error: (error as Error).message };
  }
}

const { signal: draining } = new AbortController();
const never = { cancelled: new AbortController().signal, draining };

describe('works in a pipeline', () => {
  it('are answered in order, whichever ends first', async () => {
    const ends: (() => void)[] = [];
    const start = async (n: number) => ({
      answer: new Promise<number>((resolve) => ends.push(() => resolve(n))),
      size: 1,
    });
    const answers = all(pipelined(requestsOf(1, 2, 3), start, never));
    while (ends.length < 3) await new Promise(setImmediate);
    for (const end of ends.reverse()) end();
    expect(await answers).toEqual({ answers: [1, 2, 3] });
  });

  it('are answered up to the one that fails', async () => {
    const start = async (n: number) => ({
      answer: n === 2 ? Promise.reject(new Error('two')) : Promise.resolve(n),
      size: 1,
    });
    expect(await all(pipelined(requestsOf(1, 2, 3), start, never))).toEqual({ answers: [1], error: 'two' });
  });

  it('are answered up to the request that fails', async () => {
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error('cut');
    }
    const start = async (n: number) => ({ answer: Promise.resolve(n), size: 1 });
    expect(await all(pipelined(failing(), start, never))).toEqual({ answers: [1], error: 'cut' });
  });

  it('are not waited for when their caller has gone', async () => {
    const leaving = new AbortController();
    const start = async () => ({ answer: new Promise<number>(() => {}), size: 1 });
    const answers = all(pipelined(endless(leaving.signal), start, { cancelled: leaving.signal, draining }));
    await new Promise(setImmediate);
    leaving.abort();
    expect(await answers).toEqual({ answers: [] });
  });
});
