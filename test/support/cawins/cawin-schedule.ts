// One random schedule of everything that may happen to waits and cawins, on real servers whose database loses answers: pushes,
// descriptions, cawins made, switched and given deadlines, invalidations, the making of firings taken away and done again.

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { createConnection } from 'mysql2/promise';
import { CheckOrWaitRequest } from '../../../generated/madeleine/v1/cawin_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { PushEventRequest } from '../../../generated/madeleine/v1/event_service.js';
import type { FaultyProxy } from '../database/faulty-proxy.js';
import { isCommit } from '../database/proxied.js';
import { jsonPayload, newEvent } from '../events/builders.js';
import type { TestClient } from '../server/server.js';
import { waitUntil } from '../wait-until.js';
import { callbackTo, created } from './cawin-scene.js';

export type Json = Readonly<Record<string, number>>;

/** Milliseconds until a deadline; undefined: a long one, which the schedule does not see. */
type Deadline = number | undefined;

export type Step =
  | { readonly do: 'occur'; readonly payload: Json }
  | { readonly do: 'look'; readonly description: Json; readonly waitMs: Deadline }
  | { readonly do: 'ask'; readonly description: Json; readonly waitMs: Deadline }
  | {
      readonly do: 'create';
      readonly event: number;
      readonly active: boolean;
      readonly notifyOn: EventStatus[];
      readonly waitMs: Deadline;
    }
  | { readonly do: 'switch'; readonly cawin: number; readonly active: boolean }
  | { readonly do: 'invalidate'; readonly event: number }
  | { readonly do: 'lose'; readonly what: 'commit before' | 'commit after' | 'firings' | 'attempts' }
  | { readonly do: 'rewind' }
  | { readonly do: 'usurp' }
  | { readonly do: 'pause'; readonly ms: number };

/** Few enough to meet, many enough not to have occurred all. */
const o = fc.integer({ min: 1, max: 8 });
const whole = { p: fc.constant(1), q: fc.constant(2) };
/** Several of one `o` are ended by one payload. */
const description: fc.Arbitrary<Json> = fc.oneof(
  fc.record({ o }),
  fc.record({ o, p: whole.p }),
  fc.record({ o, ...whole }),
);
const payload: fc.Arbitrary<Json> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ o, ...whole, n: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ o, n: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ n: fc.nat() }) },
);
const waitMs: fc.Arbitrary<Deadline> = fc.option(fc.integer({ min: 1, max: 900 }), { nil: undefined });
const ENDS = [
  EventStatus.EVENT_STATUS_OCCURRED,
  EventStatus.EVENT_STATUS_INVALIDATED,
  EventStatus.EVENT_STATUS_EXPIRED,
];
const one = <T extends string>(kind: T) => fc.constant(kind);

/** Steps of one schedule; who acts on an event or a cawin names it by a number that is taken modulo what there is by then. */
export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: one('occur'), payload }) },
    { weight: 4, arbitrary: fc.record({ do: one('look'), description, waitMs }) },
    { weight: 4, arbitrary: fc.record({ do: one('ask'), description, waitMs }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: one('create'),
        event: fc.nat(),
        active: fc.boolean(),
        notifyOn: fc.subarray(ENDS),
        waitMs,
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: one('switch'), cawin: fc.nat(), active: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ do: one('invalidate'), event: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: one('lose'),
        what: fc.constantFrom(
          'commit before' as const,
          'commit after' as const,
          'firings' as const,
          'attempts' as const,
        ),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: one('rewind') }) },
    { weight: 1, arbitrary: fc.record({ do: one('usurp') }) },
    { weight: 2, arbitrary: fc.record({ do: one('pause'), ms: fc.integer({ min: 1, max: 60 }) }) },
  ),
  { minLength: 20, maxLength: 70 },
);

export interface CawinScheduleOptions {
  readonly clients: readonly TestClient[];
  /** Of the first client's server. */
  readonly proxy: FaultyProxy;
  readonly databaseUrl: string;
  readonly receiverUrl: string;
  readonly topic: string;
}

/** Makes the steps several at a time, and remembers the cawins that it was told of. */
export class CawinSchedule {
  readonly #options: CawinScheduleOptions;
  readonly #events: bigint[] = [];
  readonly cawins: bigint[] = [];

  constructor(options: CawinScheduleOptions) {
    this.#options = options;
  }

  async run(all: readonly Step[], lanes: number): Promise<void> {
    let next = 0;
    const lane = async (index: number) => {
      for (let step = all[next++]; step !== undefined; step = all[next++]) await this.#make(step, this.#client(index));
    };
    await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)));
  }

  /** Every cawin is switched on; those that are stay untouched, as switching one on makes up for what was missed. */
  async settle(): Promise<void> {
    const [client] = this.#options.clients;
    const rows = (await this.#sql('SELECT id FROM cawin WHERE active = 0')) as { id: number }[];
    for (const { id } of rows) {
      await repeated(() => client!.cawins.updateCawin({ id: BigInt(id), active: true, updateMask: ['active'] }));
    }
  }

  /** The making of firings begins again at the beginning of the log, and comes to its end. */
  async repeatAll(): Promise<void> {
    await this.#sql(
      "UPDATE firing_cursor SET position = 0, owner = '', owner_epoch = owner_epoch + 1, lease_until = 0",
    );
    await waitUntil(
      async () => {
        const [row] = await this.#sql(
          'SELECT f.position >= h.position AS done FROM firing_cursor f JOIN log_head h ON h.id = f.id',
        );
        return Number((row as { done: number }).done) === 1;
      },
      { what: 'the making of firings comes to the head again', timeoutMs: 20_000 },
    );
  }

  #client(index: number): TestClient {
    return this.#options.clients[index % this.#options.clients.length] as TestClient;
  }

  async #make(step: Step, client: TestClient): Promise<void> {
    switch (step.do) {
      case 'occur':
        return this.#push(client, newEvent({ ...this.#ids(), payload: jsonPayload(step.payload) }), undefined);
      case 'look':
        return this.#push(
          client,
          newEvent({ ...this.#ids(), payload: undefined, description: step.description }),
          step.waitMs,
        );
      case 'ask':
        return this.#ask(client, step);
      case 'create':
        return this.#create(client, step);
      case 'switch':
        return this.#switch(client, step);
      case 'invalidate':
        return this.#invalidate(client, step.event);
      case 'lose':
        return this.#lose(step.what);
      case 'rewind':
        await this.#sql('UPDATE firing_cursor SET position = 0, owner_epoch = owner_epoch + 1, lease_until = 0');
        return;
      case 'usurp':
        // As another instance would that dies at once.
        await this.#sql(
          "UPDATE firing_cursor SET owner = 'usurper', owner_epoch = owner_epoch + 1, lease_until = UNIX_TIMESTAMP(NOW(6)) * 1000000 + 100000",
        );
        return;
      case 'pause':
        await new Promise((resolve) => setTimeout(resolve, step.ms));
    }
  }

  #ids() {
    return { topic: this.#options.topic, messageId: randomUUID() };
  }

  async #push(client: TestClient, event: ReturnType<typeof newEvent>, wait: Deadline): Promise<void> {
    const request = PushEventRequest.fromPartial({ event, ...waitTimeout(wait) } as PushEventRequest);
    const answer = await repeated(() => client.events.pushEvent(request));
    if (answer.event !== undefined) this.#events.push(answer.event.id);
  }

  async #ask(client: TestClient, { description: wanted, waitMs: wait }: Step & { do: 'ask' }): Promise<void> {
    const request = CheckOrWaitRequest.fromPartial({
      topic: this.#options.topic,
      ...{ issuer: 'orders', description: wanted, requestId: randomUUID(), callback: this.#callback() },
      ...waitTimeout(wait),
    } as CheckOrWaitRequest);
    const answer = await repeated(() => client.cawins.checkOrWait(request));
    this.#events.push(answer.event!.id);
    this.cawins.push(answer.cawin!.id);
  }

  async #create(client: TestClient, step: Step & { do: 'create' }): Promise<void> {
    const { active, notifyOn, waitMs: wait } = step;
    const eventId = this.#events[step.event % Math.max(1, this.#events.length)];
    if (eventId === undefined) return;
    const expiresAt = wait === undefined ? undefined : soon(wait + 50);
    const request = { eventId, active, notifyOn, expiresAt, requestId: randomUUID(), callback: this.#callback() };
    // A deadline may have passed by the time that it is tried again.
    const cawin = await repeated(() => created(client, request)).catch(ifPassed);
    if (cawin !== undefined) this.cawins.push(cawin.id);
  }

  async #switch(client: TestClient, { cawin, active }: Step & { do: 'switch' }): Promise<void> {
    const id = this.cawins[cawin % Math.max(1, this.cawins.length)];
    if (id !== undefined) await repeated(() => client.cawins.updateCawin({ id, active, updateMask: ['active'] }));
  }

  async #invalidate(client: TestClient, event: number): Promise<void> {
    const id = this.#events[event % Math.max(1, this.#events.length)];
    if (id !== undefined) await repeated(() => client.events.invalidateEvent({ id })).catch(ifPassed);
  }

  #lose(what: (Step & { do: 'lose' })['what']): void {
    const { proxy } = this.#options;
    if (what === 'firings' || what === 'attempts') {
      const table = what === 'firings' ? 'INSERT INTO firing ' : 'INSERT INTO attempt ';
      proxy.inject({ harm: { kind: 'cut after' }, when: ({ text }) => text.includes(table), times: 1 });
      return;
    }
    proxy.inject({ harm: { kind: what === 'commit after' ? 'cut after' : 'cut before' }, when: isCommit, times: 1 });
  }

  #callback() {
    return callbackTo(this.#options.receiverUrl, { timeout: { seconds: 1n, nanos: 0 } });
  }

  async #sql(text: string): Promise<unknown[]> {
    const connection = await createConnection(this.#options.databaseUrl);
    try {
      return (await connection.query(text))[0] as unknown[];
    } finally {
      await connection.end();
    }
  }
}

function waitTimeout(ms: Deadline): object {
  return ms === undefined ? {} : { waitTimeout: { seconds: 0n, nanos: ms * 1_000_000 } };
}

function soon(ms: number) {
  const at = BigInt(Date.now() + ms);
  return { seconds: at / 1000n, nanos: Number(at % 1000n) * 1_000_000 };
}

/** Until it is answered: a database that is away for a moment is no answer. */
async function repeated<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call();
    } catch (error) {
      if (!String(error).includes('UNAVAILABLE') || tries === 10) throw error;
    }
  }
}

function ifPassed(error: unknown): undefined {
  if (!/ (INVALID_ARGUMENT|FAILED_PRECONDITION: id: is of an event that has expired)/.test(String(error))) throw error;
}
