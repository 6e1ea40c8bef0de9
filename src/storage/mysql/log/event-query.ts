// How criteria become SQL: which index leads, and which conditions are left for the rows. Every value is bound; the texts are
// made of constants only.

import { ENVELOPE } from '../../../domain/events/envelope.js';
import { ENTRY_KINDS, EntryKind } from '../../../domain/events/event.js';
import {
  compileCriteria,
  type EntryMatcher,
  type EventCriteria,
  hidesReserved,
  LIST_FIELDS,
} from '../../../domain/events/event-filter.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import { idsOf } from '../names/ids-of.js';
import type { NameCache } from '../names/name-cache.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

/** A range of an index: the rows of a stream or a topic, by its number. */
export interface PageSource {
  readonly column: 'stream_id' | 'topic_id';
  readonly id: number;
}

export interface PageQuery {
  /** Index ranges to merge. Empty: the primary key. */
  readonly sources: readonly PageSource[];
  /** They may pass over rows of the ranges, so that the number looked at has to be bounded. */
  readonly conditions: readonly string[];
  readonly values: readonly SqlValue[];
  /** Whether it is for nothing of the server's own topics; the conditions pass over those that are known. */
  readonly hidesReserved: boolean;
  /** Criteria that SQL does not decide. */
  readonly undecided: EntryMatcher | undefined;
  /** A query for as much that is led by other ranges, of which perhaps fewer rows have to be passed over. */
  readonly otherwise?: PageQuery | undefined;
}

/** Bytes of the texts in lists that one statement has; lists that go beyond them are left to the matcher. */
const MAX_LISTED_BYTES = 2 * 1024 * 1024;

/**
 * The query for these criteria; undefined when nothing can match because a name was never used. `once`: its conditions are not
 * repeated for each of the sources, so that they may be longer.
 */
export async function planPage(
  queries: Queries,
  names: NameCache,
  criteria: EventCriteria,
  { once = false }: { readonly once?: boolean } = {},
): Promise<PageQuery | undefined> {
  const everywhere = criteria.context === ALL_CONTEXTS;
  if (!everywhere) await names.load(queries, { contexts: [criteria.context] });
  const contextId = names.contextId(criteria.context);
  if (!everywhere && contextId === undefined) return undefined;
  const streamIds = await wantedIds(queries, names, 'stream', criteria);
  const topicIds = await wantedIds(queries, names, 'topic', criteria);
  if (streamIds?.length === 0 || topicIds?.length === 0) return undefined;
  // What belongs to a stream belongs to no topic of the server.
  const mayMeetReserved = streamIds === undefined && hidesReserved(criteria);
  const reservedIds = mayMeetReserved ? await names.reservedTopicIds(queries, criteria.context) : [];
  const parts = { criteria, contextId, once, reservedIds, ids: { stream_id: streamIds, topic_id: topicIds } };
  // Streams are narrower than topics, most often.
  if (streamIds === undefined) return ledBy(topicIds === undefined ? undefined : 'topic_id', parts);
  return { ...ledBy('stream_id', parts), otherwise: topicIds && ledBy('topic_id', parts) };
}

/** What a query is made of. */
interface QueryParts {
  readonly criteria: EventCriteria;
  readonly contextId: number | undefined;
  readonly once: boolean;
  /** Numbers of the server's own topics, if they are hidden. */
  readonly reservedIds: readonly number[];
  /** Numbers of what is named; undefined: nothing is. */
  readonly ids: { readonly [Column in PageSource['column']]: readonly number[] | undefined };
}

/** The query that is led by the ranges of a column; undefined: by the primary key. */
function ledBy(
  column: PageSource['column'] | undefined,
  { criteria, contextId, once, reservedIds, ids }: QueryParts,
): PageQuery {
  const sources = column === undefined ? [] : (ids[column] ?? []).map((id) => ({ column, id }));
  // The same for either column: what is left to the matcher is then the same, too.
  const repeated = once ? 1 : Math.max(1, ids.stream_id?.length ?? 0, ids.topic_id?.length ?? 0);
  const builder = new ConditionBuilder(MAX_LISTED_BYTES / repeated);
  addKinds(builder, criteria.kinds ?? []);
  if (column === 'stream_id') builder.oneOf('topic_id', ids.topic_id);
  if (column === 'topic_id') builder.oneOf('stream_id', ids.stream_id);
  if (column === undefined && contextId !== undefined) builder.add('context_id = ?', contextId);
  if (column === undefined) builder.notHidden(reservedIds);
  addColumnCriteria(builder, criteria);
  const { conditions, values, isWhole } = builder;
  const isDecided = isWhole && criteria.properties === undefined && criteria.description === undefined;
  const undecided = isDecided ? undefined : compileCriteria(criteria);
  return { sources, conditions, values, hidesReserved: hidesReserved(criteria), undecided };
}

function addKinds(builder: ConditionBuilder, kinds: readonly EntryKind[]): void {
  if (ENTRY_KINDS.every((kind) => kinds.includes(kind))) return;
  builder.add(kinds.length === 0 ? `kind = ${EntryKind.OCCURRED}` : `kind IN (${kinds.map(Number).join(', ')})`);
}

/** Numbers of the streams or topics that the criteria name, without those never used; undefined: they name none. */
async function wantedIds(
  queries: Queries,
  names: NameCache,
  table: 'topic' | 'stream',
  criteria: EventCriteria,
): Promise<number[] | undefined> {
  const wanted = (table === 'topic' ? criteria.topics : criteria.streams) ?? [];
  return wanted.length === 0 ? undefined : idsOf(queries, names, { table, context: criteria.context, wanted });
}

/** Numbers in a list: a few sizes, so that few statements are prepared. */
const LIST_SIZES = [1, 4, 32, 512];

class ConditionBuilder {
  readonly conditions: string[] = [];
  readonly values: SqlValue[] = [];
  /** Whether all lists are among the conditions. */
  isWhole = true;
  /** Bytes that lists may still have. */
  #left: number;

  constructor(maxListedBytes: number) {
    this.#left = maxListedBytes;
  }

  add(condition: string, ...values: SqlValue[]): void {
    this.conditions.push(condition);
    this.values.push(...values);
  }

  /** Leaves out what is hidden, of the topics with these numbers, as far as they are few enough to be listed. */
  notHidden(topicIds: readonly number[]): void {
    const size = LIST_SIZES.find((candidate) => candidate >= topicIds.length);
    const last = topicIds.at(-1);
    if (size === undefined || last === undefined) return;
    const padded = [...topicIds, ...Array.from({ length: size - topicIds.length }, () => last)];
    this.add(`(topic_id NOT IN (${placeholders(size)}) OR kind = ${EntryKind.TRANSFERRED})`, ...padded);
  }

  oneOf(column: string, wanted: readonly (string | number)[] | undefined): void {
    if (wanted === undefined || wanted.length === 0) return;
    const values = wanted.map((value) => (typeof value === 'string' ? Buffer.from(value) : value));
    for (const value of values) if (typeof value !== 'number') this.#left -= value.byteLength;
    if (this.#left < 0) this.isWhole = false;
    else this.add(`${column} IN (${placeholders(values.length)})`, ...values);
  }
}

function addColumnCriteria(builder: ConditionBuilder, criteria: EventCriteria): void {
  for (const field of LIST_FIELDS) {
    const { kept, filter } = ENVELOPE[field];
    // Names lead by their numbers, or were looked at before.
    if (!('nameId' in kept)) builder.oneOf('column' in kept ? kept.column : kept.sparse, criteria[filter.many]);
  }
  if (criteria.startTime !== undefined) builder.add('created_at > ?', criteria.startTime);
  if (criteria.endTime !== undefined) builder.add('created_at < ?', criteria.endTime);
  const { consumer } = criteria;
  if (consumer === undefined) return;
  builder.add('(recipient IS NULL OR recipient = ?)', Buffer.from(consumer));
  if (criteria.ignoreOwn === true) {
    builder.add('issuer <> ? AND (reply_to IS NULL OR reply_to <> ?)', Buffer.from(consumer), Buffer.from(consumer));
  }
}
