// Changes to a recorded consumer: they are made one after the other, each again until it is answered, and written into the
// operation log.

import {
  type ConsumerSettings,
  SeekConsumerRequest,
  type StartPosition,
  UpdateConsumerRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Millis, Position } from '../../../src/units.js';
import type { TestClient } from '../server/server.js';
import { type ActorScene, pause } from './instances.js';
import type { ChangeOperation } from './operation-log.js';
import type { RecordedConsumer } from './recorded-consumer.js';

/** After so long a change is given up. */
const CHANGE_MS = 60_000;

/** What a change makes anew. */
interface Changed {
  readonly start?: ChangeOperation['start'];
  readonly settings?: ConsumerSettings;
}

export class ConsumerChanges {
  readonly #scene: ActorScene;
  readonly #consumer: RecordedConsumer;
  #generation = 0n;

  constructor(scene: ActorScene, consumer: RecordedConsumer) {
    this.#scene = scene;
    this.#consumer = consumer;
  }

  /** Makes it. */
  async create(): Promise<void> {
    const { context, name } = this.#consumer;
    await this.#change('create', { start: { least: 0, most: 0 } }, ({ consumers }, signal) =>
      consumers.createConsumer({ context, name, settings: this.#consumer.settings }, { signal }),
    );
  }

  /** Moves the offset; `most`: no position lies beyond it. */
  async seek(to: StartPosition['at']): Promise<void> {
    const { context, name } = this.#consumer;
    const request = SeekConsumerRequest.fromPartial({ context, name, to: { at: to } } as never);
    const start = { least: 0, most: Number.POSITIVE_INFINITY };
    if (to?.$case === 'afterPosition') start.least = start.most = Number(to.value);
    if (to?.$case === 'earliest') start.most = 0;
    await this.#change(`seek ${to?.$case}`, { start }, async ({ consumers }, signal) => {
      const { offset } = await consumers.seekConsumer(request, { signal });
      start.most = Number(offset);
    });
  }

  /** Asks what a seek would do: nothing is changed. */
  async trySeek(client: TestClient, position: Position): Promise<void> {
    const { context, name } = this.#consumer;
    const to = { at: { $case: 'afterPosition', value: BigInt(position) } } as const;
    const request = SeekConsumerRequest.fromPartial({ context, name, to, dryRun: true } as never);
    await this.#consumer.attempt(client, ({ consumers }, signal) => consumers.seekConsumer(request, { signal }));
  }

  /** Takes other settings: `fields` of them, as the wire calls them. */
  async update(settings: ConsumerSettings, field: 'filter' | 'ordering' | 'ack_timeout'): Promise<void> {
    const { context, name } = this.#consumer;
    const request = UpdateConsumerRequest.fromPartial({ context, name, settings, updateMask: [field] });
    const start = { least: 0, most: Number.POSITIVE_INFINITY };
    const anew = field === 'filter' ? { start } : {};
    await this.#change(`update ${field}`, { ...anew, settings }, async ({ consumers }, signal) => {
      const { consumer } = await consumers.updateConsumer(request, { signal });
      start.most = Number(consumer?.offset ?? 0n);
    });
  }

  /** Pauses it, and resumes it after a time. */
  async pause(ms: Millis): Promise<void> {
    const { context, name, log, record } = this.#consumer;
    const key = { context, consumer: name };
    const isPaused = await this.#change('pause', {}, ({ consumers }, signal) =>
      consumers.pauseConsumer({ ...key, by: 'chance', reason: 'as chance has it' }, { signal }),
    );
    const paused = log.begin();
    if (isPaused) await pause(ms, this.#scene.signal);
    log.end(paused);
    if (isPaused) record.pauses.push(paused);
    await this.#change('resume', {}, ({ consumers }, signal) => consumers.resumeConsumer(key, { signal }));
  }

  /** Keeps its place, and goes back to it after a time. */
  async goBack(ms: Millis): Promise<void> {
    const { context, name, log } = this.#consumer;
    const request = { context, consumer: name, name: 'a place' };
    const isKept = await this.#change('keep a place', {}, ({ consumers }, signal) =>
      consumers.saveSnapshot(request, { signal }),
    );
    if (!isKept) return;
    await pause(ms, this.#scene.signal);
    const start = { least: 0, most: Number.POSITIVE_INFINITY, keptBefore: log.moment() };
    await this.#change('go back', { start }, async ({ consumers }, signal) => {
      const { offset } = await consumers.restoreSnapshot(request, { signal });
      start.least = start.most = Number(offset);
    });
  }

  /** Deletes it and makes it again, as members do as well that come in between. */
  async recreate(): Promise<void> {
    const { context, name } = this.#consumer;
    let deleted = false;
    await this.#change('recreate', { start: { least: 0, most: 0 } }, async ({ consumers }, signal) => {
      if (!deleted) await consumers.deleteConsumer({ context, name }, { signal }).catch(unlessUnknown);
      deleted = true;
      await consumers.createConsumer({ context, name, settings: this.#consumer.settings }, { signal });
    });
  }

  // --- inside

  /** Makes a change again until it is answered, and returns whether it was: whatever became of the other tries, it lies between the first and the last. */
  async #change(
    what: string,
    { start, settings = this.#consumer.settings }: Changed,
    work: (client: TestClient, signal: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    const { random, signal } = this.#scene;
    const span = this.#consumer.log.begin();
    const giveUpAt = performance.now() + CHANGE_MS;
    for (let done = false; !done && !signal.aborted; ) {
      const client = this.#consumer.choose(random)?.client;
      done = client !== undefined && (await this.#consumer.attempt(client, work));
      if (!done) await this.#untilCalm();
      if (performance.now() < giveUpAt) continue;
      this.#consumer.log.surprises.push(`${this.#consumer.name}: ${what} was not answered within ${CHANGE_MS} ms`);
      return false;
    }
    this.#consumer.log.end(span);
    this.#consumer.changed({ ...span, what, start }, settings);
    if (start !== undefined) await this.#expectGeneration(this.#consumer.choose(random)?.client, what);
    return !signal.aborted;
  }

  /** A try that a frozen server has yet to read would undo the next one, so that is not made before the trouble is over. */
  async #untilCalm(): Promise<void> {
    const { signal } = this.#scene;
    const { troubles } = this.#consumer.log;
    do await pause(20, signal);
    while (!signal.aborted && troubles.some(({ ended }) => ended === Number.POSITIVE_INFINITY));
  }

  /** Each new generation has a greater number. */
  async #expectGeneration(client: TestClient | undefined, what: string): Promise<void> {
    const consumer = client === undefined ? undefined : await this.#consumer.get(client);
    if (consumer === undefined) return;
    if (consumer.generation <= this.#generation)
      this.#consumer.log.surprises.push(
        `${this.#consumer.name}: generation ${consumer.generation} after ${what}, and ${this.#generation} before`,
      );
    this.#generation = consumer.generation;
  }
}

function unlessUnknown(error: unknown): void {
  if (!String(error).includes('NOT_FOUND')) throw error;
}
