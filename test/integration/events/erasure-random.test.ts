// Random pushes, waits, withdrawals and erasures on two servers, against a model that says of each entry whether its content is there.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Event, EventStatus } from '../../../generated/madeleine/v1/event.js';
import type { EraseEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { placesOf } from '../../support/database/every-row.js';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { RandomChoices } from '../../support/random.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const other = useServerBeside(suite);

const STEPS = 60;
const SUBJECTS = ['ann', 'bob', ''];
const CONTEXTS = ['default', 'north'];
const ENTRIES = [
  EventStatus.EVENT_STATUS_OCCURRED,
  EventStatus.EVENT_STATUS_INVALIDATED,
  EventStatus.EVENT_STATUS_EXPIRED,
];

/** What the model knows of an event: a marker stands in all that it says. */
interface Known {
  readonly id: bigint;
  readonly context: string;
  readonly subject: string;
  readonly stream: string;
  readonly marker: string;
  isAwaited: boolean;
  isErased: boolean;
}

class Schedule {
  readonly #choose: RandomChoices;
  readonly #topic = `topic ${randomUUID()}`;
  readonly #run = randomUUID();
  readonly #known: Known[] = [];
  /** Waits that a payload ended, under the id that it has since. */
  readonly #ended: Known[] = [];

  constructor(seed: number) {
    this.#choose = new RandomChoices(seed);
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step += 1) {
      const what = this.#choose.between(0, 9);
      if (what <= 4) await this.#push();
      else if (what <= 6) await this.#await();
      else if (what === 7) await this.#invalidate();
      else await this.#erase();
    }
    await this.#check();
  }

  get #client() {
    return this.#choose.chance(0.5) ? suite.client : other.client;
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#choose.between(0, list.length - 1)] as T;
  }

  #named(name: string): string {
    return name === '' ? '' : `${name} ${this.#run}`;
  }

  async #push(): Promise<void> {
    const marker = randomUUID();
    const context = this.#one(CONTEXTS);
    const subject = this.#named(this.#one(SUBJECTS));
    const stream = this.#named(this.#one(['one', 'two', '', '']));
    // Perhaps it ends a wait.
    const ended = this.#known.find((known) => known.isAwaited && known.context === context && this.#choose.chance(0.3));
    const payload = jsonPayload({ who: marker, ...(ended === undefined ? {} : { asked: ended.marker }) });
    const said = { context, topic: this.#topic, dataSubject: subject, stream, payload, tag: marker };
    const { event } = await this.#client.events.pushEvent({ event: newEvent(said) });
    const { id } = event as Event;
    if (ended !== undefined) {
      // One entry for both: it is about whom the payload is about.
      this.#ended.push(...this.#known.splice(this.#known.indexOf(ended), 1));
      expect(id).toBe(ended.id);
    }
    this.#known.push({ id, context, subject, stream, marker, isAwaited: false, isErased: false });
  }

  async #await(): Promise<void> {
    const marker = randomUUID();
    const context = this.#one(CONTEXTS);
    const subject = this.#named(this.#one(SUBJECTS));
    const said = { context, topic: this.#topic, dataSubject: subject, description: { asked: marker }, tag: marker };
    const { event } = await this.#client.events.pushEvent({ event: newEvent({ ...said, payload: undefined }) });
    const { id } = event as Event;
    this.#known.push({ id, context, subject, stream: '', marker, isAwaited: true, isErased: false });
  }

  async #invalidate(): Promise<void> {
    if (this.#known.length === 0) return;
    const known = this.#one(this.#known);
    // What the reason says is erased with the event, unless it is erased already.
    const reason = known.isErased ? 'a mistake' : known.marker;
    await this.#client.events.invalidateEvent({ id: known.id, reason });
    known.isAwaited = false;
  }

  async #erase(): Promise<void> {
    const context = this.#one([...CONTEXTS, 'all']);
    const isStream = context !== 'all' && this.#choose.chance(0.4);
    const name = this.#named(this.#one(isStream ? ['one', 'two'] : ['ann', 'bob']));
    const covered = [...this.#known, ...this.#ended].filter((known) => {
      const isThere = context === 'all' || known.context === context;
      return isThere && !known.isErased && (isStream ? known.stream : known.subject) === name;
    });
    if (isStream && !this.#known.some((known) => known.stream === name && known.context === context)) return;
    const target: EraseEventsRequest['target'] = isStream
      ? { $case: 'stream', value: name }
      : { $case: 'dataSubject', value: name };
    const answer = await this.#client.events.eraseEvents({ context, target });
    expect(answer.remaining).toBe(0n);
    expect(answer.erased).toBe(BigInt(new Set(covered.map(({ id }) => id)).size));
    for (const known of covered) {
      known.isErased = true;
      known.isAwaited = false;
    }
    // What an event ended goes with it.
    const gone = new Set(this.#known.filter(({ isErased }) => isErased).map(({ id }) => id));
    for (const ended of this.#ended) if (gone.has(ended.id)) ended.isErased = true;
    await this.#checkShown(this.#client);
  }

  /** What one server shows of every event, as it is now. */
  async #checkShown(client: typeof suite.client): Promise<void> {
    for (const { id, marker, isErased } of this.#known) {
      const { event } = await client.events.getEvent({ key: { $case: 'id', value: id } });
      expect(event?.erasedAt !== undefined, `event ${id}`).toBe(isErased);
      expect(
        JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes(marker),
      ).toBe(!isErased);
    }
  }

  async #check(): Promise<void> {
    for (const client of [suite.client, other.client]) {
      await this.#checkShown(client);
      for (const context of CONTEXTS) await this.#checkEntries(client, context);
    }
    for (const { marker, isErased } of this.#known) {
      expect((await placesOf(suite.database.url, marker)).length > 0, marker).toBe(!isErased);
    }
  }

  /** The log of a context, as readers get it. */
  async #checkEntries(client: typeof suite.client, context: string): Promise<void> {
    const head = (await suite.client.events.peekEvent({ context: 'all' })).position;
    await waitUntil(async () => (await client.events.peekEvent({ context: 'all' })).position >= head, {
      what: 'it is there',
    });
    const erased = new Map(this.#known.map(({ id, isErased }) => [id, isErased]));
    for await (const frame of client.events.readEvents({ context, topics: [this.#topic], statuses: ENTRIES })) {
      for (const { id, erasedAt } of frame.events) expect(erasedAt !== undefined, `event ${id}`).toBe(erased.get(id));
    }
  }
}

describe('random erasures', () => {
  it.each([1, 2, 3, 4, 5])('leave what the model says, with the seed %i', async (seed) => {
    await new Schedule(seed).run();
  });
});
