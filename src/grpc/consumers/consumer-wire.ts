// Consumers from and to the wire: checks of requests, and the messages that answer them. Frames of deliveries are encoded by
// delivery-frames.ts.

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.js';
import type {
  Acknowledgement,
  AcknowledgeRequest,
  AcknowledgeResponse,
  AckResult,
  Consumer,
  ConsumerMember,
  ExtendAckDeadlineRequest,
  FetchRequest,
  RejectRequest,
  SubscribeRequest,
  UpdateConsumerRequest,
  Pause as WirePause,
  RetryBackoff as WireRetryBackoff,
  ConsumerSettings as WireSettings,
  StartPosition as WireStart,
} from '../../../generated/madeleine/v1/consumer_service.js';
import {
  AckStatus,
  ConsumerActivity,
  SubscribeResponse,
  Verdict,
  Ordering as WireOrdering,
} from '../../../generated/madeleine/v1/consumer_service.js';
import {
  type ConsumerKey,
  type ConsumerSettings,
  DEFAULT_SETTINGS,
  EARLIEST,
  MAX_ACK_TIMEOUT_MS,
  MAX_ATTEMPTS_LIMIT,
  MAX_EXTENSION_MS,
  MAX_RETRY_DELAY_MS,
  MIN_ACK_TIMEOUT_MS,
  Ordering,
  type RetryBackoff,
  SETTING_NAMES,
  type SettingsPatch,
  type StartPosition,
} from '../../domain/consumers/consumer.js';
import { LEASE_CHECKS } from '../../domain/consumers/delivery-leases.js';
import type {
  Answer,
  AckStatus as DomainAckStatus,
  MemberCredit,
  Rejection,
} from '../../domain/consumers/delivery-types.js';
import type { ConsumerPause } from '../../domain/consumers/managed/consumer-pause.js';
import { fieldInvalid } from '../../domain/errors.js';
import { ALL_CONTEXTS } from '../../domain/names.js';
import type { Acknowledged, Acknowledging } from '../../engine/consumers/consumer-answers.js';
import type { SubscribeFrame } from '../../engine/consumers/consumer-subscription.js';
import type { ConsumerView, MemberView } from '../../engine/consumers/consumer-view.js';
import type { CountedView, MemberCall } from '../../engine/consumers/consumers.js';
import type { EventAnswer } from '../../engine/consumers/named/event-answers.js';
import type { ConsumerActivity as DomainActivity } from '../../engine/consumers/state/consumer-activity.js';
import type { EventCount } from '../../engine/consumers/state/event-count.js';
import type { NamedEvents } from '../../engine/log/event-look-up.js';
import type { NamedPosition } from '../../engine/log/named-position.js';
import type { Millis } from '../../units.js';
import { gapToWire } from '../events/gap-wire.js';
import { managementCall } from '../wire/management-call.js';
import {
  durationMs,
  filterValues,
  idField,
  laterThanField,
  messageIdField,
  nameKey,
  reasonField,
  requiredName,
  textField,
  toDuration,
  toTimestamp,
} from '../wire/wire.js';
import { filterPatch, filterSettings, maskedFilter, namedStreams } from './consumer-filter-wire.js';
import { assertAtMost, greatestNamed } from './named-positions.js';

export const MAX_ACKNOWLEDGEMENTS = 10_000;
/** Event ids, and message ids: each is looked up. */
export const MAX_ACKNOWLEDGED_IDS = 1_000;
export const MAX_CODE_BYTES = 64;
const CHECKS = BigInt(LEASE_CHECKS);
export const CREDIT_EVENTS = { default: 100, min: 1, max: 65_536 };
export const CREDIT_BYTES = { default: 1024 * 1024, min: 1024, max: 64 * 1024 * 1024 };

/** Which consumer a member's request means, and how it is made if it does not exist and need not. */
export function useFromWire(call: string, request: SubscribeRequest | FetchRequest): MemberCall {
  const key = consumerKey(request);
  return {
    key,
    start: startFromWire('start', request.start),
    settings: settingsFromWire(request.settings, key),
    mustExist: request.mustExist ? namedStreams(request.settings) : undefined,
    call: managementCall(call, request),
  };
}

/** Which consumer a member's request means. */
export function consumerKey({ context, consumer }: { context: string; consumer: string }): ConsumerKey {
  return nameKey({ context, name: consumer }, 'consumer');
}

/** A member's name; empty stays empty. */
export function memberFromWire(member: string): string {
  return member === '' ? '' : requiredName('member', member);
}

/** The credit of a subscriber. */
export function creditFromWire(events: number | undefined, bytes: bigint | undefined): MemberCredit {
  return {
    maxInFlight: bounded('max_in_flight', events, CREDIT_EVENTS),
    maxInFlightBytes: bounded('max_in_flight_bytes', bytes, CREDIT_BYTES),
  };
}

function bounded(
  field: string,
  given: number | bigint | undefined,
  { default: unset, min, max }: { default: number; min: number; max: number },
): number {
  if (given === undefined) return unset;
  if (given < min || given > max) throw fieldInvalid(field, `has to be from ${min} to ${max}`);
  return Number(given);
}

/** Settings of a request about the consumer: what is not set stays undefined. */
export function settingsFromWire(settings: WireSettings | undefined, key: ConsumerKey): SettingsPatch {
  if (settings === undefined) return {};
  const { ackTimeout, maxAttempts, ordering, ignoreOwn, ephemeral, retryBackoff } = settings;
  return {
    ...filterPatch(settings, key),
    ackTimeoutMs: ackTimeout === undefined ? undefined : ackTimeoutMs(ackTimeout),
    maxAttempts:
      maxAttempts === undefined
        ? undefined
        : bounded('settings.max_attempts', maxAttempts, { default: 0, min: 1, max: MAX_ATTEMPTS_LIMIT }),
    ordering: orderingFromWire(ordering),
    ignoreOwn,
    ephemeral,
    retryBackoff: retryBackoff === undefined ? undefined : retryBackoffFromWire(retryBackoff),
  };
}

/** A back-off of which what is not given has its default. */
function retryBackoffFromWire({ initial, max, jitter }: WireRetryBackoff): RetryBackoff {
  const path = 'settings.retry_backoff';
  const unset = DEFAULT_SETTINGS.retryBackoff;
  const delay = (field: string, given: typeof initial, least: number) =>
    given && Math.round(durationMs(`${path}.${field}`, given, { min: least, max: MAX_RETRY_DELAY_MS }));
  const initialMs = delay('initial', initial, 0) ?? unset.initialMs;
  const maxMs = delay('max', max, initialMs) ?? Math.max(unset.maxMs, initialMs);
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) {
    throw fieldInvalid(`${path}.jitter`, 'has to be from 0 to 1');
  }
  return { initialMs, maxMs, jitter: jitter ?? unset.jitter };
}

function ackTimeoutMs(duration: NonNullable<WireSettings['ackTimeout']>): number {
  const bounds = { min: MIN_ACK_TIMEOUT_MS, max: MAX_ACK_TIMEOUT_MS };
  return Math.round(durationMs('settings.ack_timeout', duration, bounds));
}

function orderingFromWire(ordering: WireOrdering): Ordering | undefined {
  switch (ordering) {
    case WireOrdering.ORDERING_UNSPECIFIED:
      return undefined;
    case WireOrdering.ORDERING_BY_STREAM:
      return Ordering.BY_STREAM;
    case WireOrdering.ORDERING_NONE:
      return Ordering.NONE;
    default:
      throw fieldInvalid('settings.ordering', 'is not an ordering');
  }
}

/** What an update changes: the settings that the mask names, those that are not given back to their defaults. */
export function updateFromWire(request: UpdateConsumerRequest, consumer: ConsumerKey): SettingsPatch {
  const { settings, updateMask: mask } = request;
  if (mask === undefined || mask.length === 0) throw fieldInvalid('update_mask', 'is required');
  const paths = filterValues('update_mask.paths', mask);
  const filterField = maskedFilter(settings, paths);
  const given = settingsFromWire(settings, consumer);
  const patch: Record<string, unknown> = { filterField };
  paths.forEach((path, index) => {
    const key = path === 'where' ? 'filter' : SETTING_KEYS.get(path);
    if (key === undefined) throw fieldInvalid(`update_mask.paths[${index}]`, `is not a setting: ${path}`);
    patch[key] = given[key] ?? DEFAULT_SETTINGS[key];
  });
  return patch as SettingsPatch;
}

const SETTING_KEYS: ReadonlyMap<string, keyof ConsumerSettings> = new Map(
  Object.entries(SETTING_NAMES).map(([key, name]) => [name, key as keyof ConsumerSettings]),
);

/** Where a new consumer begins, EARLIEST if unset. */
export function startFromWire(field: string, start: WireStart | undefined): StartPosition {
  return start === undefined ? EARLIEST : positionFromWire(field, start);
}

/** Where a seek goes. */
export function positionFromWire(field: string, start: WireStart | undefined): StartPosition {
  switch (start?.at?.$case) {
    case 'earliest':
      return EARLIEST;
    case 'latest':
      return { kind: 'latest' };
    case 'afterPosition':
      // Beyond the exact range it is above any head, and refused as such.
      return { kind: 'after-position', position: Number(start.at.value) };
    case 'afterTime':
      return { kind: 'after-time', time: laterThanField(`${field}.after_time`, start.at.value) ?? 0 };
    default:
      throw fieldInvalid(field, 'has to name one of earliest, latest, after_position and after_time');
  }
}

interface AnswersInput {
  readonly answers: readonly Answer[];
  /** The greatest position that it names; undefined: none. */
  readonly greatest: NamedPosition | undefined;
}

export interface AcknowledgeInput extends Pick<AnswersInput, 'greatest'> {
  readonly acknowledging: Acknowledging;
}

/** Reads what is acknowledged of the consumer. */
export function acknowledgeFromWire(request: AcknowledgeRequest, { context }: ConsumerKey): AcknowledgeInput {
  const upTo = request.upTo === undefined ? undefined : Number(request.upTo);
  const atLeast = upTo === undefined ? undefined : { position: upTo, field: 'up_to' };
  const member = memberFromWire(request.member);
  const { answers, greatest } = answersFromWire('acknowledgements', request.acknowledgements, atLeast);
  const events = eventsFromWire(request, context);
  return { acknowledging: { answers, events, upTo, member: member === '' ? undefined : member }, greatest };
}

function eventsFromWire({ eventIds, messageIds }: AcknowledgeRequest, context: string): NamedEvents {
  assertAtMost('event_ids', eventIds, MAX_ACKNOWLEDGED_IDS);
  assertAtMost('message_ids', messageIds, MAX_ACKNOWLEDGED_IDS);
  for (const [index, id] of eventIds.entries()) idField(`event_ids[${index}]`, id);
  const known = messageIds.map((id, index) => messageIdField(`message_ids[${index}]`, id));
  if (known.length > 0 && context === ALL_CONTEXTS) {
    throw fieldInvalid('message_ids', 'are unique in a context only, and the consumer is of all: name event_ids');
  }
  return { eventIds, context, messageIds: known };
}

/** Reads what answers deliveries. */
function answersFromWire(field: string, items: readonly Acknowledgement[], atLeast?: NamedPosition): AnswersInput {
  assertAtMost(field, items, MAX_ACKNOWLEDGEMENTS);
  const answers = items.map(answerFromWire);
  const positions = answers.map(({ position }) => position);
  return { answers, greatest: greatestNamed(positions, (index) => `${field}[${index}].position`, atLeast) };
}

/** Reads what is rejected, and what is to become of it. */
export function rejectFromWire(request: RejectRequest): AnswersInput & { readonly rejection: Rejection } {
  const named = answersFromWire('rejections', request.rejections);
  if (named.answers.length === 0) throw fieldInvalid('rejections', 'is required');
  return { ...named, rejection: rejectionFromWire(request) };
}

function rejectionFromWire({ verdict, delay, reason, code }: RejectRequest): Rejection {
  const cause = { code: textField('code', code, MAX_CODE_BYTES), reason: reasonField(reason) };
  if (verdict === Verdict.VERDICT_RETRY) return { action: 'RETRY', delayMs: retryDelayMs(delay), cause };
  const action = FINAL_VERDICTS.get(verdict);
  if (action === undefined) throw fieldInvalid('verdict', 'has to be one of RETRY, PARK and SKIP');
  if (delay !== undefined) throw fieldInvalid('delay', 'goes with RETRY only');
  return { action, cause };
}

/** Verdicts after which the event does not come again by itself. */
const FINAL_VERDICTS: ReadonlyMap<Verdict, 'PARK' | 'SKIP'> = new Map([
  [Verdict.VERDICT_PARK, 'PARK'],
  [Verdict.VERDICT_SKIP, 'SKIP'],
]);

function retryDelayMs(delay: RejectRequest['delay']): number | undefined {
  return delay && Math.ceil(durationMs('delay', delay, { min: 0, max: MAX_RETRY_DELAY_MS }));
}

export interface ExtendInput extends AnswersInput {
  readonly all: boolean;
  /** The member of `all`; undefined: every one. */
  readonly member: string | undefined;
  readonly extensionMs: number;
}

/** Reads what gets more time. */
export function extendFromWire(request: ExtendAckDeadlineRequest): ExtendInput {
  const { positions, all, extension } = request;
  const named = answersFromWire('positions', positions);
  const member = memberFromWire(request.member);
  if (all && positions.length > 0) throw fieldInvalid('all', 'goes without positions');
  if (!all && positions.length === 0) throw fieldInvalid('positions', 'is required, or `all`');
  if (!all && member !== '') throw fieldInvalid('member', 'goes with `all` only');
  return { ...named, all, member: member === '' ? undefined : member, extensionMs: extensionMs(extension) };
}

function extensionMs(extension: ExtendAckDeadlineRequest['extension']): number {
  if (extension === undefined) throw fieldInvalid('extension', 'is required');
  const ms = durationMs('extension', extension, { min: 0, max: MAX_EXTENSION_MS });
  if (ms === 0) throw fieldInvalid('extension', 'has to be more than 0 s');
  return Math.ceil(ms);
}

/** Takes the lease and its check apart, which go out as one number. */
function answerFromWire({ position, lease }: Acknowledgement): Answer {
  return { position: Number(position), lease: Number(lease / CHECKS), leaseCheck: Number(lease % CHECKS) };
}

const ACK_STATUSES = {
  ACCEPTED: AckStatus.ACK_STATUS_ACCEPTED,
  ALREADY: AckStatus.ACK_STATUS_ALREADY,
  STALE: AckStatus.ACK_STATUS_STALE,
  UNKNOWN: AckStatus.ACK_STATUS_UNKNOWN,
} as const satisfies Record<DomainAckStatus, AckStatus>;

/** The results of single answers, in the order of the request. */
export function ackResultsToWire(items: readonly Acknowledgement[], statuses: readonly DomainAckStatus[]): AckResult[] {
  return items.map(({ position }, index) => ({ position, status: ACK_STATUSES[statuses[index] ?? 'UNKNOWN'] }));
}

/** The answer to what the request acknowledges, one by one in its order. */
export function acknowledgedToWire(request: AcknowledgeRequest, done: Acknowledged): AcknowledgeResponse {
  const toWire = ({ position, status }: EventAnswer) => ({ position: BigInt(position), status: ACK_STATUSES[status] });
  const { eventIds, messageIds } = request;
  return {
    offset: BigInt(done.offset),
    results: ackResultsToWire(request.acknowledgements, done.statuses),
    acknowledgedUpTo: done.upTo,
    eventResults: done.byEventId.map((answer, index) => ({ eventId: eventIds[index] ?? 0n, ...toWire(answer) })),
    messageResults: done.byMessageId.map((answer, index) => ({
      messageId: messageIds[index] ?? '',
      ...toWire(answer),
    })),
  };
}

const ACTIVITIES = {
  UNKNOWN: ConsumerActivity.CONSUMER_ACTIVITY_UNSPECIFIED,
  IDLE: ConsumerActivity.CONSUMER_ACTIVITY_IDLE,
  DELIVERING: ConsumerActivity.CONSUMER_ACTIVITY_DELIVERING,
  PAUSED: ConsumerActivity.CONSUMER_ACTIVITY_PAUSED,
  WAITING_FOR_ACKS: ConsumerActivity.CONSUMER_ACTIVITY_WAITING_FOR_ACKS,
  BLOCKED_BY_RETRY: ConsumerActivity.CONSUMER_ACTIVITY_BLOCKED_BY_RETRY,
  NO_MEMBER: ConsumerActivity.CONSUMER_ACTIVITY_NO_MEMBER,
  STOPPING: ConsumerActivity.CONSUMER_ACTIVITY_DRAINING,
  ELSEWHERE: ConsumerActivity.CONSUMER_ACTIVITY_OWNED_ELSEWHERE,
} as const satisfies Record<DomainActivity, ConsumerActivity>;

/** Members that an answer has: with names of any length they are far below what clients take. */
const MAX_MEMBERS_SHOWN = 1_000;

/** Writes a consumer. Without `pending` it was not counted: at least one wherever there is a lag. */
export function consumerToWire(view: ConsumerView, pending?: EventCount, percentOfMatching?: number): Consumer {
  const lag = view.head - view.offset;
  return {
    context: view.context,
    name: view.name,
    settings: settingsToWire(view.settings),
    offset: BigInt(view.offset),
    head: BigInt(view.head),
    lag: BigInt(lag),
    pending: BigInt(pending?.count ?? 0),
    pendingIsMinimum: pending?.isMinimum ?? lag > 0,
    inFlight: view.inFlight,
    parked: BigInt(view.parked),
    oldestUnacknowledged: BigInt(view.oldestUnacknowledged),
    members: view.members.slice(0, MAX_MEMBERS_SHOWN).map(memberToWire),
    movedAt: view.movedAt === undefined ? undefined : toTimestamp(view.movedAt),
    createdAt: toTimestamp(view.createdAt),
    percentConsumed: view.head === 0 ? 100 : (100 * view.offset) / view.head,
    activity: ACTIVITIES[view.activity],
    activityCause: view.activityCause,
    generation: BigInt(view.generation),
    owner: view.owner,
    memberCount: view.members.length,
    activitySince: timeToWire(view.activeSinceMs),
    blockedUntil: timeToWire(view.blockedUntilMs),
    blockedPosition: BigInt(view.blockedPosition),
    mendCommand: view.mendCommand,
    lagTime: view.lagMs === undefined ? undefined : toDuration(view.lagMs),
    pause: pauseToWire(view.pause),
    expiredUnread: BigInt(view.expiredUnread),
    percentOfMatching,
  };
}

/** Writes a consumer with what was counted for it. */
export function countedToWire({ view, pending, percent }: CountedView): Consumer {
  return consumerToWire(view, pending, percent);
}

function pauseToWire(pause: ConsumerPause | undefined): WirePause | undefined {
  return pause && { pausedAt: toTimestamp(pause.pausedAt), by: pause.by, reason: pause.reason };
}

function memberToWire(member: MemberView): ConsumerMember {
  return {
    name: member.name,
    inFlight: member.inFlight,
    inFlightBytes: BigInt(member.inFlightBytes),
    maxInFlight: member.maxInFlight,
    maxInFlightBytes: BigInt(member.maxInFlightBytes),
    subscribedAt: timeToWire(member.subscribedAtMs),
    address: member.address,
    answeredAt: timeToWire(member.answeredAtMs),
  };
}

function timeToWire(ms: Millis | undefined): Timestamp | undefined {
  return ms === undefined ? undefined : toTimestamp(ms * 1000);
}

function settingsToWire(settings: ConsumerSettings): WireSettings {
  return {
    ...filterSettings(settings.filter),
    ackTimeout: toDuration(settings.ackTimeoutMs),
    maxAttempts: settings.maxAttempts,
    ordering: settings.ordering,
    ignoreOwn: settings.ignoreOwn,
    ephemeral: settings.ephemeral,
    retryBackoff: retryBackoffToWire(settings.retryBackoff),
  };
}

function retryBackoffToWire({ initialMs, maxMs, jitter }: RetryBackoff): WireRetryBackoff {
  return { initial: toDuration(initialMs), max: toDuration(maxMs), jitter };
}

/** A frame of Subscribe that carries no deliveries, encoded. */
export function subscribeNewsFrame(frame: Exclude<SubscribeFrame, { kind: 'deliveries' }> | OpenedFrame): Uint8Array {
  return SubscribeResponse.encode({ deliveries: [], frame: newsToWire(frame) }).finish();
}

interface OpenedFrame {
  readonly kind: 'opened';
  readonly view: ConsumerView;
  readonly member: string;
  readonly logEpoch: number;
}

function newsToWire(
  frame: Exclude<SubscribeFrame, { kind: 'deliveries' }> | OpenedFrame,
): NonNullable<SubscribeResponse['frame']> {
  switch (frame.kind) {
    case 'opened': {
      const { view, member, logEpoch } = frame;
      return { $case: 'opened', value: { consumer: consumerToWire(view), member, logEpoch: BigInt(logEpoch) } };
    }
    case 'gap':
      return { $case: 'gap', value: gapToWire(frame) };
    case 'heartbeat': {
      const { head, offset } = frame;
      const place = { head: BigInt(head), offset: BigInt(offset), lag: BigInt(head - offset) };
      return { $case: 'heartbeat', value: { ...place, pause: pauseToWire(frame.pause) } };
    }
    case 'caught_up':
      return { $case: 'caughtUp', value: { position: BigInt(frame.position) } };
    case 'going_away':
      return { $case: 'goingAway', value: { position: BigInt(frame.position) } };
  }
}
