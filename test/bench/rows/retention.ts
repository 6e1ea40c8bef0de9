// What it costs, in a log of very many events, to change a topic and to delete half of what is stored, and what that costs those who push.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetTopicRequest,
  GetTopicResponse,
  RegisterTopicRequest,
  type TopicSettings,
  UpdateTopicRequest,
} from '../../../generated/madeleine/v1/topic_service.js';
import { callLatency } from '../latency.js';
import { batchRequest, pushRequest, RawClient } from '../load.js';
import type { BenchProcess } from '../processes.js';
import { progressBar } from '../progress.js';
import { type Figure, median, type Row, type RowContext } from '../row.js';
import { PUSH, PUSH_STREAM } from './push.js';

const REGISTER = '/madeleine.v1.TopicService/RegisterTopic';
const UPDATE = '/madeleine.v1.TopicService/UpdateTopic';
const GET = '/madeleine.v1.TopicService/GetTopic';
/** Whose events are deleted: every second batch. */
const OLD = 'old orders';
const FILL_EVENTS = 500;
const TOPICS = 300;
const IN_FLIGHT = 64;
/** How long pushes are measured at a time. */
const SPAN_MS = 5_000;
const RATE = 200;
const SECONDS = 10;

/** What pushes are like. */
interface Pushes {
  /** With 64 in flight, in calls a second. */
  readonly rate: number;
  /** At 200/s, in ms. */
  readonly p99: number;
}

/** Pushes while something goes on, how much of it was done a second beside them, and how much in all. */
interface Beside extends Pushes {
  readonly done: number;
}

export class RetentionRow implements Row {
  readonly figures: readonly [string, string, string, string, string, string];
  readonly #events: number;

  constructor(events: number) {
    this.#events = events;
    const stored = `${events.toLocaleString('en-US')} events stored:`;
    this.figures = [
      `${stored} RegisterTopic, one at a time`,
      `${stored} PushEvent, 64 in flight, while identities are built`,
      `${stored} push at ${RATE}/s while identities are built, p99`,
      `${stored} PushEvent, 64 in flight, while half of them are deleted`,
      `${stored} push at ${RATE}/s while half of them are deleted, p99`,
      `${stored} events deleted while pushes run`,
    ];
  }

  async measure({ stage, rounds }: RowContext): Promise<Figure[]> {
    await stage.clear();
    const server = await stage.server('retention', { database: 'retention' });
    const log = new Log(server, rounds);
    const registersBefore = await log.registers();
    await log.fill(this.#events);
    const registers = await log.registers();
    const before = await log.pushes();
    const built = await log.beside(
      () => log.update({ descriptionPaths: ['/order'] }),
      () => log.identified(),
    );
    await log.isBuilt();
    const between = await log.pushes();
    const deleted = await log.beside(
      () => log.update({ ttl: '1min' }),
      () => log.deleted(),
    );
    log.close();
    await stage.clear();
    const [register, buildRate, buildP99, deleteRate, deleteP99, deletes] = this.figures;
    const rate = { unit: 'calls/s', bounds: { must: 0.85, aim: 0.95 } };
    const p99 = { unit: 'ms', bounds: { must: 1.2, aim: 1.1, atMost: true } };
    const told = (what: string, { done }: Beside) => ({
      note: `${Math.round(done).toLocaleString('en-US')} events/s ${what}`,
    });
    const alone = 'the same alone';
    return [
      {
        ...{ figure: register, value: registers, limit: 'nothing stored', limitValue: registersBefore },
        ...{ unit: 'calls/s', bounds: { must: 1 / 1.3, aim: 1 / 1.1 } },
      },
      { figure: buildRate, value: built.rate, limit: alone, limitValue: before.rate, ...rate, ...told('built', built) },
      { figure: buildP99, value: built.p99, limit: alone, limitValue: before.p99, ...p99 },
      { figure: deleteRate, value: deleted.rate, limit: alone, limitValue: between.rate, ...rate },
      { figure: deleteP99, value: deleted.p99, limit: alone, limitValue: between.p99, ...p99 },
      {
        ...{ figure: deletes, value: deleted.done, limit: 'pushes beside it, 64 in flight', limitValue: deleted.rate },
        ...{ unit: 'events/s', bounds: { must: 2, aim: 3 } },
      },
    ];
  }
}

class Log {
  readonly #server: BenchProcess;
  readonly #client: RawClient;
  readonly #rounds: number;
  #registered = 0;

  constructor(server: BenchProcess, rounds: number) {
    this.#server = server;
    this.#client = new RawClient(server.address);
    this.#rounds = rounds;
  }

  close(): void {
    this.#client.close();
  }

  /** Pushes so many events, every second batch of the topic whose events go. */
  async fill(events: number): Promise<void> {
    const bar = progressBar(events, 'events');
    const batches = [batchRequest('bytes', FILL_EVENTS), batchRequest('bytes', FILL_EVENTS, OLD)] as const;
    await this.#client.saturateStream(PUSH_STREAM, (n) => batches[n % 2 === 0 ? 0 : 1], {
      inFlight: 8,
      count: Math.ceil(events / FILL_EVENTS),
      onAnswer: () => bar.increment(FILL_EVENTS),
    });
    bar.stop();
  }

  /** Topics registered a second, one after the other. */
  async registers(): Promise<number> {
    const requests = Array.from({ length: TOPICS }, () => {
      this.#registered += 1;
      const request = RegisterTopicRequest.fromPartial({ name: `topic ${this.#registered}` });
      return Buffer.from(RegisterTopicRequest.encode(request).finish());
    });
    return this.#client.saturateWith(REGISTER, requests, 1);
  }

  /** Pushes that nothing is beside; the first measurement does not count. */
  async pushes(): Promise<Pushes> {
    await this.#rate();
    return this.#medians();
  }

  /** Pushes beside what is begun, and how much of it is done a second by what `done` counts. */
  async beside(begin: () => Promise<unknown>, done: () => Promise<number>): Promise<Beside> {
    await begin();
    while ((await done()) === 0) await sleep(100);
    await this.#rate();
    const startedAt = performance.now();
    const before = await done();
    const pushes = await this.#medians();
    return { ...pushes, done: ((await done()) - before) / ((performance.now() - startedAt) / 1_000) };
  }

  async #medians(): Promise<Pushes> {
    const rates: number[] = [];
    const p99s: number[] = [];
    for (let round = 0; round < this.#rounds; round += 1) {
      rates.push(await this.#rate());
      p99s.push((await callLatency(this.#client, RATE, SECONDS)).p99);
    }
    return { rate: median(rates), p99: median(p99s) };
  }

  #rate(): Promise<number> {
    return this.#client.saturateFor(PUSH, pushRequest('bytes'), { inFlight: IN_FLIGHT, ms: SPAN_MS });
  }

  async update(settings: Partial<TopicSettings>): Promise<void> {
    const registered = RegisterTopicRequest.fromPartial({ name: OLD });
    // It may be there already, with other settings.
    await this.#client.unary(REGISTER, Buffer.from(RegisterTopicRequest.encode(registered).finish())).catch(() => {});
    const updateMask = Object.keys(settings).map((key) => (key === 'ttl' ? 'ttl' : 'description_paths'));
    const request = UpdateTopicRequest.fromPartial({ name: OLD, settings, updateMask });
    await this.#client.unary(UPDATE, Buffer.from(UpdateTopicRequest.encode(request).finish()));
  }

  async identified(): Promise<number> {
    const build = await this.#build();
    return Number(build?.identified ?? 0n);
  }

  /** Resolves when the identities are built. */
  async isBuilt(): Promise<void> {
    while ((await this.#build())?.endedAt === undefined) await sleep(1_000);
  }

  async deleted(): Promise<number> {
    const named = `{context="default",topic="${OLD}"}`;
    const found = await this.#server.metric(`madeleine_retention_deleted_entries_total${named}`);
    // It is there once something was deleted.
    return Number.isNaN(found) ? 0 : found;
  }

  async #build() {
    const request = Buffer.from(GetTopicRequest.encode(GetTopicRequest.fromPartial({ name: OLD })).finish());
    return GetTopicResponse.decode(await this.#client.unary(GET, request)).topic?.identityBuild;
  }
}
