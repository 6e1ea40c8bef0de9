// One random schedule: pushers, and members of consumers that acknowledge, forget, die, come back and are seeked back, all at the
// same time. What was seen is written into a History; what no consumer may ever see is noted at once.

import { setTimeout as sleep } from 'node:timers/promises';
import {
  AckStatus,
  ConsumerSettings,
  type Delivery,
  Ordering,
  SeekConsumerRequest,
  SubscribeRequest,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { acknowledgements } from '../consumers/consumer.js';
import type { TestClient } from '../server/server.js';
import type { History } from './history.js';
import { StreamPusher } from './pusher.js';

const ACK_TIMEOUT = { seconds: 1n, nanos: 0 };

export interface ScheduleOptions {
  readonly random: () => number;
  readonly history: History;
  /** Undefined while there is no server. */
  readonly client: () => TestClient | undefined;
}

/** What a consumer's leases have to hold to at any time. */
class ConsumerLog {
  readonly faults: string[] = [];
  readonly #leases = new Map<bigint, bigint>();

  delivered({ event, lease, attempt }: Delivery): void {
    const position = event?.position ?? 0n;
    const before = this.#leases.get(lease);
    if (before !== undefined && before !== position)
      this.faults.push(`lease ${lease} is of ${before} and of ${position}`);
    this.#leases.set(lease, position);
    if (attempt < 1) this.faults.push(`${position} was delivered as attempt ${attempt}`);
  }
}

interface MemberOptions extends ScheduleOptions {
  readonly consumer: string;
  readonly settings: ConsumerSettings;
  readonly log: ConsumerLog;
  /** Members share names now and then: the later one replaces the former. */
  readonly names: number;
}

/** A member that behaves badly until it is told to be good. */
class Member {
  readonly #options: MemberOptions;
  readonly #stop = new AbortController();
  #good = false;
  #call = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(options: MemberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#done = this.#run();
  }

  /** From now on it acknowledges all that it gets; what it has forgotten times out. */
  beGood(): void {
    this.#good = true;
    this.#call.abort();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#call.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const client = this.#options.client();
      this.#call = new AbortController();
      // What ends a subscription, be it a replacement, a drain or our own abort, is followed by the next one.
      if (client !== undefined) await this.#subscribe(client).catch(() => {});
      await sleep(5 + this.#options.random() * 20);
    }
  }

  async #subscribe(client: TestClient): Promise<void> {
    const { consumer, settings, random, names } = this.#options;
    const maxInFlight = 1 + Math.floor(random() * 40);
    const member = `member ${Math.floor(random() * names)}`;
    const request = SubscribeRequest.fromPartial({ consumer, settings, maxInFlight, member: this.#good ? '' : member });
    const { signal } = this.#call;
    for await (const { deliveries } of client.consumers.subscribe(request, { signal })) {
      for (const delivery of deliveries) {
        this.#options.history.delivered(consumer, delivery);
        this.#options.log.delivered(delivery);
      }
      if (deliveries.length > 0) await this.#work(client, deliveries);
    }
  }

  async #work(client: TestClient, deliveries: readonly Delivery[]): Promise<void> {
    const { random } = this.#options;
    const mood = this.#good ? 0 : random();
    if (mood > 0.95) this.#call.abort();
    else if (mood > 0.9) await sleep(random() * 1_500);
    else if (mood > 0.55)
      await this.#acknowledge(
        client,
        shuffled(deliveries, random).filter(() => random() < 0.7),
      );
    else await this.#acknowledge(client, deliveries);
  }

  async #acknowledge(client: TestClient, deliveries: readonly Delivery[]): Promise<void> {
    const { consumer, log, history } = this.#options;
    if (deliveries.length === 0) return;
    const items = acknowledgements(deliveries);
    const positions = items.map(({ position }) => position);
    history.acknowledging(consumer, positions);
    const { offset, results } = await client.consumers.acknowledge({ consumer, acknowledgements: items });
    history.offset(consumer, offset);
    results.forEach(({ position, status }, index) => {
      const asked = positions[index];
      if (position !== asked || status === AckStatus.ACK_STATUS_UNSPECIFIED)
        log.faults.push(`acknowledgement of ${asked} is answered ${status} for ${position}`);
    });
  }
}

export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #pushers: StreamPusher[];
  readonly #members: Member[];
  readonly #logs = new Map<string, ConsumerLog>();

  constructor(options: ScheduleOptions) {
    const { random, history, client } = options;
    this.#options = options;
    this.#pushers = Array.from({ length: 2 + Math.floor(random() * 5) }, (_, n) => {
      return new StreamPusher({ stream: n === 0 ? '' : `stream ${n}`, history, client });
    });
    this.#members = ['ordered', 'loose'].flatMap((consumer) => {
      const log = new ConsumerLog();
      this.#logs.set(consumer, log);
      const ordering = consumer === 'ordered' ? Ordering.ORDERING_BY_STREAM : Ordering.ORDERING_NONE;
      const settings = ConsumerSettings.fromPartial({ ackTimeout: ACK_TIMEOUT, ordering });
      const names = 1 + Math.floor(random() * 4);
      return Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
        return new Member({ ...options, consumer, settings, log, names });
      });
    });
  }

  get consumers(): readonly string[] {
    return [...this.#logs.keys()];
  }

  /** What was wrong at some moment. */
  get faults(): string[] {
    return [...this.#logs].flatMap(([consumer, { faults }]) =>
      faults.slice(0, 10).map((fault) => `${consumer}: ${fault}`),
    );
  }

  start(): void {
    for (const each of [...this.#pushers, ...this.#members]) each.start();
  }

  /** Moves a consumer back to a random position. */
  async seekBack(): Promise<void> {
    const { random, client } = this.#options;
    const name = this.consumers[Math.floor(random() * 2)] as string;
    const found = await client()
      ?.consumers.getConsumer({ name })
      .catch(() => undefined);
    const offset = found?.consumer?.offset ?? 0n;
    const position = BigInt(Math.floor(Number(offset) * random()));
    const to = { at: { $case: 'afterPosition', value: position } };
    await client()
      ?.consumers.seekConsumer(SeekConsumerRequest.fromPartial({ name, to } as never))
      .catch(() => {});
  }

  async stopPushing(): Promise<void> {
    await Promise.all(this.#pushers.map((pusher) => pusher.stop()));
    for (const member of this.#members) member.beGood();
  }

  /** Ends whatever goes on, answered or not: there may be no server any more. */
  async stop(): Promise<void> {
    const pushers = this.#pushers.map((pusher) => pusher.abandon());
    await Promise.all([...pushers, ...this.#members.map((member) => member.stop())]);
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ item }) => item);
}
