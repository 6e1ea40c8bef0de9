// Callbacks: signed, claimed and written down, each call, against a bare client that sends as many bytes to the same receiver
// with as many calls under way.

import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Calls } from '../callback-receiver.js';
import { AwaitedOrder } from '../cawins.js';
import { FIRST_ORDER } from '../orders.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, inTurns, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';

const CALLS = 3_000;
/** As many as the server has under way to one endpoint. */
const AT_ONCE = 32;
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

class CallbacksRow implements Row {
  readonly figures = ['callbacks, signed and recorded'] as const;
  #nextOrder = FIRST_ORDER;

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server('callbacks', { database: 'callbacks' });
    const receiver = await stage.receiver();
    let made = 0;
    const measured = await inTurns(
      rounds,
      async () => {
        made = await this.#prepare(server, receiver);
        return this.#callsOf(receiver);
      },
      () => bareCalls(receiver),
    );
    const note = `of one endpoint, ${AT_ONCE} under way; cawins made by CreateCawin, 64 in flight, ${Math.round(made).toLocaleString('en-US')}/s`;
    return [{ figure: this.figures[0], ...measured, limit: 'a bare HTTP client', unit: 'calls/s', note }];
  }

  /** Makes cawins and fires them all at once; returns how many were made a second. */
  #prepare(server: BenchProcess, receiver: BenchProcess): Promise<number> {
    return withClient(server, async (client) => {
      const order = await AwaitedOrder.open(client, this.#nextOrder++);
      const made = await order.createCawins(CALLS, { url: `http://${receiver.httpAddress}/orders`, secret: SECRET });
      await receiver.ask('begin');
      await order.occur();
      return made;
    });
  }

  /** Calls a second, from the first to the last. */
  async #callsOf(receiver: BenchProcess): Promise<number> {
    for (;;) {
      const { count, ms } = await receiver.ask<Calls>('tell');
      if (count >= CALLS) return (count / ms) * 1000;
      await sleep(20);
    }
  }
}

/** Calls a second of a client that does nothing else. */
async function bareCalls(receiver: BenchProcess): Promise<number> {
  const { bodyBytes } = await receiver.ask<Calls>('tell');
  const agent = new Agent({ keepAlive: true });
  const body = Buffer.alloc(bodyBytes, 'x');
  const call = () => {
    return new Promise<void>((resolve, reject) => {
      const headers = { 'content-type': 'application/cloudevents+json', 'content-length': body.length };
      const sent = request(`http://${receiver.httpAddress}/orders`, { method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', resolve).on('error', reject);
      });
      sent.on('error', reject).end(body);
    });
  };
  let left = CALLS;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const rate = (CALLS / (performance.now() - startedAt)) * 1000;
  agent.destroy();
  return rate;
}

export const CALLBACK_ROWS: readonly Row[] = [new CallbacksRow()];
