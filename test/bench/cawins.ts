// Cawins on one event, which a push then ends: made by calls, or by copying the row of one that was.

import { CreateCawinRequest, CreateCawinResponse } from '../../generated/madeleine/v1/cawin_service.js';
import { Outcome, PushEventResponse } from '../../generated/madeleine/v1/event_service.js';
import type { RawClient } from './load.js';
import { orderRequest } from './orders.js';
import type { Stage } from './stage.js';

const PUSH = '/madeleine.v1.EventService/PushEvent';
const CREATE = '/madeleine.v1.CawinService/CreateCawin';
const TOPIC = 'awaited-orders';
/** Rows of one statement. */
const COPIED = 50_000;

export interface Callback {
  readonly url: string;
  /** Empty: calls are not signed. */
  readonly secret: string;
}

/** An order that is awaited, by its number. */
export class AwaitedOrder {
  readonly #client: RawClient;
  readonly #order: number;
  readonly #eventId: bigint;

  private constructor(client: RawClient, order: number, eventId: bigint) {
    this.#client = client;
    this.#order = order;
    this.#eventId = eventId;
  }

  static async open(client: RawClient, order: number): Promise<AwaitedOrder> {
    const eventId = await push(client, orderRequest(TOPIC, order, 'description'), Outcome.OUTCOME_AWAITED);
    return new AwaitedOrder(client, order, eventId);
  }

  /** Makes so many cawins by calls; returns calls a second. */
  createCawins(count: number, callback: Callback): Promise<number> {
    return this.#client.saturateWith(CREATE, new Array<Buffer>(count).fill(this.#createRequest(callback)), 64);
  }

  /** Makes one cawin by a call and the others by copying its row, which has to be unsigned; returns the id of the first. */
  async copyCawins(
    count: number,
    callback: Callback,
    options: { readonly stage: Stage; readonly database: string; readonly onCopied: (rows: number) => void },
  ): Promise<number> {
    const { stage, database, onCopied } = options;
    const answer = await this.#client.unary(CREATE, this.#createRequest(callback));
    const id = Number(CreateCawinResponse.decode(answer).cawin?.id);
    const columns = (await stage.query(`SHOW COLUMNS FROM ${database}.cawin`))
      .map((column) => String(column['Field']))
      .filter((column) => column !== 'id')
      .join(', ');
    for (let made = 1; made < count; made += COPIED) {
      const rows = Math.min(COPIED, count - made);
      await stage.query(
        `INSERT INTO ${database}.cawin (${columns}) SELECT ${columns} FROM ${database}.cawin JOIN ${database}.seq_1_to_${rows} WHERE id = ${id}`,
      );
      onCopied(rows);
    }
    return id;
  }

  /** Pushes the order, which fires all of its cawins. */
  async occur(): Promise<void> {
    await push(this.#client, orderRequest(TOPIC, this.#order), Outcome.OUTCOME_SATISFIED);
  }

  #createRequest(callback: Callback): Buffer {
    const request = CreateCawinRequest.fromPartial({ eventId: this.#eventId, callback });
    return Buffer.from(CreateCawinRequest.encode(request).finish());
  }
}

async function push(client: RawClient, request: Buffer, wanted: Outcome): Promise<bigint> {
  const { outcome, event } = PushEventResponse.decode(await client.unary(PUSH, request));
  if (outcome !== wanted) throw new Error(`the push was ${Outcome[outcome]}, not ${Outcome[wanted]}`);
  return event?.id ?? 0n;
}
