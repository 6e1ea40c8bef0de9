// One random schedule: pushers, consumers with members that come and go, and people who manage them, all at once, on contexts and
// topics of its own; then everybody is healthy again, and whatever is left is delivered.

import { setMaxListeners } from 'node:events';
import { ConsumerFilter, Ordering } from '../../../generated/madeleine/v1/consumer_service.js';
import { ALL_CONTEXTS } from '../../../src/domain/names.js';
import { RandomChoices } from '../random.js';
import { waitUntil } from '../wait-until.js';
import { ConsumerChanges } from './consumer-changes.js';
import { type ActorScene, type Instances, pause } from './instances.js';
import { readLogged } from './logged-event.js';
import { operationFaults } from './operation-checker.js';
import { type LoggedEvent, OperationLog } from './operation-log.js';
import { GoodMember, RandomFetcher, RandomMember } from './random-member.js';
import { RandomOperator } from './random-operator.js';
import { type PusherTerms, RandomPusher } from './random-pusher.js';
import { RecordedConsumer, settingsOf } from './recorded-consumer.js';

/** By then everything is delivered once everybody is healthy: some ack time-outs, and a lease that has to run out. */
const SETTLED_WITHIN_MS = 40_000;

interface Actor {
  start(): void;
  stop(): Promise<void>;
}

/** A consumer of a schedule, and the filters that it may have. */
interface Plan {
  readonly name: string;
  readonly context: string;
  readonly ordering: Ordering;
  readonly filters: readonly [ConsumerFilter, ...ConsumerFilter[]];
  readonly ignoreOwn: boolean;
  /** Attempts after which an event is parked; few: only of a consumer that nobody changes, as it is not told when that happens. */
  readonly maxAttempts: number;
}

interface Planned {
  readonly plan: Plan;
  readonly recorded: RecordedConsumer;
  readonly changes: ConsumerChanges;
}

/** More than an event of a schedule ever needs. */
const MANY_ATTEMPTS = 1_000;

export class ConsumerSchedule {
  readonly log = new OperationLog();
  readonly #random: RandomChoices;
  readonly #instances: Instances;
  readonly #abort = new AbortController();
  readonly #contexts: readonly [string, string];
  readonly #topics: readonly [string, string, string];
  readonly #consumers: readonly Planned[];
  readonly #pushers: readonly RandomPusher[];
  #operators: readonly Actor[] = [];
  #members: readonly Actor[] = [];

  constructor(
    seed: number,
    instances: Instances,
    { pauseMs = 40, events = 16 }: Partial<Pick<PusherTerms, 'pauseMs' | 'events'>> = {},
  ) {
    // Every call that goes on listens to it.
    setMaxListeners(0, this.#abort.signal);
    this.#random = new RandomChoices(seed);
    this.#instances = instances;
    this.#contexts = [`site ${seed}`, `branch ${seed}`];
    this.#topics = [`orders ${seed}`, `payments ${seed}`, `letters ${seed}`];
    this.#consumers = this.#plans(seed).map((plan) => {
      const recorded = this.#newConsumer(plan);
      return { plan, recorded, changes: new ConsumerChanges(this.#newScene(), recorded) };
    });
    this.#pushers = this.#newPushers(seed, { pauseMs, events });
  }

  /** Creates the consumers, and lets everybody begin. */
  async start(): Promise<void> {
    for (const { changes } of this.#consumers) await changes.create();
    this.#members = this.#consumers.flatMap(({ recorded }) => this.#newMembers(recorded));
    const managed = this.#consumers.filter(
      ({ plan }) => this.#random.chance(0.6) && plan.maxAttempts === MANY_ATTEMPTS,
    );
    this.#operators = managed.map(({ recorded, changes, plan: { filters } }) => {
      return new RandomOperator(this.#newScene(), recorded, changes, filters);
    });
    for (const actor of [...this.#pushers, ...this.#members, ...this.#operators]) actor.start();
  }

  /** Lets them work for so long at least, until everything is pushed. */
  async work(leastMs: number): Promise<void> {
    await Promise.all([pause(leastMs, this.#abort.signal), ...this.#pushers.map((pusher) => pusher.finished)]);
  }

  /** Ends the trouble, waits until everything is delivered, and returns all that was wrong. */
  async settle(): Promise<string[]> {
    await Promise.all([...this.#pushers, ...this.#operators].map((actor) => actor.stop()));
    await Promise.all(this.#members.map((actor) => actor.stop()));
    const stored = await this.#read();
    const good = this.#consumers.flatMap(({ recorded }) =>
      ['good 1', 'good 2'].map((name) => new GoodMember(this.#newScene(), recorded, name)),
    );
    for (const member of good) member.start();
    const unfinished = await Promise.all(this.#consumers.map(({ recorded }) => this.#finish(recorded, stored)));
    await Promise.all(good.map((member) => member.stop()));
    await Promise.all(this.#consumers.map(({ recorded }) => this.#fetchNothing(recorded)));
    return [...unfinished.flat(), ...operationFaults(this.log, stored)];
  }

  /** Ends everything at once, whatever is answered or not. */
  async abandon(): Promise<void> {
    this.#abort.abort();
    await Promise.all([...this.#pushers, ...this.#operators, ...this.#members].map((actor) => actor.stop()));
  }

  // --- inside

  #plans(seed: number): Plan[] {
    const [site, branch] = this.#contexts;
    const [orders, payments, letters] = this.#topics;
    const filter = (changes: Partial<ConsumerFilter>) => ConsumerFilter.fromPartial(changes);
    const { ORDERING_BY_STREAM, ORDERING_NONE } = Ordering;
    return [
      {
        ...{
          name: `ordered ${seed}`,
          context: site,
          ordering: ORDERING_BY_STREAM,
          ignoreOwn: false,
          maxAttempts: MANY_ATTEMPTS,
        },
        filters: [
          filter({ topics: [orders, payments] }),
          filter({ topics: [orders] }),
          filter({ topics: [orders, payments], streams: ['stream 1', 'stream 2'] }),
        ],
      },
      {
        ...{
          name: `loose ${seed}`,
          context: branch,
          ordering: ORDERING_NONE,
          ignoreOwn: true,
          maxAttempts: MANY_ATTEMPTS,
        },
        filters: [filter({ topics: [orders] }), filter({ topics: [payments], issuers: ['issuer 1', 'issuer 2'] })],
      },
      {
        ...{
          name: `everywhere ${seed}`,
          context: ALL_CONTEXTS,
          ordering: ORDERING_BY_STREAM,
          ignoreOwn: false,
          maxAttempts: MANY_ATTEMPTS,
        },
        filters: [filter({ topics: [orders, payments, letters] }), filter({ topics: [payments] })],
      },
      {
        ...{
          name: `addressed ${seed}`,
          context: site,
          ordering: ORDERING_BY_STREAM,
          ignoreOwn: false,
          maxAttempts: MANY_ATTEMPTS,
        },
        filters: [filter({ topics: [letters] })],
      },
      {
        ...{ name: `strict ${seed}`, context: branch, ordering: ORDERING_BY_STREAM, ignoreOwn: false, maxAttempts: 3 },
        filters: [filter({ topics: [payments] })],
      },
    ];
  }

  #newConsumer({ name, context, ordering, filters: [filter], ignoreOwn, maxAttempts }: Plan): RecordedConsumer {
    const settings = settingsOf({ filter, ordering, ignoreOwn, maxAttempts });
    const { log } = this;
    const instances = this.#instances;
    return new RecordedConsumer({ log, context, name, settings, instances, signal: this.#abort.signal });
  }

  #newPushers(seed: number, pace: Pick<PusherTerms, 'pauseMs' | 'events'>): RandomPusher[] {
    const [orders, payments, letters] = this.#topics;
    const streams = ['', 'stream 1', 'stream 2', 'stream 3'];
    const usual = this.#contexts.flatMap((context) =>
      streams.map((stream, index) => ({
        ...{ context, stream, ...pace, topics: [orders, payments], to: ['', '', '', `ordered ${seed}`, 'nobody'] },
        issuer: stream === '' ? `loose ${seed}` : `issuer ${index}`,
      })),
    );
    const letter = {
      ...{ context: this.#contexts[0], stream: 'letters', issuer: 'writer', topics: [letters] },
      ...{ ...pace, to: [`addressed ${seed}`, `addressed ${seed}`, `everywhere ${seed}`, 'nobody'] },
    };
    const chosen = [...this.#random.some(usual, 0.7), letter];
    return chosen.map((terms) => new RandomPusher(this.#newScene(), terms, this.log));
  }

  #newMembers(consumer: RecordedConsumer): Actor[] {
    const count = this.#random.between(1, 3);
    const names = this.#random.between(Math.max(1, count - 1), count + 1);
    const members = Array.from({ length: count }, () => {
      return new RandomMember(this.#newScene(), consumer, names);
    });
    const fetchers = Array.from({ length: this.#random.between(0, 1) }, (_, index) => {
      return new RandomFetcher(this.#newScene(), consumer, `fetcher ${index}`);
    });
    return [...members, ...fetchers];
  }

  #newScene(): ActorScene {
    return { instances: this.#instances, random: this.#random.branch(), signal: this.#abort.signal };
  }

  async #read(): Promise<LoggedEvent[]> {
    const read = async () => {
      const client = this.#instances.live[0]?.client;
      return client === undefined ? undefined : readLogged(client, this.#contexts).catch(() => undefined);
    };
    return waitUntil(read, { what: 'the log is read', timeoutMs: SETTLED_WITHIN_MS });
  }

  /** Waits until nothing is pending; says where it stands if that does not come. */
  async #finish(consumer: RecordedConsumer, stored: readonly LoggedEvent[]): Promise<string[]> {
    const giveUpAt = performance.now() + SETTLED_WITHIN_MS;
    const head = stored.at(-1)?.position ?? 0;
    let seen = 'it was never shown';
    while (!this.#abort.signal.aborted && performance.now() < giveUpAt) {
      for (const { client } of this.#instances.live) {
        const shown = await consumer.get(client);
        if (shown?.pending === 0n && Number(shown.offset) >= head) return [];
        if (shown !== undefined) seen = `offset ${shown.offset}, ${shown.pending} pending, ${shown.activityCause}`;
      }
      await pause(200, this.#abort.signal);
    }
    return [
      `${consumer.name}: not everything is acknowledged after ${SETTLED_WITHIN_MS} ms: ${seen}; ${head} was pushed last`,
    ];
  }

  /** What is acknowledged stays so: nothing is left to fetch. */
  async #fetchNothing(consumer: RecordedConsumer): Promise<void> {
    for (const { client } of this.#instances.live) {
      await consumer.fetch(client, { member: 'last', limit: 100, waitMs: 0, requestId: '' });
    }
  }
}
