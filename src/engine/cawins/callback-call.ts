// One attempt: from a claimed firing to the call, and from its result to what becomes of the firing and its endpoint.

import { deliveryIdOf } from '../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../domain/cawins/cawin-attempt.js';
import type { AttemptHealth } from '../../domain/cawins/endpoint-circuit.js';
import { type RetryPolicy, retryDelayMs } from '../../domain/cawins/retry-policy.js';
import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import { type AwaitTerms, toldView } from '../../domain/waits/wait.js';
import type { Clock } from '../../lib/clock.js';
import type { ClaimedFiring, Verdict } from '../../storage/ports/cawin-storage.js';
import type { Logger, Metrics } from '../../telemetry.js';
import type { EventId } from '../../units.js';
import type { Shown } from '../erasure/erasures.js';
import type { EventLookUp } from '../log/event-look-up.js';
import type { LogSource } from '../log/log-source.js';
import type { AttemptReason, AttemptResult, CallbackAttempt, CallbackSender } from './callback-sender.js';
import { type CawinVault, signingSecrets } from './cawin-secrets.js';

export interface CallbackCallOptions {
  readonly sender: CallbackSender;
  readonly source: LogSource;
  readonly events: EventLookUp;
  readonly vault: CawinVault;
  readonly erasures: Shown;
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

export interface AttemptEnd {
  readonly attempt: AttemptRecord;
  readonly verdict: Verdict;
  readonly health: AttemptHealth;
}

export class CallbackCall {
  readonly #options: CallbackCallOptions;
  /** What is told of entries, by the awaited event: many may wait for one, and share what is encoded of it. */
  readonly #told = new WeakMap<LogEntry, Map<EventId, LogEntry>>();

  constructor(options: CallbackCallOptions) {
    this.#options = options;
  }

  /** Makes the call; never rejects. */
  async make(firing: ClaimedFiring, signal: AbortSignal): Promise<AttemptEnd> {
    const startedAt = this.#options.clock.nowMs() * 1000;
    // More attempts than there are: calls that nobody lived to write down. One more may end the same way.
    const isUsedUp = firing.roundAttempt > this.#options.policy.maxAttempts;
    const result = isUsedUp ? USED_UP : await this.#call(firing, signal);
    this.#options.metrics.attempts.inc({ outcome: result.outcome, reason: result.reason });
    return {
      attempt: recordOf(firing, startedAt, result),
      verdict: this.#verdict(firing, result),
      health: healthOf(result),
    };
  }

  async #call(firing: ClaimedFiring, signal: AbortSignal): Promise<AttemptResult> {
    try {
      const attempt = await this.#attemptOf(firing);
      if (attempt === undefined) return GONE;
      return this.#withoutErased(attempt, await this.#options.sender.send(attempt, signal));
    } catch (error) {
      // Before the call: the entry could not be read, or the secrets not be opened.
      this.#options.logger.error({ err: error, cawin: firing.cawinId }, 'a callback could not be made');
      return { ...NOTHING_SENT, outcome: 'failed', reason: 'internal', error: 'a fault of this server' };
    }
  }

  /** What the receiver answered may repeat what it got: not kept if that is erased by now. */
  #withoutErased({ event: { entry } }: CallbackAttempt, result: AttemptResult): AttemptResult {
    if (this.#options.erasures.shown(entry) === entry) return result;
    const { error: _said, ...rest } = result;
    return { ...rest, status: '', firstBytes: '' };
  }

  async #attemptOf(firing: ClaimedFiring): Promise<CallbackAttempt | undefined> {
    const { vault, clock } = this.#options;
    const found = await this.#entryOf(firing);
    if (found === undefined) return undefined;
    const entry = this.#options.erasures.shown(found);
    const secrets = vault.open(firing.sealed, firing.cawinId);
    return {
      url: firing.url,
      headers: secrets.headers,
      secrets: signingSecrets(secrets, clock.nowMs() * 1000),
      timeoutMs: firing.timeoutMs,
      deliveryId: deliveryIdOf(firing.cawinId, firing.kind),
      attemptNumber: firing.attemptNumber,
      event: { entry, cawinId: firing.cawinId, awaitedId: firing.eventId },
    };
  }

  /** The entry that ended the wait; where the cawin's own deadline did, the event as an expiry of that time. */
  async #entryOf({ position, eventId, createdAt, awaited }: ClaimedFiring): Promise<LogEntry | undefined> {
    const { source, events } = this.#options;
    if (position === 0) {
      const event = await events.byId(eventId);
      return event && expiryOf(event, createdAt, awaited);
    }
    const [entry] = await source.readAt([position]);
    return entry === undefined || awaited === undefined ? entry : this.#toldOf(entry, eventId, awaited);
  }

  #toldOf(entry: LogEntry, awaitedId: EventId, awaited: AwaitTerms): LogEntry {
    const known = this.#told.get(entry) ?? new Map<EventId, LogEntry>();
    this.#told.set(entry, known);
    const former = known.get(awaitedId);
    // What was awaited may be erased by now.
    const isSame = former?.rest?.description === awaited.description;
    const told = isSame ? former : toldView(entry, awaited);
    known.set(awaitedId, told);
    return told;
  }

  #verdict({ roundAttempt }: ClaimedFiring, { outcome, reason, retryAfterMs }: AttemptResult): Verdict {
    if (outcome === 'delivered') return { kind: 'delivered' };
    if (outcome === 'rejected') return { kind: 'failed' };
    if (reason === 'cancelled') return { kind: 'retry', delayMs: 0, counted: false };
    const { policy, random } = this.#options;
    const delayMs = retryDelayMs(policy, { attemptNumber: roundAttempt, retryAfterMs }, random);
    return delayMs === undefined ? { kind: 'failed' } : { kind: 'retry', delayMs, counted: true };
  }
}

const NOTHING_SENT = { status: '', statusCode: 0, latencyMs: 0, firstBytes: '' } as const;
/** See CallbackCall.make. */
const USED_UP: AttemptResult = {
  ...NOTHING_SENT,
  outcome: 'rejected',
  reason: 'internal',
  error: 'its attempts were used up by servers that ended in the middle of them',
};
/** Once retention deletes: the event is gone before anybody took the call. */
const GONE: AttemptResult = {
  ...NOTHING_SENT,
  outcome: 'rejected',
  reason: 'internal',
  error: 'the event was deleted by its retention before it could be told',
};

/** The event as an expiry, whatever became of it after the cawin's own deadline. */
function expiryOf(event: LogEntry, at: number, awaited: AwaitTerms | undefined): LogEntry {
  const { endedById: _ended, satisfiedIds: _satisfied, occurredAt: _at, reason: _why, ...rest } = event.rest ?? {};
  return {
    ...event,
    messageId: event.messageId,
    rest: { ...rest, ...awaited },
    position: 0,
    kind: EntryKind.EXPIRED,
    createdAt: at,
    payload: undefined,
    sequence: 0,
  };
}

function recordOf(firing: ClaimedFiring, startedAt: number, result: AttemptResult): AttemptRecord {
  return {
    kind: firing.kind,
    number: firing.attemptNumber,
    startedAt,
    outcome: result.outcome,
    reason: result.reason,
    status: result.status,
    statusCode: result.statusCode,
    latencyMicros: result.latencyMs * 1000,
    firstBytes: result.firstBytes,
    error: result.error ?? '',
  };
}

/** What an answer says concerns the URL, whatever it is; where nothing answers, the host. What is refused for good is not held. */
function healthOf({ outcome, reason }: AttemptResult): AttemptHealth {
  if (reason === 'cancelled' || reason === 'internal' || reason === 'not_allowed') return 'nothing';
  if (outcome !== 'failed') return 'answers';
  return ANSWERED.has(reason) ? 'refuses' : 'fails';
}

/** The reasons of failures where something answered. */
const ANSWERED: ReadonlySet<AttemptReason> = new Set(['answered', 'gone', 'answer', 'unroutable']);
