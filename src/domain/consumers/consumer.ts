// A consumer's settings: their defaults and bounds, how two are compared, and which entries of the log they select.

import type { Millis, Position } from '../../units.js';
import type { EntryKind } from '../events/event.js';
import type { EventCriteria } from '../events/event-filter.js';
import { EVENT_STATUS } from '../events/event-status.js';
import { subjectName } from '../events/subject.js';
import { ALL_CONTEXTS } from '../names.js';

/** Which order a consumer keeps; the values are the wire's and are stored. */
export const Ordering = { BY_STREAM: 1, NONE: 2 } as const;
export type Ordering = (typeof Ordering)[keyof typeof Ordering];

/** Which events a consumer gets. Empty lists are not set; lists are sorted and without duplicates, so that equal ones are equal. */
export interface ConsumerFilter {
  readonly topics: readonly string[];
  readonly streams: readonly string[];
  readonly issuers: readonly string[];
  readonly subjects: readonly number[];
  readonly tags: readonly string[];
  readonly entityTypes: readonly string[];
  /** Kinds of entries; empty: OCCURRED. Settings stored by older versions have none. */
  readonly kinds?: readonly EntryKind[];
  /** Text of a description that the payload contains. */
  readonly description?: string;
}

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
  readonly filter: ConsumerFilter;
  readonly ackTimeoutMs: Millis;
  readonly maxAttempts: number;
  readonly ordering: Ordering;
  readonly ignoreOwn: boolean;
  readonly ephemeral: boolean;
  readonly retryBackoff: RetryBackoff;
}

/** Settings of which some are not given: at creation they get their defaults, later they mean "as stored". */
export type SettingsPatch = { readonly [K in keyof ConsumerSettings]?: ConsumerSettings[K] | undefined };

/** Where a new consumer begins, or a seek goes. */
export type StartPosition =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'after-position'; readonly position: Position }
  | { readonly kind: 'after-time'; readonly time: number };

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
/** The number up to which `pending` and `affected` are exact. */
export const MAX_EXACT_PENDING = 10_000;

export const EVERY_EVENT: ConsumerFilter = {
  topics: [],
  streams: [],
  issuers: [],
  subjects: [],
  tags: [],
  entityTypes: [],
};

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

export const FILTER_NAMES = {
  topics: 'topics',
  streams: 'streams',
  issuers: 'issuers',
  subjects: 'subjects',
  tags: 'tags',
  entityTypes: 'entity_types',
  kinds: 'statuses',
  description: 'description',
} as const satisfies Record<keyof ConsumerFilter, string>;

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
    differences.push({ field, stored: typeof words === 'string' ? words : text(words) });
  };
  const words = settingsInWords(stored);
  for (const key of Object.keys(FILTER_NAMES) as (keyof ConsumerFilter)[]) {
    const given = patch.filter && (patch.filter[key] ?? []);
    compare(`filter.${FILTER_NAMES[key]}`, given, stored.filter[key] ?? [], words.filter[key] ?? []);
  }
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
export function settingsInWords({ filter, ...settings }: ConsumerSettings) {
  const { subjects, kinds = [] } = filter;
  const names = { subjects: subjects.map(subjectName), kinds: kinds.map((kind) => EVENT_STATUS[kind].name) };
  const { initialMs, maxMs, jitter } = settings.retryBackoff;
  return {
    ...settings,
    ackTimeoutMs: inSeconds(settings.ackTimeoutMs),
    ordering: ORDERING_WORDS[settings.ordering],
    filter: { ...filter, ...names },
    retryBackoff: { initialMs: inSeconds(initialMs), maxMs: inSeconds(maxMs), jitter },
  };
}

function inSeconds(ms: Millis): string {
  return `${ms / 1000}s`;
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
