// Where a reading of ReadEvents begins and ends.

import type { ReadEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { MadeleineError } from '../../domain/errors.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import type { LogSource } from '../../engine/log/log-source.js';
import { namedPosition } from '../../engine/log/named-position.js';
import type { Position } from '../../units.js';
import { assertSaidOnce } from '../wire/filter-wire.js';

export interface ReadingSpan {
  /** Everything after this position is read. */
  readonly after: Position;
  /** The last position that is read; undefined: the head. */
  readonly upTo: Position | undefined;
}

type SpanSource = Parameters<typeof namedPosition>[0] & Pick<LogSource, 'positionAt'>;

/** The span of positions that the request asks for: without scanning what its times exclude. */
export async function readingSpan(
  source: SpanSource,
  request: ReadEventsRequest,
  { startTime, endTime }: EventCriteria,
  signal: AbortSignal,
): Promise<ReadingSpan> {
  assertEnds(request);
  const after = await namedPosition(source, beginningOf(request), signal);
  const start = startTime === undefined ? after : Math.max(after, await source.positionAt(startTime));
  const ends = [];
  if (endTime !== undefined) ends.push(await source.positionAt(endTime));
  const { beforePosition } = request.filter ?? {};
  if (beforePosition !== undefined) ends.push(Math.max(0, Number(beforePosition) - 1));
  return { after: start, upTo: ends.length === 0 ? undefined : Math.min(...ends) };
}

/** The position that the request reads after, and the field that says so. */
function beginningOf({ afterPosition, filter }: ReadEventsRequest) {
  const ofFilter = { field: 'filter.after_position', position: filter?.afterPosition ?? 0n };
  if (ofFilter.position === 0n) return { field: 'after_position', position: afterPosition };
  assertSaidOnce(ofFilter.field, afterPosition === 0n ? [] : ['after_position']);
  return ofFilter;
}

/** Throws where a reading that has an end is to go on without one. */
function assertEnds({ follow, filter }: ReadEventsRequest): void {
  if (!follow || filter === undefined) return;
  const ends = [
    ...(filter.endTime === undefined ? [] : ['filter.end_time']),
    ...(filter.beforePosition === undefined ? [] : ['filter.before_position']),
  ];
  const [end] = ends;
  if (end === undefined) return;
  const description = `has an end: it goes without \`${ends.join('` and `')}\``;
  const violations = [
    { field: 'follow', description },
    ...ends.map((field) => ({ field, description: 'is an end: it goes without `follow`' })),
  ];
  throw new MadeleineError('FIELD_INVALID', `follow: ${description}`, { violations });
}
