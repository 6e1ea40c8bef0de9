// One consumer as its members and those who manage it use it: each call is made, and written into the operation log with what was
// seen of it.

import {
  AckStatus,
  type Consumer,
  ConsumerSettings,
  type Delivery,
  FetchRequest,
  SubscribeRequest,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { ALL_CONTEXTS } from '../../../src/domain/names.js';
import type { Millis, Position } from '../../../src/units.js';
import type { RandomChoices } from '../random.js';
import type { TestClient } from '../server/server.js';
import { type Instances, isElsewhere, type LiveInstance, limited, surpriseOf } from './instances.js';
import { loggedEvent } from './logged-event.js';
import type {
  AnswerItem,
  AnswerOperation,
  AnswerStatus,
  ChangeOperation,
  ConsumerRecord,
  JudgedSettings,
  MemberCall,
  OperationLog,
  SeenDelivery,
  Span,
} from './operation-log.js';

/** After so long a call is given up. */
const CALL_MS = 10_000;
const STATUSES: Partial<Record<AckStatus, AnswerStatus>> = {
  [AckStatus.ACK_STATUS_ACCEPTED]: 'ACCEPTED',
  [AckStatus.ACK_STATUS_ALREADY]: 'ALREADY',
  [AckStatus.ACK_STATUS_STALE]: 'STALE',
  [AckStatus.ACK_STATUS_UNKNOWN]: 'UNKNOWN',
};

const VERDICTS = { retry: Verdict.VERDICT_RETRY, park: Verdict.VERDICT_PARK, skip: Verdict.VERDICT_SKIP } as const;

export interface Asked {
  readonly position: Position;
  readonly lease: bigint;
}

/** What the answers to deliveries have in common. */
interface Answered {
  readonly results: readonly { readonly position: bigint; readonly status: AckStatus }[];
  readonly offset?: bigint;
  readonly acknowledgedUpTo?: number;
}

export interface Credit {
  readonly maxInFlight: number;
  readonly maxInFlightBytes: number;
}

export interface FetchTerms {
  readonly member: string;
  readonly limit: number;
  readonly waitMs: Millis;
  readonly requestId: string;
}

export class RecordedConsumer {
  readonly context: string;
  readonly name: string;
  readonly record: ConsumerRecord;
  readonly log: OperationLog;
  readonly #instances: Instances;
  readonly #signal: AbortSignal;
  /** The instance that ran it last, as far as is known. */
  #home: LiveInstance | undefined;
  #settings: ConsumerSettings;

  constructor(options: {
    readonly log: OperationLog;
    readonly context: string;
    readonly name: string;
    readonly settings: ConsumerSettings;
    readonly instances: Instances;
    readonly signal: AbortSignal;
  }) {
    this.context = options.context;
    this.name = options.name;
    this.log = options.log;
    this.#instances = options.instances;
    this.#signal = options.signal;
    this.#settings = options.settings;
    this.record = options.log.consumer(options.name);
  }

  get settings(): ConsumerSettings {
    return this.#settings;
  }

  /** An instance to call: mostly the one that runs it. */
  choose(random: RandomChoices): LiveInstance | undefined {
    const { live } = this.#instances;
    const home = this.#home !== undefined && live.includes(this.#home) ? this.#home : undefined;
    return home === undefined || random.chance(0.1) ? random.of(live) : home;
  }

  // --- members

  /** Subscribes until the server ends it, or the member leaves; the deliveries of each frame are handed over in turn. */
  async subscribe(
    client: TestClient,
    { member, maxInFlight, maxInFlightBytes }: Credit & { readonly member: string },
    work: (deliveries: readonly SeenDelivery[], leave: () => void) => Promise<void>,
    leaving?: AbortSignal,
  ): Promise<void> {
    const call = this.#newCall({ kind: 'subscribe', member, maxInFlight, maxInFlightBytes, repeats: false });
    call.ended = call.began;
    const ending = new AbortController();
    const leave = () => {
      if (ending.signal.aborted) return;
      call.ended = this.log.moment();
      ending.abort();
    };
    leaving?.addEventListener('abort', leave, { once: true });
    const request = SubscribeRequest.fromPartial({
      ...{ context: this.context, consumer: this.name, settings: this.#settings, member, maxInFlight },
      maxInFlightBytes: BigInt(maxInFlightBytes),
    });
    const giveUp = () => ending.abort();
    this.#signal.addEventListener('abort', giveUp, { once: true });
    const { signal } = ending;
    try {
      if (leaving?.aborted || this.#signal.aborted) return;
      for await (const { deliveries, frame } of client.consumers.subscribe(request, { signal })) {
        if (ending.signal.aborted) return;
        const at = this.log.moment();
        call.ended = at;
        if (frame?.$case === 'opened') this.#sawOffset(call.began, at, frame.value.consumer?.offset);
        if (frame?.$case === 'opened') this.#answeredBy(client);
        const seen = deliveries.map((delivery) => this.#saw(delivery, call, at));
        if (seen.length > 0) await work(seen, leave);
      }
    } catch (error) {
      this.#note(error, client);
    } finally {
      call.over = this.log.moment();
      leaving?.removeEventListener('abort', leave);
      this.#signal.removeEventListener('abort', giveUp);
    }
  }

  /** Fetches; nothing when it was refused or its answer was lost. */
  async fetch(client: TestClient, { member, limit, waitMs, requestId }: FetchTerms): Promise<readonly SeenDelivery[]> {
    const repeats = requestId !== '';
    const call = this.#newCall({ kind: 'fetch', member, maxInFlight: limit, maxInFlightBytes: 0, repeats });
    const request = FetchRequest.fromPartial({
      ...{ context: this.context, consumer: this.name, settings: this.#settings, member, limit, requestId },
      wait: { seconds: 0n, nanos: waitMs * 1_000_000 },
    });
    try {
      const { deliveries, offset } = await this.#call((signal) => client.consumers.fetch(request, { signal }));
      const at = this.log.moment();
      call.ended = at;
      call.lost = false;
      this.#answeredBy(client);
      this.#sawOffset(call.began, at, offset);
      const known = new Set(this.record.deliveries.map(({ lease }) => lease));
      // A call that repeats an id is given what is still leased by it.
      const fresh = requestId === '' ? deliveries : deliveries.filter(({ lease }) => !known.has(lease));
      return fresh.map((delivery) => this.#saw(delivery, call, at));
    } catch (error) {
      this.#note(error, client);
      return [];
    }
  }

  async acknowledge(
    client: TestClient,
    asked: readonly Asked[],
    upTo?: { readonly position: Position; readonly member: string },
  ): Promise<void> {
    const own = upTo === undefined ? {} : { upTo: BigInt(upTo.position) };
    const member = upTo?.member ?? '';
    const acknowledge = (acknowledgements: { position: bigint; lease: bigint }[], signal: AbortSignal) =>
      client.consumers.acknowledge({ ...this.#key, member, acknowledgements, ...own }, { signal });
    await this.#answer(client, 'acknowledge', asked, acknowledge, upTo?.position);
  }

  /** Rejects, with a delay for RETRY. */
  async reject(
    client: TestClient,
    asked: readonly Asked[],
    kind: 'retry' | 'park' | 'skip',
    delayMs: Millis,
  ): Promise<void> {
    const delay = kind === 'retry' ? { delay: { seconds: 0n, nanos: delayMs * 1_000_000 } } : {};
    await this.#answer(client, kind, asked, async (rejections, signal) => {
      const request = { ...this.#key, rejections, verdict: VERDICTS[kind], reason: `as chance has it`, code: 'CHANCE' };
      const { offset, results } = await client.consumers.reject({ ...request, ...delay }, { signal });
      return { offset, results };
    });
  }

  /** Asks for more time. */
  async extend(client: TestClient, asked: readonly Asked[], extensionMs: Millis): Promise<void> {
    const extension = { seconds: 0n, nanos: extensionMs * 1_000_000 };
    await this.#answer(client, 'extend', asked, async (positions, signal) => {
      return client.consumers.extendAckDeadline({ ...this.#key, positions, extension }, { signal });
    });
  }

  /** Asks for more time for all that a member has. */
  async extendAll(client: TestClient, member: string, extensionMs: Millis): Promise<void> {
    const extension = { seconds: 0n, nanos: extensionMs * 1_000_000 };
    const request = { ...this.#key, all: true, member, extension };
    await this.attempt(client, ({ consumers }, signal) => consumers.extendAckDeadline(request, { signal }));
  }

  // --- whoever manages it

  /** The consumer as the server shows it; undefined when it was not answered. */
  async get(client: TestClient): Promise<Consumer | undefined> {
    const began = this.log.moment();
    const { context, name } = this;
    try {
      const { consumer } = await this.#call((signal) => client.consumers.getConsumer({ context, name }, { signal }));
      this.#sawOffset(began, this.log.moment(), consumer?.offset);
      this.record.parked = Number(consumer?.parked ?? 0n);
      return consumer;
    } catch (error) {
      this.#note(error, client);
      return undefined;
    }
  }

  /** Makes a call; whether it was answered. */
  async attempt(
    client: TestClient,
    work: (client: TestClient, signal: AbortSignal) => Promise<unknown>,
  ): Promise<boolean> {
    try {
      await this.#call((signal) => work(client, signal));
      this.#answeredBy(client);
      return true;
    } catch (error) {
      this.#note(error, client);
      return false;
    }
  }

  /** Takes note of a change that took place. */
  changed(change: Omit<ChangeOperation, 'settings'>, settings: ConsumerSettings): void {
    this.#settings = settings;
    this.record.changes.push({ ...change, settings: judged(this, settings) });
  }

  // --- inside

  get #key() {
    return { context: this.context, consumer: this.name };
  }

  /** Makes a call that answers deliveries, and notes what it is answered with. */
  async #answer(
    client: TestClient,
    kind: AnswerOperation['kind'],
    asked: readonly Asked[],
    work: (items: { position: bigint; lease: bigint }[], signal: AbortSignal) => Promise<Answered>,
    upTo?: Position,
  ): Promise<void> {
    const items: AnswerItem[] = asked.map(({ position, lease }) => ({ position, lease, status: undefined }));
    const operation: AnswerOperation = { ...this.log.begin(), kind, items, upTo, passed: undefined };
    this.record.answers.push(operation);
    try {
      const wired = items.map(({ position, lease }) => ({ position: BigInt(position), lease }));
      const answer = await this.#call((signal) => work(wired, signal));
      operation.ended = this.log.moment();
      operation.passed = answer.acknowledgedUpTo;
      for (const [index, item] of items.entries()) item.status = this.#status(answer.results[index], item);
      if (answer.offset === undefined) return;
      const { began, ended } = operation;
      this.record.offsets.push({ began, ended, offset: Number(answer.offset), durable: true });
    } catch (error) {
      this.#note(error, client);
    }
  }

  #newCall(terms: Omit<MemberCall, keyof Span | 'over' | 'lost'>): MemberCall {
    const call = { ...this.log.begin(), ...terms, over: Number.POSITIVE_INFINITY, lost: true };
    this.record.calls.push(call);
    return call;
  }

  #call<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return limited(CALL_MS, [this.#signal], work);
  }

  #saw({ event, lease, attempt, replay }: Delivery, call: MemberCall, at: number): SeenDelivery {
    if (event === undefined) throw new Error('a delivery without an event');
    const body = event.payload?.body;
    const bytes = body?.$case === 'json' ? Buffer.byteLength(JSON.stringify(body.value)) : 0;
    const seen = { at, call, event: loggedEvent(event), bytes, lease, attempt, replay };
    this.record.deliveries.push(seen);
    return seen;
  }

  #sawOffset(began: number, ended: number, offset: bigint | undefined): void {
    if (offset !== undefined) this.record.offsets.push({ began, ended, offset: Number(offset), durable: false });
  }

  #status(result: { position: bigint; status: AckStatus } | undefined, { position }: AnswerItem) {
    const status = result === undefined ? undefined : STATUSES[result.status];
    if (Number(result?.position) !== position || status === undefined)
      this.log.surprises.push(`${this.name}: the answer to ${position} is ${result?.status} for ${result?.position}`);
    return status;
  }

  #answeredBy(client: TestClient): void {
    this.#home = this.#instances.live.find((instance) => instance.client === client) ?? this.#home;
  }

  #note(error: unknown, client: TestClient): void {
    if (isElsewhere(error)) this.#home = this.#instances.live.find((instance) => instance.client !== client);
    const surprise = surpriseOf(error);
    if (surprise !== undefined) this.log.surprises.push(`${this.name}: ${surprise}`);
  }
}

/** A naive reading of what the settings select. */
function judged({ context, name }: RecordedConsumer, settings: ConsumerSettings): JudgedSettings {
  const { filter, ordering, ackTimeout, maxAttempts = 10, ignoreOwn = false } = settings;
  const { topics = [], streams = [], issuers = [] } = filter ?? {};
  const among = (wanted: readonly string[], value: string) => wanted.length === 0 || wanted.includes(value);
  return {
    ...{ ordering, maxAttempts },
    ackTimeoutMs: Number(ackTimeout?.seconds ?? 60n) * 1_000 + (ackTimeout?.nanos ?? 0) / 1_000_000,
    matches: (event) =>
      (context === ALL_CONTEXTS || event.context === context) &&
      among(topics, event.topic) &&
      among(streams, event.stream) &&
      among(issuers, event.issuer) &&
      (event.to === '' || event.to === name) &&
      !(ignoreOwn && event.issuer === name),
  };
}

const SOON = {
  ackTimeout: { seconds: 1n, nanos: 0 },
  retryBackoff: { initial: { seconds: 0n, nanos: 50_000_000 }, max: { seconds: 0n, nanos: 400_000_000 } },
};

/** Settings whose unacknowledged events come back soon, changed as told. */
export function settingsOf(changes: Parameters<typeof ConsumerSettings.fromPartial>[0]): ConsumerSettings {
  return ConsumerSettings.fromPartial({ ...SOON, ...changes });
}
