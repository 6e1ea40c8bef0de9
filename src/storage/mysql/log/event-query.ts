// How criteria become SQL: which index leads, and which conditions are left for the rows. Every value is bound; the texts are
// made of constants only.

import { ENVELOPE } from '../../../domain/events/envelope.js';
import { ENTRY_KINDS, EntryKind } from '../../../domain/events/event.js';
import {
  compileCriteria,
  type EntryMatcher,
  type EventCriteria,
  MANY_FIELDS,
  ONE_FIELDS,
} from '../../../domain/events/event-filter.js';
import { ALL_CONTEXTS } from '../../../domain/names.js';
import type { NameCache } from '../names/name-cache.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

export interface PageQuery {
  /** Index ranges to merge: streams or topics by number. Empty: the primary key. */
  readonly sources: readonly { readonly column: 'stream_id' | 'topic_id'; readonly id: number }[];
  readonly conditions: readonly string[];
  readonly values: readonly SqlValue[];
  /** The conditions may pass over rows of the index range, so that the number looked at has to be bounded. */
  readonly filtersRows: boolean;
  /** Criteria that SQL does not decide. */
  readonly undecided: EntryMatcher | undefined;
}

/** The query for these criteria; undefined when nothing can match because a name was never used. */
export async function planPage(
  queries: Queries,
  names: NameCache,
  criteria: EventCriteria,
): Promise<PageQuery | undefined> {
  const everywhere = criteria.context === ALL_CONTEXTS;
  if (!everywhere) await names.load(queries, { contexts: [criteria.context] });
  const contextId = names.contextId(criteria.context);
  if (!everywhere && contextId === undefined) return undefined;
  const streamIds = await wantedIds(queries, names, 'stream', criteria);
  const topicIds = await wantedIds(queries, names, 'topic', criteria);
  if (streamIds?.length === 0 || topicIds?.length === 0) return undefined;
  const builder = new ConditionBuilder();
  const freeConditions = addKinds(builder, criteria.kinds ?? []);
  const sources = leadingSources(streamIds, topicIds);
  if (streamIds !== undefined) builder.oneOf('topic_id', topicIds);
  if (sources.length === 0 && contextId !== undefined) builder.add('context_id = ?', contextId);
  addColumnCriteria(builder, criteria);
  const isDecided = criteria.properties === undefined && criteria.description === undefined;
  const { conditions, values } = builder;
  return {
    sources,
    undecided: isDecided ? undefined : compileCriteria(criteria),
    conditions,
    values,
    filtersRows: conditions.length > freeConditions || !isDecided,
  };
}

/** Adds the condition of the kinds; returns how many conditions pass over next to no rows: nearly every entry is OCCURRED. */
function addKinds(builder: ConditionBuilder, kinds: readonly EntryKind[]): number {
  if (ENTRY_KINDS.every((kind) => kinds.includes(kind))) return 0;
  builder.add(kinds.length === 0 ? `kind = ${EntryKind.OCCURRED}` : `kind IN (${kinds.map(Number).join(', ')})`);
  return kinds.length === 0 || kinds.includes(EntryKind.OCCURRED) ? 1 : 0;
}

/** The index ranges that lead: streams are narrower than topics. */
function leadingSources(
  streamIds: readonly number[] | undefined,
  topicIds: readonly number[] = [],
): PageQuery['sources'] {
  if (streamIds !== undefined) return streamIds.map((id) => ({ column: 'stream_id', id }));
  return topicIds.map((id) => ({ column: 'topic_id', id }));
}

/** Numbers of the streams or topics that the criteria name, without those never used; undefined: they name none. */
async function wantedIds(
  queries: Queries,
  names: NameCache,
  table: 'topic' | 'stream',
  criteria: EventCriteria,
): Promise<number[] | undefined> {
  const wanted = (table === 'topic' ? criteria.topics : criteria.streams) ?? [];
  return wanted.length === 0 ? undefined : idsOf(queries, names, table, criteria.context, wanted);
}

class ConditionBuilder {
  readonly conditions: string[] = [];
  readonly values: SqlValue[] = [];

  add(condition: string, ...values: SqlValue[]): void {
    this.conditions.push(condition);
    this.values.push(...values);
  }

  equals(column: string, text: string | undefined): void {
    if (text !== undefined && text !== '') this.add(`${column} = ?`, Buffer.from(text));
  }

  oneOf(column: string, values: readonly (string | number)[] | undefined): void {
    if (values === undefined || values.length === 0) return;
    this.add(
      `${column} IN (${placeholders(values.length)})`,
      ...values.map((v) => (typeof v === 'string' ? Buffer.from(v) : v)),
    );
  }
}

function addColumnCriteria(builder: ConditionBuilder, criteria: EventCriteria): void {
  for (const field of MANY_FIELDS) {
    const { kept, filter } = ENVELOPE[field];
    // Names lead by their numbers, or were looked at before.
    if (!('nameId' in kept)) builder.oneOf('column' in kept ? kept.column : kept.sparse, criteria[filter.many]);
  }
  for (const field of ONE_FIELDS) builder.equals(ENVELOPE[field].kept.sparse, criteria[field]);
  if (criteria.startTime !== undefined) builder.add('created_at > ?', criteria.startTime);
  if (criteria.endTime !== undefined) builder.add('created_at < ?', criteria.endTime);
  const { consumer } = criteria;
  if (consumer === undefined) return;
  builder.add('(recipient IS NULL OR recipient = ?)', Buffer.from(consumer));
  if (criteria.ignoreOwn === true) {
    builder.add('issuer <> ? AND (reply_to IS NULL OR reply_to <> ?)', Buffer.from(consumer), Buffer.from(consumer));
  }
}

async function idsOf(
  queries: Queries,
  names: NameCache,
  table: 'topic' | 'stream',
  context: string,
  wanted: readonly string[],
): Promise<number[]> {
  const distinct = [...new Set(wanted)];
  if (context === ALL_CONTEXTS) {
    // Contexts are few: one look-up a context in the index (context_id, name), never a scan of all names.
    const sql = `SELECT STRAIGHT_JOIN n.id FROM context c JOIN ${table} n ON n.context_id = c.id AND n.name = ?`;
    const found = await Promise.all(distinct.map((name) => queries.execute<{ id: number }>(sql, [Buffer.from(name)])));
    return found.flat().map(({ id }) => id);
  }
  const scoped = distinct.map((name) => ({ context, name }));
  await names.load(queries, table === 'topic' ? { topics: scoped } : { streams: scoped });
  const idOf = (name: string) => (table === 'topic' ? names.topicId(context, name) : names.streamId(context, name));
  return distinct.map(idOf).filter((id) => id !== undefined);
}
