// How consumers read: the columns of their list, and of one consumer with its settings.

import {
  type Consumer,
  ConsumerActivity,
  Ordering,
  type RetryBackoff,
  type SeekConsumerResponse,
} from '../../../../generated/madeleine/v1/consumer_service.js';
import { type EventFilter, Subject } from '../../../../generated/madeleine/v1/event.js';
import { ENVELOPE, wireName } from '../../../domain/events/envelope.js';
import { LIST_FIELDS } from '../../../domain/events/event-filter.js';
import { enumText } from '../../text/enum-text.js';
import { statusText } from '../../text/event-json.js';
import type { Column } from '../../text/output.js';
import { ageText, durationText, timestampText } from '../../text/time-text.js';

const number = (title: string, of: (consumer: Consumer) => bigint | number): Column<Consumer> => ({
  title,
  text: (consumer) => String(of(consumer)),
  right: true,
});

export const LIST_COLUMNS: readonly Column<Consumer>[] = [
  { title: 'CONTEXT', text: ({ context }) => context },
  { title: 'CONSUMER', text: ({ name }) => name },
  { title: 'STATE', text: activityText },
  number('OFFSET', ({ offset }) => offset),
  number('HEAD', ({ head }) => head),
  number('LAG', ({ lag }) => lag),
  { title: 'LAG TIME', text: ({ lagTime }) => (lagTime === undefined ? '-' : ageText(lagTime)), right: true },
  { title: 'PENDING', text: pendingText, right: true },
  { title: 'CONSUMED', text: consumedText, right: true },
  number('IN FLIGHT', ({ inFlight }) => inFlight),
  number('MEMBERS', ({ members, memberCount }) => Math.max(members.length, memberCount)),
  { title: 'SINCE', text: ({ activitySince }) => timestampText(activitySince) || '-' },
  { title: 'CAUSE', text: ({ activityCause }) => activityCause },
];

export const CONSUMER_COLUMNS: readonly Column<Consumer>[] = [
  ...LIST_COLUMNS.slice(0, 2),
  { title: 'STATE', text: (consumer) => [activityText(consumer), consumer.activityCause].filter(Boolean).join(': ') },
  { title: 'SINCE', text: ({ activitySince }) => timestampText(activitySince) || '-' },
  { title: 'PAUSED AT', text: ({ pause }) => timestampText(pause?.pausedAt) || '-' },
  { title: 'BLOCKED UNTIL', text: ({ blockedUntil }) => timestampText(blockedUntil) || '-' },
  { title: 'MENDED BY', text: ({ mendCommand }) => mendCommand || '-' },
  ...LIST_COLUMNS.slice(3, -2),
  number('PARKED', ({ parked }) => parked),
  number('EXPIRED UNREAD', ({ expiredUnread }) => expiredUnread),
  { title: 'OLDEST UNACKNOWLEDGED', text: ({ oldestUnacknowledged }) => String(oldestUnacknowledged || '-') },
  { title: 'MOVED AT', text: ({ movedAt }) => timestampText(movedAt) },
  { title: 'CREATED AT', text: ({ createdAt }) => timestampText(createdAt) },
  { title: 'GENERATION', text: ({ generation }) => String(generation) },
  { title: 'OWNER', text: ({ owner }) => owner },
  // A server that is older tells it by `filter` alone.
  { title: 'FILTER', text: ({ settings }) => filterText(settings?.where ?? settings?.filter) },
  {
    title: 'ACK TIMEOUT',
    text: ({ settings }) => (settings?.ackTimeout === undefined ? '' : durationText(settings.ackTimeout)),
  },
  { title: 'MAX ATTEMPTS', text: ({ settings }) => String(settings?.maxAttempts ?? '') },
  { title: 'RETRY', text: ({ settings }) => retryText(settings?.retryBackoff) },
  { title: 'ORDERING', text: ({ settings }) => enumText(Ordering, 'ORDERING_', settings?.ordering ?? 0) },
  { title: 'IGNORE OWN', text: ({ settings }) => String(settings?.ignoreOwn ?? false) },
  { title: 'EPHEMERAL', text: ({ settings }) => String(settings?.ephemeral ?? false) },
];

/** What a seek did or would do, in one sentence. */
export function seekText(response: Omit<SeekConsumerResponse, 'movedEvents'>, dryRun: boolean): string {
  const { formerOffset, offset, affected, affectedIsMinimum } = response;
  if (offset === formerOffset) return `offset ${formerOffset} -> ${offset}: nothing lies between`;
  const events = `${affected}${affectedIsMinimum ? ' or more' : ''} matching ${affected === 1n ? 'event' : 'events'}`;
  const effect = offset < formerOffset ? 'delivered again' : 'passed over';
  return `offset ${formerOffset} -> ${offset}: ${events} ${dryRun ? 'would be ' : ''}${effect}`;
}

/** Matching events that are not acknowledged, and whether there may be more. */
function pendingText({ pending, pendingIsMinimum }: Consumer): string {
  return `${pending}${pendingIsMinimum ? '+' : ''}`;
}

/** How much of what it gets lies behind it; `-` where that is not told. */
function consumedText({ percentOfMatching }: Consumer): string {
  if (percentOfMatching === undefined) return '-';
  // Not all is consumed before all is.
  return `${(Math.floor(percentOfMatching * 100) / 100).toFixed(2)}%`;
}

function activityText({ activity }: Consumer): string {
  return enumText(ConsumerActivity, 'CONSUMER_ACTIVITY_', activity);
}

/** When what is rejected without a delay comes again. */
function retryText(backoff: RetryBackoff | undefined): string {
  if (backoff?.initial === undefined || backoff.max === undefined) return '';
  const chance = backoff.jitter === undefined ? '' : `, ${Math.round(100 * backoff.jitter)} % left to chance`;
  return `after ${durationText(backoff.initial)}, doubled up to ${durationText(backoff.max)}${chance}`;
}

function filterText(filter: Partial<EventFilter> | undefined): string {
  if (filter === undefined) return 'every event';
  const lists = LIST_FIELDS.map((field) => {
    const values: readonly (string | number)[] = filter[ENVELOPE[field].filter.many] ?? [];
    const words = field === 'subject' ? values.map((value) => enumText(Subject, 'SUBJECT_', Number(value))) : values;
    return [wireName(field).replaceAll('_', ' '), words] as const;
  });
  const { statuses = [], properties = {}, description } = filter;
  const parts = [
    ...lists,
    ['status', statuses.map(statusText)],
    ...Object.entries(properties).map(([key, value]) => ['property', [`${key}=${value}`]] as const),
    ['payload with', description === undefined ? [] : [JSON.stringify(description)]],
  ] as const;
  const set = parts.filter(([, values]) => values.length > 0).map(([name, values]) => `${name} ${values.join(' | ')}`);
  return set.length === 0 ? 'every event' : set.join(', ');
}
