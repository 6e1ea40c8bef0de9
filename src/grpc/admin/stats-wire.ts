// GetStats from and to the wire.

import type { EventStats, GetStatsRequest, GetStatsResponse } from '../../../generated/madeleine/v1/admin_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { daysOfMonth, dayText, type Period, readDay, readMonth } from '../../domain/statistics/utc-days.js';
import type { Stats, StatsRequest } from '../../engine/statistics/statistics.js';
import type { NamedCount } from '../../storage/ports/statistics-storage.js';
import { readContext, toTimestamp } from '../wire/wire.js';

/** Days of a period: a leap year has as many. */
export const MAX_DAYS = 366;
export const TOP_STREAMS = { default: 10, max: 100 };
export const TOP_TOPICS = { default: 100, max: 1_000 };

/** Reads which statistics are asked for. */
export function statsFromWire(request: GetStatsRequest): StatsRequest {
  return {
    context: readContext('context', request.context),
    period: periodFromWire(request),
    reserved: request.reservedTopics,
    streams: topField('top_streams', request.topStreams, TOP_STREAMS),
    topics: topField('top_topics', request.topTopics, TOP_TOPICS),
  };
}

function periodFromWire({ month, firstDay, lastDay }: GetStatsRequest): Period | undefined {
  if (month !== '' && (firstDay !== '' || lastDay !== '')) throw fieldInvalid('month', 'goes without days');
  if (month !== '') return daysOfMonth(named('month', readMonth(month), 'a month since 1970, such as 2026-11'));
  if (firstDay === '' && lastDay === '') return undefined;
  const [first, last] = [dayField('first_day', firstDay), dayField('last_day', lastDay)];
  if (last < first) throw fieldInvalid('last_day', 'lies before first_day');
  if (last - first >= MAX_DAYS) throw fieldInvalid('last_day', `ends a period of more than ${MAX_DAYS} days`);
  return { first, last };
}

function dayField(field: string, text: string): number {
  if (text === '') throw fieldInvalid(field, 'is required, as the other day is named');
  return named(field, readDay(text), 'a day since 1970, such as 2026-11-27');
}

function named(field: string, value: number | undefined, what: string): number {
  if (value === undefined) throw fieldInvalid(field, `is not ${what}`);
  return value;
}

function topField(
  field: string,
  given: number | undefined,
  limits: { readonly default: number; readonly max: number },
) {
  if (given !== undefined && given < 0) throw fieldInvalid(field, 'must not be negative');
  return Math.min(given ?? limits.default, limits.max);
}

/** Writes statistics. */
export function statsToWire({ asOf, period, total, days, topics, streams }: Stats): GetStatsResponse {
  return {
    asOfPosition: BigInt(asOf.position),
    asOf: asOf.position === 0 ? undefined : toTimestamp(asOf.at),
    firstDay: dayText(period.first),
    lastDay: dayText(period.last),
    events: BigInt(total.events),
    bytes: BigInt(total.bytes),
    days: days.map(({ day, events, bytes, change, changePercent }) => ({
      ...{ day: dayText(day), events: BigInt(events), bytes: BigInt(bytes), change: BigInt(change), changePercent },
    })),
    topics: topics.map(countToWire),
    streams: streams.map(countToWire),
  };
}

function countToWire({ context, name, events, bytes }: NamedCount): EventStats {
  return { context, name, events: BigInt(events), bytes: BigInt(bytes) };
}
