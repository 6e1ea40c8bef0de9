// The calls of TopicService about retention: what would go, how far it is, and letting it go on.

import {
  type GetRetentionStateRequest,
  type GetRetentionStateResponse,
  type PreviewRetentionRequest,
  type PreviewRetentionResponse,
  type ResumeRetentionRequest,
  type ResumeRetentionResponse,
  type RetentionHolder,
  TopicRetention,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldError, type MadeleineError } from '../../domain/errors.js';
import { policyOf, type RetentionPolicy } from '../../domain/retention/retention-policy.js';
import { EPHEMERAL, tellMicros } from '../../domain/retention/ttl.js';
import {
  settingsFrom,
  TOPIC_SETTINGS,
  type TopicSettings,
  UNSET_SETTINGS,
} from '../../domain/topics/topic-settings.js';
import type { LogSource } from '../../engine/log/log-source.js';
import type { RetentionReport, TopicName, TopicState } from '../../engine/retention/retention-report.js';
import type { Holder } from '../../engine/retention/surplus-report.js';
import type { Topics } from '../../engine/topics/topics.js';
import type { Micros } from '../../units.js';
import { managementCall } from '../wire/management-call.js';
import { BY_NAME, listPage } from '../wire/pages.js';
import { nameKey, readContext, toTimestamp } from '../wire/wire.js';
import { archiveHoldToWire } from './archive-wire.js';

export interface RetentionCallsOptions {
  readonly report: RetentionReport;
  readonly topics: Pick<Topics, 'get' | 'settingsOf'>;
  readonly source: Pick<LogSource, 'epoch'>;
}

export class RetentionCalls {
  readonly #options: RetentionCallsOptions;

  constructor(options: RetentionCallsOptions) {
    this.#options = options;
  }

  async preview(request: PreviewRetentionRequest): Promise<PreviewRetentionResponse> {
    const { topics, report } = this.#options;
    const given = request.settings && settingsFrom(request.settings, 'settings');
    const topic = await topics.get(nameKey(request));
    const settings = given ?? topic.registration?.settings ?? UNSET_SETTINGS;
    const found = await report.preview(topic, settings);
    const { events, bytes, isMinimum, oldest, newest, notPassed, heldFrom, archiveHold } = found;
    return {
      ...{ events: BigInt(events), bytes: BigInt(bytes), atLeast: isMinimum },
      oldestAt: oldest && toTimestamp(oldest.createdAt),
      oldestPosition: BigInt(oldest?.position ?? 0),
      newestAt: newest && toTimestamp(newest.createdAt),
      newestPosition: BigInt(newest?.position ?? 0),
      notPassed: notPassed.map(holderToWire),
      heldFrom: BigInt(heldFrom),
      archiveHold: archiveHold && archiveHoldToWire(archiveHold),
    };
  }

  async state(request: GetRetentionStateRequest): Promise<GetRetentionStateResponse> {
    const { report, source } = this.#options;
    const context = readContext('context', request.context);
    const clock = await report.clock();
    const { items, nextPageToken } = await listPage(request, {
      of: ['GetRetentionState', { context }],
      epoch: source.epoch,
      key: BY_NAME,
      read: (after, limit) => report.topics(context, after, limit, clock),
      toWire: stateToWire,
      codec: TopicRetention,
    });
    const { stopped, waitsUntil, now } = clock;
    return {
      stoppedAt: stopped && toTimestamp(stopped.at),
      leaptSeconds: seconds(stopped?.leaptBy ?? 0),
      waitsUntil: waitsUntil > now ? toTimestamp(waitsUntil) : undefined,
      topics: items,
      nextPageToken,
    };
  }

  /** Throws SETTINGS_DIFFER where durable consumers would lose what they have not passed by what a topic is registered with at first. */
  async assertMayRegister(key: TopicName, settings: TopicSettings): Promise<void> {
    if (policyOf(settings) === undefined) return;
    const isRegistered = (await this.#options.topics.settingsOf(key)) !== undefined;
    if (!isRegistered) await this.#assertNobodyLoses(key, UNSET_SETTINGS, settings);
  }

  /** Throws SETTINGS_DIFFER where durable consumers would lose what they have not passed by other settings of retention. */
  async assertMayUpdate(key: TopicName, patch: Partial<TopicSettings>): Promise<void> {
    if (RETENTION_SETTINGS.every((one) => patch[one] === undefined)) return;
    const before = await this.#options.topics.settingsOf(key);
    if (before !== undefined) await this.#assertNobodyLoses(key, before, { ...before, ...patch });
  }

  async resume(request: ResumeRetentionRequest): Promise<ResumeRetentionResponse> {
    return { resumed: await this.#options.report.resume(managementCall('ResumeRetention', request)) };
  }

  async #assertNobodyLoses(key: TopicName, before: TopicSettings, after: TopicSettings): Promise<void> {
    const { report } = this.#options;
    const isOtherMode = after.retentionMode !== before.retentionMode;
    if (isOtherMode || after.ttl !== before.ttl) assertNone('ttl', await report.losers(key, after));
    // They mean nothing while a topic is ephemeral.
    const meant = before.ttl === EPHEMERAL ? UNSET_SETTINGS : before;
    for (const name of ['maxEventsPerStream', 'maxBytesPerStream'] as const) {
      const isSmaller = after[name] > 0 && (meant[name] === 0 || after[name] < meant[name]);
      if (after.ttl === EPHEMERAL || !(isSmaller || (isOtherMode && after[name] > 0))) continue;
      const only = { ...UNSET_SETTINGS, retentionMode: after.retentionMode, [name]: after[name] };
      assertNone(TOPIC_SETTINGS[name].name, await report.losersOf(key, only));
    }
  }
}

/** Settings that say what a topic keeps. */
const RETENTION_SETTINGS = ['ttl', 'retentionMode', 'maxEventsPerStream', 'maxBytesPerStream'] as const;

function assertNone(setting: string, [first, ...others]: readonly Holder[]): void {
  if (first !== undefined) throw wouldLose(setting, first, others.length);
}

function wouldLose(setting: string, { context, name, events, isMinimum }: Holder, others: number): MadeleineError {
  const count = `${isMinimum ? 'at least ' : ''}${events} ${events === 1 ? 'event' : 'events'}`;
  const rest = others === 0 ? '' : `, nor ${others} other ${others === 1 ? 'consumer its own' : 'consumers theirs'}`;
  const description = `takes ${count} that consumer "${name}" in "${context}" has not passed${rest}; force does so all the same`;
  return fieldError('SETTINGS_DIFFER', `settings.${setting}`, description, {
    metadata: { context, consumer: name, events: String(events), other_consumers: String(others) },
  });
}

function stateToWire(state: TopicState): TopicRetention {
  const { context, name, policy, place, oldest, overdue, heldBy, kept, isArchived, archiveHold } = state;
  return {
    ...{ context, name, retentionMode: policy.mode },
    ttl: ttlOf(policy),
    deletedEvents: BigInt(place?.goneEvents ?? 0),
    deletedBytes: BigInt(place?.goneBytes ?? 0),
    deletedAt: place === undefined || place.goneAt === 0 ? undefined : toTimestamp(place.goneAt),
    deletedTo: BigInt(place?.lookedTo ?? 0),
    oldestPosition: BigInt(oldest?.position ?? 0),
    oldestAt: oldest && toTimestamp(oldest.createdAt),
    overdueSeconds: seconds(overdue),
    heldBy: heldBy.map(holderToWire),
    keptParked: BigInt(kept.parked),
    keptCallbacks: BigInt(kept.callbacks),
    archive: isArchived,
    archiveHold: archiveHold && archiveHoldToWire(archiveHold),
    maxEventsPerStream: limitToWire(policy.streamLimits?.maxEvents),
    maxBytesPerStream: limitToWire(policy.streamLimits?.maxBytes),
  };
}

function limitToWire(limit = Number.POSITIVE_INFINITY): bigint {
  return Number.isFinite(limit) ? BigInt(limit) : 0n;
}

function ttlOf({ ageMicros, isEphemeral }: RetentionPolicy): string {
  if (isEphemeral === true) return EPHEMERAL;
  return ageMicros === undefined ? '' : tellMicros(ageMicros);
}

function holderToWire({ context, name, offset, events, isMinimum }: Holder): RetentionHolder {
  return { context, consumer: name, offset: BigInt(offset), events: BigInt(events), atLeast: isMinimum };
}

function seconds(micros: Micros): bigint {
  return BigInt(Math.round(micros / 1_000_000));
}
