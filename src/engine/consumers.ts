// The consumers of this instance, as the service calls them: opens a session where a call needs one, answers for those that
// are run elsewhere, lets go of what nobody uses.

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  applySettings,
  type ConsumerKey,
  consumerCriteria,
  DEFAULT_SETTINGS,
  differingSettings,
  type SettingsPatch,
  type StartPosition,
} from '../domain/consumer.js';
import type { Answer, MemberCredit } from '../domain/delivery-types.js';
import { assertNever, bug, MadeleineError } from '../domain/errors.js';
import type { Position } from '../domain/event.js';
import { compileCriteria } from '../domain/event-filter.js';
import { scopedKey } from '../domain/names.js';
import type { Clock } from '../lib/clock.js';
import type { ConsumerRecord, ConsumerStore, Instance, ListConsumersOptions } from '../storage/consumer-storage.js';
import type { Logger, Metrics } from '../telemetry.js';
import type { FetchOptions } from './consumer-fetch.js';
import type { Handout, MeasureEntry } from './consumer-outbox.js';
import { ConsumerOwnership } from './consumer-ownership.js';
import { type Acknowledged, ConsumerSession, consumerUnknown, drainingError } from './consumer-session.js';
import type { Subscription } from './consumer-subscription.js';
import { type ConsumerView, countEvents, type EventCount, storedView } from './consumer-view.js';
import type { LogSource } from './log-source.js';
import { OffsetFlusher } from './offset-flusher.js';

/** A session that nobody uses for so long is released. */
const IDLE_MS = 30_000;
const TICK_MS = 1_000;
const SWEEP_MS = 60_000;
/** How long this instance may be behind another one in what it sees of the log. */
const VISIBLE_WAIT_MS = 500;

export interface ConsumersOptions {
  readonly store: ConsumerStore;
  readonly source: LogSource;
  readonly instance: Instance;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** How a call names its consumer, and makes it if need be. */
export interface ConsumerUse {
  readonly key: ConsumerKey;
  /** Where it begins, if the call creates it. */
  readonly start: StartPosition;
  /** What is given has to be as stored. */
  readonly settings: SettingsPatch;
}

export interface SubscribeOptions extends ConsumerUse {
  /** Empty: a name is minted. */
  readonly member: string;
  readonly credit: MemberCredit;
  readonly measure: MeasureEntry;
  /** Its abort means that the subscriber's stream broke. */
  readonly signal: AbortSignal;
}

export interface CountedView {
  readonly view: ConsumerView;
  readonly pending: EventCount;
}

export interface SeekResult {
  readonly formerOffset: Position;
  readonly offset: Position;
  readonly affected: EventCount;
}

export class Consumers {
  readonly #options: ConsumersOptions;
  readonly #ownership: ConsumerOwnership;
  readonly #flusher: OffsetFlusher;
  readonly #sessions = new Map<string, ConsumerSession>();
  /** Consumers that are being acquired or let go of: whoever comes meanwhile waits and looks again. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #draining = false;
  #tickTimer: NodeJS.Timeout | undefined;
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(options: ConsumersOptions) {
    this.#options = options;
    this.#ownership = new ConsumerOwnership(options);
    this.#flusher = new OffsetFlusher(options);
  }

  start(): void {
    this.#ownership.start();
    this.#tickTimer = setInterval(() => this.#tick(), TICK_MS);
    this.#sweepTimer = setInterval(() => void this.#sweep(), SWEEP_MS);
  }

  /**
   * Takes no new consumers or members, and tells the present ones to go. Acknowledgements go on. Resolves when every
   * subscriber has acknowledged what it holds and its stream has ended, or the time is over.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const sessions = [...this.#sessions.values()];
    for (const session of sessions) session.drain();
    const timer = new AbortController();
    const timeIsOver = sleep(graceMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(sessions.map((session) => session.drained)), timeIsOver]);
    timer.abort();
  }

  /** Ends what is left, writes every place and lets go of all consumers. */
  async stop(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#tickTimer);
    clearInterval(this.#sweepTimer);
    await Promise.allSettled(this.#busy.values());
    const sessions = [...this.#sessions.values()];
    const settled = await Promise.allSettled(sessions.map((session) => session.settle()));
    const failed = settled.find((result) => result.status === 'rejected');
    if (failed !== undefined) this.#options.logger.warn({ err: failed.reason }, 'not every offset was written');
    for (const session of sessions) this.#drop(session, drainingError(), undefined);
    await this.#ownership.release(sessions.map((session) => session.key));
    this.#flusher.stop();
    await this.#ownership.stop();
  }

  /** Subscribes a member. Rejects as the contract of Subscribe says. */
  async subscribe(options: SubscribeOptions): Promise<{ subscription: Subscription; view: ConsumerView }> {
    const session = await this.#use(options);
    const name = options.member === '' ? `member-${randomUUID().slice(0, 8)}` : options.member;
    const subscription = session.subscribe(name, options.credit, options.measure);
    const abort = () => subscription.close({ lost: true });
    options.signal.addEventListener('abort', abort, { once: true });
    if (options.signal.aborted) abort();
    return { subscription, view: session.view() };
  }

  async fetch(
    use: ConsumerUse,
    member: string,
    options: FetchOptions,
  ): Promise<{ handout: Handout; offset: Position; head: Position }> {
    const session = await this.#use(use);
    const handout = await session.fetch(member, options);
    return { handout, offset: session.offset, head: session.head };
  }

  /** Resolves once the result is durable. */
  async acknowledge(
    key: ConsumerKey,
    answers: readonly Answer[],
    upTo: Position | undefined,
    member: string | undefined,
  ): Promise<Acknowledged> {
    const session = await this.#session(key);
    return session.acknowledge(answers, upTo, member);
  }

  /** Creates a consumer; one with the same settings is returned as it is, with others it is SETTINGS_DIFFER. */
  async create({ key, start, settings: patch }: ConsumerUse): Promise<CountedView> {
    if (this.#draining) throw drainingError();
    const settings = applySettings(DEFAULT_SETTINGS, patch);
    const record = await this.#create(key, settings, start);
    assertSameSettings(record, settings);
    return this.get(key);
  }

  async get(key: ConsumerKey): Promise<CountedView> {
    const { source, store } = this.#options;
    const session = this.#sessions.get(nameOf(key));
    if (session !== undefined) return { view: session.view(), pending: await session.countPending() };
    const record = await store.find(key);
    if (record === undefined) throw consumerUnknown(key);
    const view = storedView(record, source.visible);
    const criteria = consumerCriteria(key, record.settings);
    const span = { after: record.offset, upTo: source.visible, without: record.acked };
    return { view, pending: await countEvents(source, { criteria, matches: compileCriteria(criteria) }, span) };
  }

  /** By context and name, without counts. */
  async list(options: ListConsumersOptions): Promise<readonly ConsumerView[]> {
    const records = await this.#options.store.list(options);
    const { visible } = this.#options.source;
    return records.map((record) => this.#sessions.get(nameOf(record))?.view() ?? storedView(record, visible));
  }

  async update(key: ConsumerKey, patch: SettingsPatch): Promise<CountedView> {
    const session = await this.#session(key);
    if (differingSettings(session.settings, patch).length > 0) await session.configure(patch);
    return { view: session.view(), pending: await session.countPending() };
  }

  async delete(key: ConsumerKey): Promise<void> {
    const session = await this.#session(key);
    await session.delete();
    this.#forget(session);
  }

  async seek(key: ConsumerKey, to: StartPosition, { dryRun }: { dryRun: boolean }): Promise<SeekResult> {
    const session = await this.#session(key);
    const offset = await this.#positionOf(to, 'to.after_position');
    const formerOffset = session.offset;
    const affected = await session.countBetween(formerOffset, offset);
    if (!dryRun) await session.seek(offset);
    return { formerOffset, offset, affected };
  }

  /**
   * A position that a client named, once this instance sees it. Above the head: POSITION_BEYOND_HEAD. Another instance may
   * have told the client of positions that this one sees a moment later, so it waits a little.
   */
  async visiblePosition(position: Position, field: string): Promise<Position> {
    const { source } = this.#options;
    if (position > source.visible && Number.isSafeInteger(position)) {
      await source.waitBeyond(position - 1, AbortSignal.timeout(VISIBLE_WAIT_MS));
    }
    if (position <= source.visible) return position;
    throw new MadeleineError('POSITION_BEYOND_HEAD', `${field}: is above the head, ${source.visible}`, {
      violations: [{ field, description: 'is above the head' }],
      metadata: { head: String(source.visible) },
    });
  }

  // --- sessions

  /** The session of a call that may create the consumer and checks its settings. */
  async #use(use: ConsumerUse): Promise<ConsumerSession> {
    if (this.#draining) throw drainingError();
    const session = await this.#session(use.key, use);
    assertSameSettings(session, use.settings);
    return session;
  }

  async #session(key: ConsumerKey, creation?: ConsumerUse): Promise<ConsumerSession> {
    const name = nameOf(key);
    for (;;) {
      const running = this.#sessions.get(name);
      if (running !== undefined) return running;
      if (this.#draining) throw drainingError();
      const busy = this.#busy.get(name);
      if (busy !== undefined) {
        // Whoever made it so is told of a failure; this call looks again.
        await busy.catch(() => {});
        continue;
      }
      const opened = await this.#whileBusy(name, () => this.#open(key));
      if (opened !== undefined && opened.ended === undefined) return opened;
      if (opened !== undefined) continue;
      if (creation === undefined) throw consumerUnknown(key);
      await this.#create(key, applySettings(DEFAULT_SETTINGS, creation.settings), creation.start);
    }
  }

  #whileBusy<T>(name: string, work: () => Promise<T>): Promise<T> {
    const busy = work().finally(() => this.#busy.delete(name));
    this.#busy.set(name, busy);
    return busy;
  }

  /** Undefined: there is no such consumer. */
  async #open(key: ConsumerKey): Promise<ConsumerSession | undefined> {
    const { acquired, ownership } = await this.#ownership.acquire(key);
    if (acquired.kind === 'unknown') return undefined;
    if (acquired.kind === 'owned') throw ownedElsewhere(key, acquired.owner);
    if (ownership === undefined) throw bug('a consumer that was acquired has no ownership');
    const session = new ConsumerSession({
      ...this.#options,
      ...{ record: acquired.record, leases: acquired.leases, troubles: acquired.troubles, ownership },
      flusher: this.#flusher,
      address: this.#options.instance.address,
      onEmpty: (emptied) => this.#emptied(emptied),
      onLost: (lost) => this.#forget(lost),
    });
    this.#ownership.listen(key, session);
    this.#sessions.set(nameOf(key), session);
    return session;
  }

  async #create(key: ConsumerKey, settings: ConsumerRecord['settings'], start: StartPosition): Promise<ConsumerRecord> {
    const { store, clock } = this.#options;
    const present = await store.find(key);
    if (present !== undefined) return present;
    const offset = await this.#positionOf(start, 'start.after_position');
    return (await store.create({ ...key, settings, offset, createdAt: clock.nowMs() * 1000 })).record;
  }

  async #positionOf(start: StartPosition, field: string): Promise<Position> {
    const { source } = this.#options;
    switch (start.kind) {
      case 'earliest': {
        // What retention deleted before the consumer existed is no gap for it.
        const { visible } = source;
        const oldest = await source.oldestPosition();
        return oldest === 0 ? visible : oldest - 1;
      }
      case 'latest':
        return source.visible;
      case 'after-position':
        return this.visiblePosition(start.position, field);
      case 'after-time':
        return source.positionAt(start.time);
      default:
        return assertNever(start);
    }
  }

  /** The session runs no more, and the hold is not ours any more either. */
  #forget(session: ConsumerSession): void {
    this.#ownership.forget(session.key);
    this.#remove(session);
  }

  #drop(session: ConsumerSession, error: Error, memberError: Error | undefined): void {
    session.end(error, memberError);
    this.#remove(session);
  }

  #remove(session: ConsumerSession): void {
    const name = nameOf(session.key);
    if (this.#sessions.get(name) !== session) return;
    this.#sessions.delete(name);
    const labels = labelsOf(session);
    const { consumerOffset, consumerLag, consumerInFlight } = this.#options.metrics;
    for (const gauge of [consumerOffset, consumerLag, consumerInFlight]) gauge.remove(labels);
  }

  #emptied(session: ConsumerSession): void {
    // In a drain its members come back elsewhere; if they do not, it is swept.
    if (!session.settings.ephemeral || this.#draining) return;
    void this.#deleteEphemeral(session);
  }

  /** Whoever comes meanwhile waits, and creates it anew. */
  async #deleteEphemeral(session: ConsumerSession): Promise<void> {
    this.#remove(session);
    await this.#whileBusy(nameOf(session.key), async () => {
      try {
        await session.delete();
        this.#ownership.forget(session.key);
      } catch (error) {
        this.#options.logger.warn(
          { err: error, consumer: session.key.name },
          'ephemeral consumer not deleted, it is swept later',
        );
        session.end(drainingError());
        await this.#ownership.release([session.key]);
      }
    });
  }

  // --- what time brings about

  #tick(): void {
    const now = this.#options.clock.nowMs();
    for (const session of this.#sessions.values()) {
      this.#measure(session);
      const { idleSinceMs } = session;
      if (idleSinceMs !== undefined && now - idleSinceMs >= IDLE_MS) void this.#releaseIdle(session, idleSinceMs);
    }
  }

  #measure(session: ConsumerSession): void {
    const { consumerOffset, consumerLag, consumerInFlight } = this.#options.metrics;
    const labels = labelsOf(session);
    consumerOffset.set(labels, session.offset);
    consumerLag.set(labels, session.head - session.offset);
    consumerInFlight.set(labels, session.inFlight);
  }

  async #releaseIdle(session: ConsumerSession, idleSinceMs: number): Promise<void> {
    if (session.settings.ephemeral) return this.#deleteEphemeral(session);
    try {
      await session.settle();
    } catch {
      // The place stays to be written; the next tick tries again.
      return;
    }
    if (session.ended !== undefined || session.idleSinceMs !== idleSinceMs || this.#draining) return;
    this.#drop(session, drainingError(), undefined);
    await this.#whileBusy(nameOf(session.key), () => this.#ownership.release([session.key]));
  }

  async #sweep(): Promise<void> {
    try {
      await this.#options.store.sweepEphemeral();
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'ephemeral consumers not swept');
    }
  }
}

function nameOf(key: ConsumerKey): string {
  return scopedKey(key.context, key.name);
}

function labelsOf({ key }: ConsumerSession): { context: string; consumer: string } {
  return { context: key.context, consumer: key.name };
}

function assertSameSettings(stored: Pick<ConsumerRecord, 'settings'>, given: SettingsPatch): void {
  const differences = differingSettings(stored.settings, given);
  if (differences.length === 0) return;
  const violations = differences.map(({ field, stored: value }) => ({
    field: `settings.${field}`,
    description: `is ${value} as stored`,
  }));
  const fields = violations.map(({ field }) => field).join(', ');
  throw new MadeleineError('SETTINGS_DIFFER', `the consumer exists with other settings: ${fields}`, { violations });
}

function ownedElsewhere(key: ConsumerKey, owner: Instance): MadeleineError {
  return new MadeleineError('OWNED_ELSEWHERE', `consumer "${key.name}" is run by ${owner.address}`, {
    metadata: { owner: owner.address },
    retryAfterMs: 1000,
  });
}
