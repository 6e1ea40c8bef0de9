// The filter of a consumer's settings, from and to the wire: `where`, and `filter`, which was there before and says less.

import type {
  ConsumerFilter as FormerFilter,
  ConsumerSettings as WireSettings,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { EventFilter as WireFilter } from '../../../generated/madeleine/v1/event.js';
import type { ConsumerKey, SettingsPatch } from '../../domain/consumers/consumer.js';
import { type FilterField, isSaidByFilter } from '../../domain/consumers/settings/consumer-filter.js';
import { fieldInvalid, MadeleineError } from '../../domain/errors.js';
import type { EventFilter } from '../../domain/events/event-filter.js';
import { normalFilter } from '../../domain/events/normal-filter.js';
import type { NamedStream } from '../../engine/consumers/named/known-streams.js';
import { assertSaidOnce, descriptionToWire, filterToWire, timelessFromWire } from '../wire/filter-wire.js';
import { descriptionFilter, entryKinds, nameList, subjectList } from '../wire/wire.js';

const FILTER = 'settings.filter';
const WHERE = 'settings.where';

/** What settings of a request about the consumer say of the events that it gets, and the field that says it. */
export function filterPatch(
  { filter, where }: WireSettings,
  key: ConsumerKey,
): Pick<SettingsPatch, 'filter' | 'filterField'> {
  if (where === undefined) {
    return filter === undefined ? {} : { filter: formerFromWire(filter), filterField: 'filter' };
  }
  assertSaidOnce(WHERE, filter === undefined ? [] : [FILTER]);
  return { filter: whereFromWire(where, key), filterField: 'where' };
}

function whereFromWire(where: WireFilter, { context, name }: ConsumerKey): EventFilter {
  if (where.context !== '' && where.context !== context) {
    throw fieldInvalid(`${WHERE}.context`, `has to be empty, or that of the consumer: ${context}`);
  }
  const filter = timelessFromWire(WHERE, where);
  const { toNames } = filter;
  if (toNames === undefined || toNames.includes(name)) return filter;
  const field = where.toNames.length > 0 ? 'to_names' : 'to';
  throw fieldInvalid(`${WHERE}.${field}`, 'has to name the consumer: what is addressed to others never reaches it');
}

function formerFromWire(filter: FormerFilter): EventFilter {
  const description = descriptionFilter(`${FILTER}.description`, filter.description);
  return normalFilter({
    topics: nameList(`${FILTER}.topics`, filter.topics),
    streams: nameList(`${FILTER}.streams`, filter.streams),
    issuers: nameList(`${FILTER}.issuers`, filter.issuers),
    subjects: subjectList(`${FILTER}.subjects`, filter.subjects),
    tags: nameList(`${FILTER}.tags`, filter.tags),
    entityTypes: nameList(`${FILTER}.entity_types`, filter.entityTypes),
    kinds: entryKinds(`${FILTER}.statuses`, filter.statuses),
    ...(description === undefined ? {} : { description }),
  });
}

/**
 * The field of those that the mask of an update names by which it changes the filter; undefined: it does not. FIELD_INVALID for both,
 * and for one beside settings that give the other: nobody means to give what is not named.
 */
export function maskedFilter(settings: WireSettings | undefined, paths: readonly string[]): FilterField | undefined {
  const at = { filter: paths.indexOf('filter'), where: paths.indexOf('where') };
  if (at.filter !== -1 && at.where !== -1) {
    const description = '`filter` and `where` are one setting: name one of them';
    const violations = [at.filter, at.where].map((index) => ({ field: `update_mask.paths[${index}]`, description }));
    throw new MadeleineError('FIELD_INVALID', `update_mask.paths: ${description}`, { violations });
  }
  const field = at.where !== -1 ? 'where' : at.filter !== -1 ? 'filter' : undefined;
  if (field === undefined) return undefined;
  const other = field === 'where' ? 'filter' : 'where';
  if (settings?.[other] === undefined || settings[field] !== undefined) return field;
  throw fieldInvalid(`update_mask.paths[${at[field]}]`, `is \`${field}\`, and settings give \`${other}\``);
}

/** The streams that settings of a request name, each with its field. */
export function namedStreams(settings: WireSettings | undefined): readonly NamedStream[] {
  const { filter, where } = settings ?? {};
  const listed = (path: string, streams: readonly string[] = []) =>
    streams.map((name, index) => ({ field: `${path}.streams[${index}]`, name }));
  const one = where?.stream ?? '';
  return [
    ...listed(FILTER, filter?.streams),
    ...(one === '' ? [] : [{ field: `${WHERE}.stream`, name: one }]),
    ...listed(WHERE, where?.streams),
  ];
}

/** How settings answer which events a consumer gets: in the field of before only where that can say it all. */
export function filterSettings(filter: EventFilter): Pick<WireSettings, 'filter' | 'where'> {
  return { filter: isSaidByFilter(filter) ? formerToWire(filter) : undefined, where: filterToWire(filter) };
}

/** The filter in force, encoded, for the answer to a request that said it by `where`; undefined for another one. */
export function whereEcho({ filter, filterField }: SettingsPatch): Uint8Array | undefined {
  if (filter === undefined || filterField !== 'where') return undefined;
  return WireFilter.encode(filterToWire(filter)).finish();
}

function formerToWire(filter: EventFilter): FormerFilter {
  const { topics, streams, issuers, subjects, tags, entityTypes, statuses } = filterToWire(filter);
  const description = descriptionToWire(filter.description);
  return { topics, streams, issuers, subjects, tags, entityTypes, statuses, description };
}
