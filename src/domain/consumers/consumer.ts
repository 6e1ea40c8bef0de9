// A consumer's settings: their defaults and bounds, how two are compared, and which entries of the log they select.

import type { Millis, Position } from '../../units.js';
import { fieldError } from '../errors.js';
import type { EventCriteria, EventFilter } from '../events/event-filter.js';
import { ALL_CONTEXTS } from '../names.js';
import { EVERY_EVENT, type FilterField, filterDifferences, isSaidByFilter } from './settings/consumer-filter.js';

/** Which order a consumer keeps; the values are the wire's and are stored. */
export const Ordering = { BY_STREAM: 1, NONE: 2 } as const;
export type Ordering = (typeof Ordering)[keyof typeof Ordering];

/** When an event is delivered again that was rejected without a delay: after `initialMs`, doubled with each further attempt. */
export interface RetryBackoff {
  readonly initialMs: Millis;
  /** Bound of the doubling. */
  readonly maxMs: Millis;
  /** The share of each delay that is left to chance, from 0 to 1. */
  readonly jitter: number;
}

/** The durable settings of a consumer. */
export interface ConsumerSettings {
  /** Which events it gets, in the normal form. */
  readonly filter: EventFilter;
  readonly ackTimeoutMs: Millis;
  readonly maxAttempts: number;
  readonly ordering: Ordering;
  readonly ignoreOwn: boolean;
  readonly ephemeral: boolean;
  readonly retryBackoff: RetryBackoff;
}

/** Settings of which some are not given: at creation they get their defaults, later they mean "as stored". */
export type SettingsPatch = { readonly [K in keyof ConsumerSettings]?: ConsumerSettings[K] | undefined } & {
  /** The field of the request that gives the filter. */
  readonly filterField?: FilterField | undefined;
};

/** Where a new consumer begins, or a seek may go. */
export type StartPosition =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'after-position'; readonly position: Position }
  | { readonly kind: 'after-time'; readonly time: number };

/** So many of the consumer's events from where it is, back if they are negative. */
export interface SeekByEvents {
  readonly kind: 'by-events';
  readonly events: number;
}

export type SeekTarget = StartPosition | SeekByEvents;

export const EARLIEST: StartPosition = { kind: 'earliest' };

/** A consumer is named by its context and name; the context may be `all`. */
export interface ConsumerKey {
  readonly context: string;
  readonly name: string;
}

export const MIN_ACK_TIMEOUT_MS = 1_000;
export const MAX_ACK_TIMEOUT_MS = 12 * 3_600_000;
export const MAX_ATTEMPTS_LIMIT = 1_000;
/** The longest delay of a retry. */
export const MAX_RETRY_DELAY_MS = 24 * 3_600_000;
/** The longest time that one extension gives. */
export const MAX_EXTENSION_MS = 12 * 3_600_000;
/** Values in one list of a filter. */
export const MAX_FILTER_VALUES = 100;
/** Events that a seek goes by. */
export const MAX_SEEK_EVENTS = 10_000;
/** The number up to which `pending` and `affected` are exact. */
export const MAX_EXACT_PENDING = 10_000;

export const DEFAULT_SETTINGS: ConsumerSettings = {
  filter: EVERY_EVENT,
  ackTimeoutMs: 60_000,
  maxAttempts: 10,
  ordering: Ordering.BY_STREAM,
  ignoreOwn: false,
  ephemeral: false,
  retryBackoff: { initialMs: 1_000, maxMs: 300_000, jitter: 0.5 },
};

/** The base with what the patch gives. */
export function applySettings(base: ConsumerSettings, patch: SettingsPatch): ConsumerSettings {
  return {
    filter: patch.filter ?? base.filter,
    ackTimeoutMs: patch.ackTimeoutMs ?? base.ackTimeoutMs,
    maxAttempts: patch.maxAttempts ?? base.maxAttempts,
    ordering: patch.ordering ?? base.ordering,
    ignoreOwn: patch.ignoreOwn ?? base.ignoreOwn,
    ephemeral: patch.ephemeral ?? base.ephemeral,
    retryBackoff: patch.retryBackoff ?? base.retryBackoff,
  };
}

/** The names of settings as the wire calls them. */
export const SETTING_NAMES = {
  filter: 'filter',
  ackTimeoutMs: 'ack_timeout',
  maxAttempts: 'max_attempts',
  ordering: 'ordering',
  ignoreOwn: 'ignore_own',
  ephemeral: 'ephemeral',
  retryBackoff: 'retry_backoff',
} as const satisfies Record<keyof ConsumerSettings, string>;

export const RETRY_BACKOFF_NAMES = {
  initialMs: 'initial',
  maxMs: 'max',
  jitter: 'jitter',
} as const satisfies Record<keyof RetryBackoff, string>;

/** A setting that was given and is not as stored. */
export interface SettingDifference {
  /** Path of the setting as the wire calls it, such as `ack_timeout` or `filter.topics`. */
  readonly field: string;
  /** The stored value, for people. */
  readonly stored: string;
}

/** What the patch gives and the stored settings have otherwise; empty when they agree. */
export function differingSettings(stored: ConsumerSettings, patch: SettingsPatch): readonly SettingDifference[] {
  const differences: SettingDifference[] = [];
  const compare = (field: string, given: unknown, has: unknown, words: unknown) => {
    if (given === undefined || text(given) === text(has)) return;
    differences.push(inText({ field, stored: words }));
  };
  const words = settingsInWords(stored);
  const { filter = stored.filter, filterField = 'filter' } = patch;
  for (const difference of filterDifferences(stored.filter, filter, filterField)) differences.push(inText(difference));
  for (const key of Object.keys(RETRY_BACKOFF_NAMES) as (keyof RetryBackoff)[]) {
    const path = `${SETTING_NAMES.retryBackoff}.${RETRY_BACKOFF_NAMES[key]}`;
    compare(path, patch.retryBackoff?.[key], stored.retryBackoff[key], words.retryBackoff[key]);
  }
  for (const key of Object.keys(SETTING_NAMES) as (keyof ConsumerSettings)[]) {
    const isWhole = key !== 'filter' && key !== 'retryBackoff';
    if (isWhole) compare(SETTING_NAMES[key], patch[key], stored[key], words[key]);
  }
  return differences;
}

const ORDERING_WORDS = { [Ordering.BY_STREAM]: 'BY_STREAM', [Ordering.NONE]: 'NONE' } as const;

/** The settings with their units, and by the names that the contract has for numbers. */
export function settingsInWords(settings: ConsumerSettings) {
  const { initialMs, maxMs, jitter } = settings.retryBackoff;
  return {
    ...settings,
    ackTimeoutMs: inSeconds(settings.ackTimeoutMs),
    ordering: ORDERING_WORDS[settings.ordering],
    retryBackoff: { initialMs: inSeconds(initialMs), maxMs: inSeconds(maxMs), jitter },
  };
}

function inSeconds(ms: Millis): string {
  return `${ms / 1000}s`;
}

function inText({ field, stored }: { readonly field: string; readonly stored: unknown }): SettingDifference {
  return { field, stored: typeof stored === 'string' ? stored : text(stored) };
}

function text(value: unknown): string {
  return JSON.stringify(value);
}

/**
 * Whether a consumer with one of these settings may see other events than with the other. Then its deliveries of before
 * say nothing about its deliveries now, and a new generation begins.
 */
export function selectsOtherwise(a: ConsumerSettings, b: ConsumerSettings): boolean {
  return differingSettings(a, { filter: b.filter, ignoreOwn: b.ignoreOwn }).length > 0;
}

/**
 * Throws where the patch changes the filter by a field that cannot say what is stored: who read the settings by it saw no filter, and
 * would widen the selection unknowingly.
 */
export function assertFilterIsSeen({ filter }: ConsumerSettings, patch: SettingsPatch): void {
  if (patch.filter === undefined || patch.filterField !== 'filter' || isSaidByFilter(filter)) return;
  const description = 'cannot say all that the consumer selects by: change `where`';
  throw fieldError('SETTINGS_DIFFER', 'settings.filter', description);
}

/** The entries that a consumer gets. */
export function consumerCriteria(key: ConsumerKey, settings: ConsumerSettings): EventCriteria {
  return { context: key.context, ...settings.filter, consumer: key.name, ignoreOwn: settings.ignoreOwn };
}

/**
 * The criteria of a consumer, narrowed to one stream; the stream's own context, as `all` has streams of one name in
 * several.
 */
export function streamCriteria(
  key: ConsumerKey,
  settings: ConsumerSettings,
  stream: { readonly context: string; readonly name: string },
): EventCriteria {
  const context = key.context === ALL_CONTEXTS ? stream.context : key.context;
  return { ...consumerCriteria(key, settings), context, streams: [stream.name] };
}
