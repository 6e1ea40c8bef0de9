// Cawins from and to the wire: checks of requests, and the messages that answer them.

import {
  type Attempt,
  AttemptOutcome,
  type Callback,
  type CreateCawinRequest,
  type NearMiss,
  type UpdateCawinRequest,
  type Cawin as WireCawin,
  type Firing as WireFiring,
  CawinState as WireState,
} from '../../../generated/madeleine/v1/cawin_service.js';
import type { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { assertCallbackHeaders } from '../../domain/cawins/callback-headers.js';
import { parseCallbackSecret } from '../../domain/cawins/callback-secret.js';
import { parseCallbackUrl } from '../../domain/cawins/callback-url.js';
import {
  CALLBACK_TIMEOUT,
  type Cawin,
  type CawinState,
  cawinState,
  deliveryIdOf,
  END_KINDS,
  type EndKind,
  type Firing,
  FiringState,
} from '../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../domain/cawins/cawin-attempt.js';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import { EntryKind } from '../../domain/events/event.js';
import { EVENT_STATUS, kindOfStatus } from '../../domain/events/event-status.js';
import type { CallbackDraft, CawinChange, CawinTerms, NewCawin } from '../../engine/cawins/cawins.js';
import type { PushCommand } from '../../engine/group/pushes.js';
import type { NearMiss as FoundMiss } from '../../engine/waits/explain-wait.js';
import { toPushCommand } from '../events/push-validation.js';
import { durationMs, filterValues, idField, requestIdField, timeField, toDuration, toTimestamp } from '../wire/wire.js';
import type { DecodedCheck } from './check-decoder.js';

export function newCawinFromWire(request: CreateCawinRequest): NewCawin {
  return {
    ...termsFromWire(request),
    eventId: idField('event_id', request.eventId),
    active: request.active ?? true,
    expiresAt: timeField('expires_at', request.expiresAt),
  };
}

/** What a request for a cawin says, whatever its event. */
function termsFromWire({
  callback,
  notifyOn,
  requestId,
}: Pick<CreateCawinRequest, 'callback' | 'notifyOn' | 'requestId'>): CawinTerms {
  if (callback === undefined) throw fieldInvalid('callback', 'is required');
  return {
    active: true,
    notifyOn: kindsFromWire('notify_on', notifyOn),
    callback: callbackFromWire(callback),
    requestId: requestIdField(requestId),
  };
}

/** Returns the push that looks or waits, checked by the rules of any other, and the terms of its cawin. */
export function checkOrWaitFromWire({ request, push: decoded }: DecodedCheck): {
  push: PushCommand;
  terms: CawinTerms;
} {
  if (request.description === undefined) throw fieldInvalid('description', 'is required');
  const push = toPushCommand(decoded, '', { maxEventBytes: 0 });
  if (push instanceof MadeleineError) throw withoutPrefix(push);
  return { push, terms: termsFromWire(request) };
}

/** Returns the error with the event's fields as the request's own, which they are here. */
function withoutPrefix(error: MadeleineError): MadeleineError {
  const bare = (text: string) => text.replace(/^event\./, '');
  const violations = error.violations.map(({ field, description }) => ({ field: bare(field), description }));
  return new MadeleineError(error.reason, bare(error.message), { violations });
}

export function callbackFromWire({ url, secret, headers, timeout }: Callback): CallbackDraft {
  parseCallbackUrl(url);
  if (secret !== '') parseCallbackSecret(secret);
  assertCallbackHeaders(headers);
  return { url, secret, headers: { ...headers }, timeoutMs: timeoutFromWire(timeout) };
}

function timeoutFromWire(timeout: Callback['timeout']): number {
  const { defaultMs, minMs: min, maxMs: max } = CALLBACK_TIMEOUT;
  return timeout === undefined ? defaultMs : Math.round(durationMs('callback.timeout', timeout, { min, max }));
}

/** Kinds of end; empty means all. */
function kindsFromWire(field: string, statuses: readonly EventStatus[]): readonly EndKind[] {
  const kinds = filterValues(field, statuses).map((status, index) => {
    const kind = kindOfStatus(status);
    if (kind === undefined || kind === EntryKind.AWAITED || kind === EntryKind.TRANSFERRED)
      throw fieldInvalid(`${field}[${index}]`, 'has to be OCCURRED, INVALIDATED or EXPIRED');
    return kind;
  });
  return kinds.length === 0 ? END_KINDS : END_KINDS.filter((kind) => kinds.includes(kind));
}

/** What an update changes: what its mask names, and to its default what is not given. */
export function cawinChangeFromWire(request: UpdateCawinRequest): CawinChange {
  const { updateMask } = request;
  if (updateMask === undefined || updateMask.length === 0) throw fieldInvalid('update_mask', 'is required');
  const parts = filterValues('update_mask.paths', updateMask).map((path, index) => {
    const part = UPDATES.get(path);
    if (part === undefined) throw fieldInvalid(`update_mask.paths[${index}]`, 'is not a field that can be changed');
    return part(request);
  });
  const callbacks = parts.flatMap(({ callback }) => (callback === undefined ? [] : [callback]));
  const callback =
    callbacks.length === 0 ? {} : { callback: Object.assign({}, ...callbacks) as Partial<CallbackDraft> };
  return { ...Object.assign({}, ...parts), ...callback };
}

const UPDATES = new Map<string, (request: UpdateCawinRequest) => CawinChange>([
  ['active', ({ active }) => ({ active: active ?? true })],
  ['notify_on', ({ notifyOn }) => ({ notifyOn: kindsFromWire('notify_on', notifyOn) })],
  ['expires_at', ({ expiresAt }) => ({ expiresAt: timeField('expires_at', expiresAt) ?? null })],
  ['callback.url', ({ callback }) => ({ callback: { url: urlOf(callback) } })],
  ['callback.secret', ({ callback }) => ({ callback: { secret: secretOf(callback) } })],
  ['callback.headers', ({ callback }) => ({ callback: { headers: headersOf(callback) } })],
  ['callback.timeout', ({ callback }) => ({ callback: { timeoutMs: timeoutFromWire(callback?.timeout) } })],
]);

function urlOf(callback: Callback | undefined): string {
  const url = callback?.url ?? '';
  parseCallbackUrl(url);
  return url;
}

function secretOf(callback: Callback | undefined): string {
  const secret = callback?.secret ?? '';
  if (secret !== '') parseCallbackSecret(secret);
  return secret;
}

function headersOf(callback: Callback | undefined): Readonly<Record<string, string>> {
  const headers = { ...callback?.headers };
  assertCallbackHeaders(headers);
  return headers;
}

const STATES = {
  WAITING: WireState.CAWIN_STATE_WAITING,
  FIRING: WireState.CAWIN_STATE_FIRING,
  FIRED: WireState.CAWIN_STATE_FIRED,
  FAILED: WireState.CAWIN_STATE_FAILED,
  INACTIVE: WireState.CAWIN_STATE_INACTIVE,
  CLOSED: WireState.CAWIN_STATE_CLOSED,
} as const satisfies Record<CawinState, WireState>;

const FIRING_STATES = {
  [FiringState.PENDING]: WireState.CAWIN_STATE_FIRING,
  [FiringState.DELIVERED]: WireState.CAWIN_STATE_FIRED,
  [FiringState.FAILED]: WireState.CAWIN_STATE_FAILED,
  [FiringState.HELD]: WireState.CAWIN_STATE_INACTIVE,
} as const satisfies Record<FiringState, WireState>;

/** States of a list's filter; empty: all. */
export function statesFromWire(field: string, states: readonly WireState[]): ReadonlySet<WireState> {
  filterValues(field, states).forEach((state, index) => {
    if (!(Object.values(STATES) as number[]).includes(state))
      throw fieldInvalid(`${field}[${index}]`, 'is not a state');
  });
  return new Set(states);
}

/** What is said of an event that nearly matched. */
export function nearMissToWire({ difference }: FoundMiss, shortened: boolean): Omit<NearMiss, 'event'> {
  const { matching, leaves, path, expected, found } = difference;
  return { shortened, matchingLeaves: matching, leaves, difference: { path, expected, actual: found } };
}

export function cawinToWire(cawin: Cawin): WireCawin {
  const { expiresAt, formerSecretUntil } = cawin;
  return {
    id: BigInt(cawin.id),
    eventId: BigInt(cawin.eventId),
    context: cawin.context,
    state: STATES[cawinState(cawin)],
    active: cawin.active,
    notifyOn: cawin.notifyOn.map((kind) => EVENT_STATUS[kind].wire),
    callback: {
      url: cawin.url,
      headerNames: [...cawin.headerNames],
      timeout: toDuration(cawin.timeoutMs),
      signed: cawin.signed,
      formerSecretUntil: formerSecretUntil === undefined ? undefined : toTimestamp(formerSecretUntil),
    },
    expiresAt: expiresAt === undefined ? undefined : toTimestamp(expiresAt),
    requestId: cawin.requestId,
    createdAt: toTimestamp(cawin.createdAt),
    firings: cawin.firings.map((firing) => firingToWire(cawin.id, firing)),
  };
}

function firingToWire(cawinId: number, firing: Firing): WireFiring {
  return {
    kind: EVENT_STATUS[firing.kind].wire,
    state: FIRING_STATES[firing.state],
    deliveryId: deliveryIdOf(cawinId, firing.kind),
    position: BigInt(firing.position),
    attempts: firing.attempts,
    nextAttemptAt: firing.dueAt === undefined ? undefined : toTimestamp(firing.dueAt),
    createdAt: toTimestamp(firing.createdAt),
    held: firing.held,
    lastError: firing.lastError,
  };
}

const OUTCOMES = {
  delivered: AttemptOutcome.ATTEMPT_OUTCOME_DELIVERED,
  failed: AttemptOutcome.ATTEMPT_OUTCOME_FAILED,
  rejected: AttemptOutcome.ATTEMPT_OUTCOME_REJECTED,
} as const satisfies Record<AttemptRecord['outcome'], AttemptOutcome>;

export function attemptToWire(attempt: AttemptRecord): Attempt {
  return {
    kind: EVENT_STATUS[attempt.kind].wire,
    number: attempt.number,
    startedAt: toTimestamp(attempt.startedAt),
    outcome: OUTCOMES[attempt.outcome],
    reason: attempt.reason,
    status: attempt.status,
    statusCode: attempt.statusCode,
    latency: toDuration(attempt.latencyMicros / 1000),
    firstBytes: attempt.firstBytes,
    error: attempt.error,
  };
}
