// The criteria and frames of the event calls, from and to the wire.

import type { EventFilter } from '../../../generated/madeleine/v1/event.js';
import {
  type ReadEventsRequest,
  ReadEventsResponse,
  WatchEventsResponse,
} from '../../../generated/madeleine/v1/event_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { wireName } from '../../domain/events/envelope.js';
import { type EventCriteria, ONE_FIELDS, type OneCriteria } from '../../domain/events/event-filter.js';
import { nameProblem } from '../../domain/names.js';
import type { ReadFrame, WatchFrame } from '../../engine/log/read-and-watch.js';
import {
  descriptionFilter,
  earlierThanField,
  entryKinds,
  eventKinds,
  labelField,
  laterThanField,
  nameList,
  oneName,
  oneSubject,
  readContext,
  subjectList,
} from '../wire/wire.js';

const MAX_FILTER_PROPERTIES = 16;

/** Leaves out what is not set, so that criteria compare and compile by what they say. */
function setOnly<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const set = Object.entries(members).filter(([, value]) => value !== undefined && value !== '' && !isEmptyList(value));
  return Object.fromEntries(set) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** The criteria of ListEvents; positions are not among them. */
export function listCriteria(filter: EventFilter | undefined, path: string): EventCriteria {
  if (filter === undefined) return { context: readContext(`${path}context`, '') };
  const label = (name: string, text: string) => labelField(`${path}${name}`, text);
  return {
    context: readContext(`${path}context`, filter.context),
    ...setOnly({
      kinds: eventKinds(`${path}statuses`, filter.statuses),
      topics: nameList(`${path}topics`, filter.topics),
      streams: oneName(`${path}stream`, filter.stream),
      issuers: oneName(`${path}issuer`, filter.issuer),
      subjects: oneSubject(`${path}subject`, filter.subject),
      tags: filter.tag === '' ? [] : [label('tag', filter.tag)],
      entityTypes: filter.entityType === '' ? [] : [label('entity_type', filter.entityType)],
      ...oneCriteria(path, filter),
      properties: propertiesFilter(`${path}properties`, filter.properties),
      description: descriptionFilter(`${path}description`, filter.description),
      startTime: laterThanField(`${path}start_time`, filter.startTime),
      endTime: earlierThanField(`${path}end_time`, filter.endTime),
    }),
  };
}

function oneCriteria(path: string, filter: EventFilter): OneCriteria {
  return Object.fromEntries(ONE_FIELDS.map((field) => [field, labelField(path + wireName(field), filter[field])]));
}

function propertiesFilter(field: string, properties: Readonly<Record<string, string>>) {
  const pairs = Object.entries(properties);
  if (pairs.length === 0) return undefined;
  if (pairs.length > MAX_FILTER_PROPERTIES) throw fieldInvalid(field, `has more than ${MAX_FILTER_PROPERTIES} members`);
  const problem = pairs.map(([key]) => nameProblem(key)).find((found) => found !== undefined);
  if (problem !== undefined) throw fieldInvalid(field, `a key ${problem}`);
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The criteria of ReadEvents; positions are not among them. */
export function readCriteria(request: ReadEventsRequest): EventCriteria {
  return {
    context: readContext('context', request.context),
    ...setOnly({
      kinds: entryKinds('statuses', request.statuses),
      topics: nameList('topics', request.topics),
      streams: oneName('stream', request.stream),
      issuers: oneName('issuer', request.issuer),
      subjects: subjectList('subjects', request.subjects),
      tags: nameList('tags', request.tags),
      entityTypes: nameList('entity_types', request.entityTypes),
      description: descriptionFilter('description', request.description),
      startTime: laterThanField('start_time', request.startTime),
    }),
  };
}

/** A frame of ReadEvents that carries no events, encoded. */
export function readNewsFrame(frame: Exclude<ReadFrame, { kind: 'events' }>): Uint8Array {
  return ReadEventsResponse.encode({ events: [], frame: readNews(frame) }).finish();
}

function readNews(frame: Exclude<ReadFrame, { kind: 'events' }>): NonNullable<ReadEventsResponse['frame']> {
  switch (frame.kind) {
    case 'gap':
      return { $case: 'gap', value: { firstPosition: BigInt(frame.first), lastPosition: BigInt(frame.last) } };
    case 'progress':
      return { $case: 'progress', value: { position: BigInt(frame.position), head: BigInt(frame.head) } };
    case 'caught_up':
      return { $case: 'caughtUp', value: { position: BigInt(frame.position) } };
    case 'going_away':
      return { $case: 'goingAway', value: { position: BigInt(frame.position) } };
  }
}

/** A frame of WatchEvents that carries no events, encoded. */
export function watchNewsFrame(frame: Exclude<WatchFrame, { kind: 'events' }>): Uint8Array {
  return WatchEventsResponse.encode({ events: [], frame: watchNews(frame) }).finish();
}

function watchNews(frame: Exclude<WatchFrame, { kind: 'events' }>): NonNullable<WatchEventsResponse['frame']> {
  switch (frame.kind) {
    case 'watching':
      return { $case: 'watching', value: { position: BigInt(frame.position) } };
    case 'missed':
      return { $case: 'missed', value: { firstPosition: BigInt(frame.first), lastPosition: BigInt(frame.last) } };
    case 'going_away':
      return { $case: 'goingAway', value: { position: BigInt(frame.position) } };
  }
}
