// The streams of libraries, which end with the drain and keep nothing of what they have said.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { CallContext, ServerMiddlewareCall } from 'nice-grpc';
import { expect, it } from 'vitest';
import { drainMiddleware } from '../../../src/grpc/server/drain.js';
import { systemClock } from '../../../src/lib/clock.js';

const CONTEXT = {} as CallContext;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** A call of health or reflection with these answers. */
function callOf(answers: () => AsyncGenerator<object>): ServerMiddlewareCall<object, object> {
  return {
    ...{ method: { path: '/grpc.health.v1.Health/Watch' }, requestStream: false, responseStream: true, request: {} },
    next: answers,
  } as unknown as ServerMiddlewareCall<object, object>;
}

/** Answers without an end, each held by nobody but who reads it. */
async function* endless(made: WeakRef<object>[]): AsyncGenerator<object> {
  for (;;) {
    const message = { bytes: Buffer.alloc(1_024) };
    made.push(new WeakRef(message));
    yield message;
  }
}

it('keep none of the messages that went out', async () => {
  const draining = new AbortController();
  const made: WeakRef<object>[] = [];
  const drain = drainMiddleware({ clock: systemClock, draining: draining.signal });
  const call = callOf(() => endless(made));
  const stream = drain(call, CONTEXT);
  for (let n = 0; n < 1_000; n += 1) await stream.next();
  // What a promise holds is let go of in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(made.filter((message) => message.deref() !== undefined).length).toBeLessThan(10);
  await stream.return(undefined);
});

it('end with DRAINING though they have nothing to say', async () => {
  const draining = new AbortController();
  const drain = drainMiddleware({ clock: systemClock, draining: draining.signal });
  const silent = async function* (): AsyncGenerator<object> {
    await new Promise(() => {});
    yield {};
  };
  const next = drain(callOf(silent), CONTEXT).next();
  draining.abort();
  await expect(next).rejects.toMatchObject({ reason: 'DRAINING' });
});
