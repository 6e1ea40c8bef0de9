// What one caller that does harm costs the others: their pushes at the same rate with it and without it.

import { setTimeout as sleep } from 'node:timers/promises';
import { ABUSES, type Abuse } from '../abuses.js';
import { callLatency } from '../latency.js';
import type { BenchProcess } from '../processes.js';
import { type Figure, median, type Row, type RowContext } from '../row.js';
import { withClient } from '../stage.js';

const RATE = 200;
const SECONDS = 4;
/** How long an abuse goes on before it is measured. */
const BEFORE_MS = 1_000;

class AbuseRow implements Row {
  readonly figures: readonly [string];
  readonly #kind: Abuse['kind'];

  constructor(kind: Abuse['kind']) {
    this.figures = [`push at ${RATE}/s beside ${kind}, p99`];
    this.#kind = kind;
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    const server = await stage.server('abused', { database: 'abused' });
    const abuser = await stage.abuser();
    const values: number[] = [];
    const limits: number[] = [];
    // The first round of each does not count.
    for (let round = 0; round <= rounds; round += 1) {
      limits.push(await p99(server));
      values.push(await this.#beside(abuser, server));
    }
    const measured = { value: median(values.slice(1)), limitValue: median(limits.slice(1)) };
    return [
      {
        ...{ figure: this.figures[0], ...measured, limit: 'the same without it', unit: 'ms' },
        bounds: { must: 2, aim: 1.5, atMost: true },
      },
    ];
  }

  async #beside(abuser: BenchProcess, server: BenchProcess): Promise<number> {
    const { address } = server;
    await abuser.ask<boolean>({ kind: this.#kind, address } satisfies Abuse);
    try {
      await sleep(BEFORE_MS);
      return await p99(server);
    } finally {
      await abuser.ask<boolean>({ kind: 'none', address } satisfies Abuse);
      await sleep(BEFORE_MS);
    }
  }
}

async function p99(server: BenchProcess): Promise<number> {
  return withClient(server, async (client) => (await callLatency(client, RATE, SECONDS)).p99);
}

export const ABUSE_ROWS: readonly Row[] = ABUSES.map((kind) => new AbuseRow(kind));
