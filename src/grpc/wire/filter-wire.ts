// EventFilter, from and to the wire: the one dialect in which requests say which events they want, and answers echo it.

import { EventFilter as WireFilter } from '../../../generated/madeleine/v1/event.js';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import { ENVELOPE, wireName } from '../../domain/events/envelope.js';
import { type EventCriteria, type EventFilter, LIST_FIELDS } from '../../domain/events/event-filter.js';
import { EVENT_STATUS } from '../../domain/events/event-status.js';
import { normalFilter } from '../../domain/events/normal-filter.js';
import { nameProblem } from '../../domain/names.js';
import type { Micros } from '../../units.js';
import { fitsStruct } from './value-writer.js';
import {
  descriptionFilter,
  earlierThanField,
  entryKinds,
  eventKinds,
  filterValues,
  labelField,
  laterThanField,
  nameList,
  oneSubject,
  readContext,
  subjectList,
  toTimestamp,
  Violations,
} from './wire.js';

const MAX_FILTER_PROPERTIES = 16;
/** Bytes of one value, and of all keys and values: no event has more. */
const MAX_PROPERTY_BYTES = 4_096;
const MAX_PROPERTIES_BYTES = 16 * 1024;

/** Fields with lists of texts; topics have no member for a single one. */
const TEXT_FIELDS = LIST_FIELDS.filter((field) => field !== 'subject' && field !== 'topic');
type TextField = Exclude<(typeof LIST_FIELDS)[number], 'subject' | 'topic'>;

/** Where a filter stands in a request: `filter`, or `settings.where`. */
type Path = string;

/** What the filter of a list says: also what is awaited. Positions are not in it. */
export function listedFromWire(path: Path, filter: WireFilter): EventCriteria {
  return criteriaFromWire(path, filter, eventKinds);
}

/** What the filter of a reader says. Positions are not in it. */
export function readFromWire(path: Path, filter: WireFilter): EventCriteria {
  return criteriaFromWire(path, filter, entryKinds);
}

/** What the filter of a watcher or consumer says, which has a beginning of its own. Times and positions are refused. */
export function timelessFromWire(path: Path, filter: WireFilter): EventFilter {
  assertTimeless(path, filter);
  return filterFromWire(path, filter, entryKinds);
}

function criteriaFromWire(path: Path, filter: WireFilter, kindsOf: typeof eventKinds): EventCriteria {
  const startTime = laterThanField(`${path}.start_time`, filter.startTime);
  const endTime = earlierThanField(`${path}.end_time`, filter.endTime);
  return {
    context: readContext(`${path}.context`, filter.context),
    ...filterFromWire(path, filter, kindsOf),
    ...(startTime === undefined ? {} : { startTime }),
    ...(endTime === undefined ? {} : { endTime }),
  };
}

function filterFromWire(path: Path, filter: WireFilter, kindsOf: typeof eventKinds): EventFilter {
  const texts = TEXT_FIELDS.map((field) => {
    const { many } = ENVELOPE[field].filter;
    return [many, joined(path, filter, field)] as const;
  });
  const subjects = [
    ...oneSubject(`${path}.subject`, filter.subject),
    ...subjectList(`${path}.subjects`, filter.subjects),
  ];
  const description = descriptionFilter(`${path}.description`, filter.description);
  return normalFilter({
    topics: nameList(`${path}.topics`, filter.topics),
    ...Object.fromEntries(texts),
    subjects: filterValues(`${path}.subjects`, [...new Set(subjects)]),
    kinds: kindsOf(`${path}.statuses`, filter.statuses),
    properties: propertiesFilter(`${path}.properties`, filter.properties),
    ...(description === undefined ? {} : { description }),
  });
}

/** The values of a list with the single one that has a member of its own. */
function joined(path: Path, filter: WireFilter, field: TextField): readonly string[] {
  const { many } = ENVELOPE[field].filter;
  const list = `${path}.${wireName(many)}`;
  const values = nameList(list, filter[many]);
  const value = labelField(`${path}.${wireName(field)}`, filter[field]);
  return value === '' ? values : filterValues(list, [...new Set([...values, value])]);
}

function propertiesFilter(field: string, properties: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(properties);
  if (pairs.length > MAX_FILTER_PROPERTIES) throw fieldInvalid(field, `has more than ${MAX_FILTER_PROPERTIES} members`);
  let bytes = 0;
  for (const [key, value] of pairs) {
    const problem = nameProblem(key);
    if (problem !== undefined) throw fieldInvalid(field, `a key ${problem}`);
    const valueBytes = Buffer.byteLength(value);
    if (valueBytes > MAX_PROPERTY_BYTES) throw fieldInvalid(field, `a value has more than ${MAX_PROPERTY_BYTES} bytes`);
    bytes += Buffer.byteLength(key) + valueBytes;
  }
  if (bytes > MAX_PROPERTIES_BYTES) throw fieldInvalid(field, `has more than ${MAX_PROPERTIES_BYTES} bytes`);
  return properties;
}

function assertTimeless(path: Path, filter: WireFilter): void {
  const found = new Violations();
  const refuse = (field: string, isGiven: boolean) => {
    if (isGiven) found.add(`${path}.${field}`, 'is not for what has a beginning of its own');
  };
  refuse('start_time', filter.startTime !== undefined);
  refuse('end_time', filter.endTime !== undefined);
  refuse('after_position', filter.afterPosition !== 0n);
  refuse('before_position', filter.beforePosition !== undefined);
  const error = found.error();
  if (error !== undefined) throw error;
}

/** Throws where a request says what it selects in two ways. `beside`: the fields of the other way that it sets. */
export function assertSaidOnce(path: Path, beside: readonly string[]): void {
  if (beside.length === 0) return;
  const violations = [
    ...beside.map((field) => ({ field, description: `goes without \`${path}\`, which can say it` })),
    { field: path, description: `goes without ${beside.map((field) => `\`${field}\``).join(', ')}` },
  ];
  const [first] = violations;
  throw new MadeleineError('FIELD_INVALID', `${first?.field}: ${first?.description}`, { violations });
}

/** Positions that a filter bounds its events by. */
export type FilterPositions = Pick<WireFilter, 'afterPosition' | 'beforePosition'>;
const NO_POSITIONS: FilterPositions = WireFilter.create();

/** The filter in force, as answers echo it: equal ones are equal. A description that clients' decoders would not take is left out. */
export function filterToWire(
  { context = '', startTime, endTime, kinds = [], description, ...filter }: Partial<EventCriteria>,
  { afterPosition, beforePosition }: FilterPositions = NO_POSITIONS,
): WireFilter {
  const lists = LIST_FIELDS.map((field) => {
    const { many } = ENVELOPE[field].filter;
    return [many, [...(filter[many] ?? [])]] as const;
  });
  return {
    ...WireFilter.create({ context, afterPosition, beforePosition }),
    ...Object.fromEntries(lists),
    statuses: kinds.map((kind) => EVENT_STATUS[kind].wire),
    properties: { ...filter.properties },
    description: descriptionToWire(description),
    startTime: timeToWire(startTime),
    endTime: timeToWire(endTime),
  };
}

/** One that clients' decoders would not take is left out, as it is of events. */
export function descriptionToWire(description: string | undefined): WireFilter['description'] {
  return description === undefined || !fitsStruct(description) ? undefined : JSON.parse(description);
}

function timeToWire(micros: Micros | undefined) {
  return micros === undefined ? undefined : toTimestamp(micros);
}
