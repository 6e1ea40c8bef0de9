// Consumers over a log in memory, on a clock that the test moves, and with a source that can be made to fail as no database does: it
// loses wake-ups, and reads that never answer.

import { type ConsumerSettings, DEFAULT_SETTINGS, EARLIEST } from '../../../src/domain/consumers/consumer.js';
import type { Delivery, MemberCredit } from '../../../src/domain/consumers/delivery-types.js';
import { BLANK_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import type { Subscription } from '../../../src/engine/consumers/consumer-subscription.js';
import { Consumers } from '../../../src/engine/consumers/consumers.js';
import { KnownStreams } from '../../../src/engine/consumers/named/known-streams.js';
import type { NamedEvents } from '../../../src/engine/log/event-look-up.js';
import { LogReader } from '../../../src/engine/log/log-reader.js';
import type { LogSource, ReadBatch, Selection, Wake } from '../../../src/engine/log/log-source.js';
import { FairGate } from '../../../src/lib/fair-gate.js';
import type { Acquired, ConsumerRecord, ConsumerStore } from '../../../src/storage/ports/consumer-storage.js';
import type { PlaceStore } from '../../../src/storage/ports/place-storage.js';
import { type Logger, Metrics } from '../../../src/telemetry.js';
import type { Micros, Position } from '../../../src/units.js';
import { newTail } from '../events/log-tail.js';
import { ManualClock, turns } from '../manual-clock.js';

const NO_EVENTS: NamedEvents = { context: 'default', eventIds: [], messageIds: [] };
const CALL = { call: 'Subscribe', by: '' };
const ROOM = { left: 1_000_000, isWritten: true, reserve: () => 1_000_000 };

/** A source whose answers may be lost on the way. */
export class LossySource extends LogReader {
  /** Wake-ups that are still to be lost. */
  wakesToLose = 0;
  /** Reads that are still to begin and never to answer. */
  readsToHang = 0;
  /** How long reads take; 0: what is in memory comes at once. */
  readMs = 0;
  /** Whether a read waits for its turn. */
  queued = false;

  override read(selection: Selection, options: Parameters<LogSource['read']>[1]): Promise<ReadBatch> | ReadBatch {
    if (this.readsToHang > 0) {
      this.readsToHang -= 1;
      return new Promise(() => {});
    }
    if (this.readMs === 0) return super.read(selection, options);
    return new Promise((resolve) => {
      this.clock.after(this.readMs, () => resolve(super.read(selection, options)));
    });
  }

  override onBeyond(position: Position, wake: Wake, selection?: Selection): () => void {
    const lossy: Wake = (passed) => {
      const goOn = wake(passed);
      if (this.wakesToLose === 0) return goOn;
      this.wakesToLose -= 1;
      return () => {};
    };
    return super.onBeyond(position, lossy, selection);
  }

  override isQueued(caller: string): boolean {
    return this.queued || super.isQueued(caller);
  }
}

/** One member that takes what it is given, and keeps it. */
export class SceneMember {
  readonly deliveries: Delivery[] = [];
  /** Who paused the consumer, or undefined, in each sign of life. */
  readonly signs: (string | undefined)[] = [];
  #ended = false;

  get positions(): Position[] {
    return this.deliveries.map(({ position }) => position);
  }

  take(deliveries: readonly Delivery[]): void {
    this.deliveries.push(...deliveries);
  }

  end(): void {
    this.#ended = true;
  }

  get ended(): boolean {
    return this.#ended;
  }
}

export class EngineScene {
  readonly clock = new ManualClock();
  readonly metrics = new Metrics();
  readonly warnings: { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[] = [];
  readonly source: LossySource;
  readonly consumers: Consumers;
  /** Whether the database answers: while it does not, leases are not renewed. */
  databaseIsUp = true;
  /** The kinds of changes that management calls asked to be stored. */
  readonly managed: string[] = [];
  /** What places wait for before they are written. */
  flushing: Promise<void> = Promise.resolve();
  /** What management calls wait for before they are stored. */
  managing: Promise<void> = Promise.resolve();
  /** The times before which moves were to be forgotten. */
  readonly forgotten: Micros[] = [];
  readonly #tail;
  #position: Position = 0;
  readonly #names = new Map<string, number>();
  readonly #settings: ConsumerSettings;

  /** Makes a scene in which every consumer has these settings. */
  constructor(settings: Partial<ConsumerSettings> = {}) {
    this.#settings = { ...DEFAULT_SETTINGS, ackTimeoutMs: 12 * 3_600_000, ...settings };
    const { clock, metrics } = this;
    const log = { oldestPosition: async () => 1 };
    this.#tail = newTail(log, { clock, maxBytes: 1_000_000_000 });
    const deleted = { deletedTo: async () => 0 };
    this.source = new LossySource({ log: log as never, deleted, tail: this.#tail, pages: new FairGate(4), clock });
    const logger: Logger = {
      ...{ debug() {}, info() {}, error() {} },
      warn: (fields, message) => this.warnings.push({ fields: { ...fields }, message }),
    };
    const instance = { id: 'here', address: 'here:1' };
    this.consumers = new Consumers({
      ...{ store: this.#store(), source: this.source, instance, clock, metrics, logger },
      random: () => 0.5,
      management: {
        change: async (_call, { kind }) => {
          this.managed.push(kind);
          await this.managing;
          return 'changed';
        },
      },
      placeStore: this.#placeStore(),
      unread: {
        takeGaps: async () => ({ gaps: [], expiredUnread: 0 }),
        ...{ toldGaps: async () => {}, withGaps: async () => new Map() },
      },
      ephemeral: { kept: (entries: readonly LogEntry[]) => entries },
      parked: {
        list: async () => ({ records: [], next: undefined }),
        stillParked: async (_, positions) => new Set(positions),
      },
      places: { positionsOf: async () => ({ byEventId: [], byMessageId: [] }) },
      consumption: { percentOf: async () => undefined },
      streams: new KnownStreams({ pushedTo: async (_context, names) => new Set(names) }),
      steps: { from: async (_criteria, offset) => ({ offset, moved: 0 }) },
    });
    this.consumers.start();
  }

  /** Lets so many events occur; each in the stream that it names, or in none. */
  async push(count: number, stream: (n: number) => string = () => '', bytes = 10): Promise<void> {
    const entries = Array.from({ length: count }, (_, n) => this.#entry(stream(n), bytes));
    this.#tail.publish(entries);
    await turns();
  }

  get head(): Position {
    return this.#position;
  }

  /** Subscribes a member that reads all the time. */
  async subscribe(consumer: string, member: string, credit: Partial<MemberCredit> = {}): Promise<SceneMember> {
    const taken = new SceneMember();
    const subscription = await this.subscription(consumer, member, credit);
    const read = async () => {
      for (;;) {
        const frame = await subscription.next(ROOM);
        if (frame === undefined) return;
        if (frame.kind === 'deliveries') taken.take(frame.deliveries);
        if (frame.kind === 'heartbeat') taken.signs.push(frame.pause?.by);
      }
    };
    read().then(
      () => taken.end(),
      () => taken.end(),
    );
    await turns();
    return taken;
  }

  /** Subscribes a member that reads what the test reads. */
  async subscription(consumer: string, member: string, credit: Partial<MemberCredit> = {}): Promise<Subscription> {
    const { subscription } = await this.consumers.subscribe({
      ...{
        key: { context: 'default', name: consumer },
        start: EARLIEST,
        settings: {},
        mustExist: undefined,
        member,
        call: CALL,
      },
      credit: { maxInFlight: 100, maxInFlightBytes: 1_000_000, ...credit },
      ...{ measure: () => 10, address: `${member}:1`, signal: new AbortController().signal },
    });
    return subscription;
  }

  /** Asks for events once, and waits for a first one. */
  fetch(consumer: string, limit: number, waitMs: number): SceneMember {
    const taken = new SceneMember();
    const use = {
      key: { context: 'default', name: consumer },
      start: EARLIEST,
      settings: {},
      mustExist: undefined,
      call: CALL,
    };
    const signal = new AbortController().signal;
    const options = { limit, waitMs, requestId: '', measure: () => 10, address: 'fetch:1', signal };
    this.consumers.fetch(use, 'fetching', options).then(
      ({ batch }) => {
        taken.take(batch.deliveries);
        taken.end();
      },
      () => taken.end(),
    );
    return taken;
  }

  async acknowledge(consumer: string, deliveries: readonly Delivery[]) {
    const rest = { events: NO_EVENTS, upTo: undefined, member: undefined };
    const key = { context: 'default', name: consumer };
    return (await this.consumers.acknowledge(key, { answers: deliveries, ...rest })).statuses;
  }

  async view(consumer: string) {
    return (await this.consumers.get({ context: 'default', name: consumer })).view;
  }

  /** Consumers that stood still, by how they were mended. */
  async stalls(): Promise<Record<string, number>> {
    const { values } = await this.metrics.consumerStalls.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels.mended, value]));
  }

  #entry(stream: string, bytes: number): LogEntry {
    const n = Number(this.#position) + 1;
    this.#position = n;
    const payload = { contentType: '', bytes: new Uint8Array(bytes) };
    const own = { position: n, eventId: n, kind: EntryKind.OCCURRED, sequence: n, createdAt: n };
    return { ...BLANK_ENVELOPE, context: 'default', topic: 'orders', stream, messageId: '', ...own, payload };
  }

  /** Has no snapshot, and takes note of what moves it is to forget. */
  #placeStore(): PlaceStore {
    const forgetMoves = async (before: Micros) => {
      this.forgotten.push(before);
      return 0;
    };
    return {
      ...{ listMoves: async () => [], listSnapshots: async () => [], countSnapshots: async () => 0, forgetMoves },
      findSnapshot: async () => undefined,
    };
  }

  /** Keeps nothing but which consumers there are: the engine under test holds them all the time. */
  #store(): ConsumerStore {
    const record = (name: string, id: number): ConsumerRecord => ({
      ...{ id, context: 'default', name, settings: this.#settings, generation: 1, generationLease: 1 },
      ...{ generationOffset: 0, offset: 0, acked: new Uint8Array(), movedAt: undefined, createdAt: 1 },
      ...{ nextAt: undefined, owner: undefined, pause: undefined, expiredUnread: 0 },
    });
    const acquire = async ({ name }: { readonly name: string }): Promise<Acquired> => {
      const id = this.#names.get(name) ?? this.#names.size + 1;
      this.#names.set(name, id);
      const leases = { next: 1, end: 1_000_000_000 };
      return {
        kind: 'acquired',
        record: record(name, id),
        hold: { id, epoch: 1 },
        leases,
        failures: [],
        hasGaps: false,
      };
    };
    const owned = () => [...this.#names].map(([name, id]) => ({ id, epoch: 1, context: 'default', name }));
    const store: Partial<ConsumerStore> = {
      acquire,
      renew: async () => {
        if (!this.databaseIsUp) throw new Error('the database does not answer');
        return this.#names.size;
      },
      listOwned: async () => owned(),
      release: async () => {},
      flush: async () => {
        await this.flushing;
        return new Set();
      },
      sweepEphemeral: async () => [],
    };
    return store as ConsumerStore;
  }
}
