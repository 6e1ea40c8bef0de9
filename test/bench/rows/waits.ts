// Pushes that end a wait, by how many others stay open in their topic. Each wait is ended by one push, so they are made anew for
// every wave of pushes, which are all under way together; only the pushes are timed.

import { Outcome, PushEventResponse, PushEventStreamResponse } from '../../../generated/madeleine/v1/event_service.js';
import { RawClient } from '../load.js';
import { FIRST_ORDER, orderBatch, orderRequest } from '../orders.js';
import { progressBar } from '../progress.js';
import { type Figure, median, type Row, type RowContext } from '../row.js';
import type { Stage } from '../stage.js';
import { PUSH, PUSH_STREAM } from './push.js';

const WAVE = 64;
const WAVES = 60;
/** Rounds that do not count: what is compared runs on servers of its own, each of which has to be compiled. */
const WARM_UP_ROUNDS = 4;
const FILL_BATCH = 500;
const TOPIC = 'orders';
const BARE = 'bare';

export class WaitsRow implements Row {
  readonly figures: readonly [string, string];
  readonly #waits: number;

  constructor(waits: number) {
    this.#waits = waits;
    const name = `push that ends a wait, ${waits.toLocaleString('en-US')} more open in its topic`;
    this.figures = [name, `${name}, against a push that ends none`];
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const one = await Waiting.open(stage, 'one', 1);
    const many = await Waiting.open(stage, 'many', this.#waits);
    const rates: Record<'one' | 'many' | 'bare', number[]> = { one: [], many: [], bare: [] };
    for (let round = -WARM_UP_ROUNDS; round < rounds; round += 1) {
      const measured = { one: await one.ending(), many: await many.ending(), bare: await one.ending(BARE) };
      if (round < 0) continue;
      for (const name of ['one', 'many', 'bare'] as const) rates[name].push(measured[name]);
    }
    one.close();
    many.close();
    await stage.clear();
    return this.#figures({ one: median(rates.one), many: median(rates.many), bare: median(rates.bare) }, many.fillRate);
  }

  #figures({ one, many, bare }: Record<'one' | 'many' | 'bare', number>, fillRate: number): Figure[] {
    const common = { value: many, unit: 'calls/s' };
    return [
      {
        ...{ ...common, figure: this.figures[0], limit: '1 more open', limitValue: one },
        bounds: { must: 0.7, aim: 0.9 },
        note: `${WAVE} at a time; waits made by PushEventStream, ${Math.round(fillRate).toLocaleString('en-US')}/s`,
      },
      { ...common, figure: this.figures[1], limit: 'the same, topic without waits', limitValue: bare },
    ];
  }
}

/** A server with so many waits open in its topic. */
class Waiting {
  readonly #client: RawClient;
  #nextOrder = FIRST_ORDER;
  /** Waits a second. */
  fillRate = 0;

  private constructor(address: string) {
    this.#client = new RawClient(address);
  }

  static async open(stage: Stage, name: string, waits: number): Promise<Waiting> {
    const server = await stage.server(`waits ${name}`, { database: `waits_${name}_${waits}` });
    const waiting = new Waiting(server.address);
    await waiting.#fill(waits);
    return waiting;
  }

  close(): void {
    this.#client.close();
  }

  /** Pushes a second that end a wait each; in the bare topic there is none to end. */
  async ending(topic = TOPIC): Promise<number> {
    let ms = 0;
    for (let wave = 0; wave < WAVES; wave += 1) {
      const first = this.#nextOrder;
      this.#nextOrder += WAVE;
      if (topic === TOPIC) await this.#await(first, WAVE, 1);
      const requests = Array.from({ length: WAVE }, (_, n) => orderRequest(topic, first + n));
      const startedAt = performance.now();
      const answers = await Promise.all(requests.map((request) => this.#client.unary(PUSH, request)));
      ms += performance.now() - startedAt;
      assertAll(answers, topic === TOPIC ? Outcome.OUTCOME_SATISFIED : Outcome.OUTCOME_OCCURRED);
    }
    return ((WAVE * WAVES) / ms) * 1000;
  }

  async #fill(waits: number): Promise<void> {
    const batch = Math.min(waits, FILL_BATCH);
    const bar = progressBar(waits, 'waits');
    const first = this.#nextOrder;
    this.#nextOrder += Math.ceil(waits / batch) * batch;
    this.fillRate = await this.#await(first, batch, Math.ceil(waits / batch), () => bar.increment(batch));
    bar.stop();
  }

  /** Awaits orders from the number on in so many batches of so many; returns waits a second. */
  async #await(first: number, size: number, batches: number, onBatch?: () => void): Promise<number> {
    const batchAt = (n: number) => orderBatch(TOPIC, first + n * size, size, 'description');
    let awaited = 0;
    const onAnswer = (answer: Buffer) => {
      const { results } = PushEventStreamResponse.decode(answer);
      const isAwaited = results.every(({ result }) => {
        return result?.$case === 'receipt' && result.value.outcome === Outcome.OUTCOME_AWAITED;
      });
      if (isAwaited) awaited += results.length;
      onBatch?.();
    };
    const rate = await this.#client.saturateStream(PUSH_STREAM, batchAt, { inFlight: 4, count: batches, onAnswer });
    if (awaited !== size * batches) throw new Error(`${awaited} of ${size * batches} orders are awaited`);
    return rate * size;
  }
}

function assertAll(answers: readonly Buffer[], wanted: Outcome): void {
  for (const answer of answers) {
    const { outcome } = PushEventResponse.decode(answer);
    if (outcome !== wanted) throw new Error(`the push was ${Outcome[outcome]}, not ${Outcome[wanted]}`);
  }
}
