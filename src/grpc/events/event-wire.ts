// The criteria and frames of the event calls, from and to the wire.

import { EventFilter } from '../../../generated/madeleine/v1/event.js';
import {
  type ReadEventsRequest,
  ReadEventsResponse,
  type WatchEventsRequest,
  WatchEventsResponse,
} from '../../../generated/madeleine/v1/event_service.js';
import type { EventCriteria } from '../../domain/events/event-filter.js';
import { normalFilter } from '../../domain/events/normal-filter.js';
import type { ReadFrame, WatchFrame } from '../../engine/log/read-and-watch.js';
import { assertSaidOnce, filterToWire, listedFromWire, readFromWire, timelessFromWire } from '../wire/filter-wire.js';
import {
  descriptionFilter,
  entryKinds,
  laterThanField,
  nameList,
  oneName,
  readContext,
  subjectList,
} from '../wire/wire.js';
import { gapToWire } from './gap-wire.js';

/** The criteria of ListEvents; positions are not among them. */
export function listCriteria(filter: EventFilter | undefined): EventCriteria {
  return listedFromWire('filter', filter ?? EventFilter.create());
}

/** The filter in force of a page of ListEvents, encoded; undefined: the request has none. */
export function listEcho(filter: EventFilter | undefined, criteria: EventCriteria): Uint8Array | undefined {
  return filter && EventFilter.encode(filterToWire(criteria, filter)).finish();
}

/** The criteria of ReadEvents; positions are not among them. */
export function readCriteria(request: ReadEventsRequest): EventCriteria {
  const { filter } = request;
  if (filter === undefined) return formerCriteria(request);
  assertSaidOnce('filter', saidBeside(request, READ_BESIDE));
  return readFromWire('filter', filter);
}

/** What a request of ReadEvents says without the filter. */
function formerCriteria(request: ReadEventsRequest): EventCriteria {
  const description = descriptionFilter('description', request.description);
  const startTime = laterThanField('start_time', request.startTime);
  return {
    context: readContext('context', request.context),
    ...normalFilter({
      kinds: entryKinds('statuses', request.statuses),
      topics: nameList('topics', request.topics),
      streams: oneName('stream', request.stream),
      issuers: oneName('issuer', request.issuer),
      subjects: subjectList('subjects', request.subjects),
      tags: nameList('tags', request.tags),
      entityTypes: nameList('entity_types', request.entityTypes),
      ...(description === undefined ? {} : { description }),
    }),
    ...(startTime === undefined ? {} : { startTime }),
  };
}

/** The criteria of WatchEvents. */
export function watchCriteria(request: WatchEventsRequest): EventCriteria {
  const { filter, context } = request;
  if (filter === undefined) {
    return {
      context: readContext('context', context),
      ...normalFilter({ topics: nameList('topics', request.topics) }),
    };
  }
  assertSaidOnce('filter', saidBeside(request, WATCH_BESIDE));
  return { context: readContext('filter.context', filter.context), ...timelessFromWire('filter', filter) };
}

/** Fields beside the filter that say what it can say, by their names in the contract. */
const READ_BESIDE = {
  ...{
    context: 'context',
    topics: 'topics',
    startTime: 'start_time',
    stream: 'stream',
    issuer: 'issuer',
    subjects: 'subjects',
  },
  ...{ tags: 'tags', entityTypes: 'entity_types', statuses: 'statuses', description: 'description' },
} as const satisfies Partial<Record<keyof ReadEventsRequest, string>>;
const WATCH_BESIDE = { context: 'context', topics: 'topics' } as const satisfies Partial<
  Record<keyof WatchEventsRequest, string>
>;

/** The names of those of the fields that are set. */
function saidBeside<Field extends string>(
  request: Readonly<Record<NoInfer<Field>, unknown>>,
  names: Readonly<Record<Field, string>>,
): string[] {
  return (Object.keys(names) as Field[]).filter((field) => isSaid(request[field])).map((field) => names[field]);
}

function isSaid(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '';
}

/** The first frame of ReadEvents of a request with a filter, encoded. */
export function readOpenedFrame(criteria: EventCriteria, filter: EventFilter, logEpoch: number): Uint8Array {
  const value = { filter: filterToWire(criteria, filter), logEpoch: BigInt(logEpoch) };
  return ReadEventsResponse.encode({ events: [], frame: { $case: 'opened', value } }).finish();
}

/** A frame of ReadEvents that carries no events, encoded. */
export function readNewsFrame(frame: Exclude<ReadFrame, { kind: 'events' }>): Uint8Array {
  return ReadEventsResponse.encode({ events: [], frame: readNews(frame) }).finish();
}

function readNews(frame: Exclude<ReadFrame, { kind: 'events' }>): NonNullable<ReadEventsResponse['frame']> {
  switch (frame.kind) {
    case 'gap':
      return { $case: 'gap', value: gapToWire(frame) };
    case 'progress':
      return { $case: 'progress', value: { position: BigInt(frame.position), head: BigInt(frame.head) } };
    case 'caught_up':
      return { $case: 'caughtUp', value: { position: BigInt(frame.position) } };
    case 'going_away':
      return { $case: 'goingAway', value: { position: BigInt(frame.position) } };
  }
}

type WatchNews = Exclude<WatchFrame, { kind: 'events' }>;

/** A frame of WatchEvents that carries no events, encoded. `filter`: the one in force, to be echoed. */
export function watchNewsFrame(frame: WatchNews, filter?: EventFilter): Uint8Array {
  return WatchEventsResponse.encode({ events: [], frame: watchNews(frame, filter) }).finish();
}

function watchNews(frame: WatchNews, filter: EventFilter | undefined): NonNullable<WatchEventsResponse['frame']> {
  switch (frame.kind) {
    case 'watching':
      return { $case: 'watching', value: { position: BigInt(frame.position), filter } };
    case 'missed':
      return { $case: 'missed', value: { firstPosition: BigInt(frame.first), lastPosition: BigInt(frame.last) } };
    case 'going_away':
      return { $case: 'goingAway', value: { position: BigInt(frame.position) } };
  }
}
