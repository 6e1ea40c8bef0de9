// How far deletions took events of the topics that somebody reads; see DeletedEvents.

import { type EventCriteria, hidesReserved } from '../../../domain/events/event-filter.js';
import { ALL_CONTEXTS, RESERVED_TOPICS_PREFIX } from '../../../domain/names.js';
import type { Position } from '../../../units.js';
import type { DeletedEvents } from '../../ports/unread-storage.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { afterPrefix } from '../sql/prefix.js';

export class MysqlDeletedEvents implements DeletedEvents {
  readonly #queries: Queries;

  constructor({ database }: { readonly database: Queries }) {
    this.#queries = database;
  }

  /** See DeletedEvents.deletedTo. */
  deletedTo(criteria: EventCriteria, after: Position): Promise<Position> {
    return deletedTo(this.#queries, criteria, after);
  }
}

/** See DeletedEvents.deletedTo. */
export function deletedTo(queries: Queries, criteria: EventCriteria, after: Position): Promise<Position> {
  const { topics = [] } = criteria;
  return topics.length > 0 ? ofTopics(queries, { ...criteria, topics }, after) : ofAllTopics(queries, criteria, after);
}

/** Looks at the topics that are named only, however many there are. */
async function ofTopics(
  queries: Queries,
  { context, topics }: EventCriteria & { readonly topics: readonly string[] },
  after: Position,
): Promise<Position> {
  const of = context === ALL_CONTEXTS ? { where: '', values: [] } : { where: 'c.name = ? AND', values: [context] };
  // Not a list of names: for each of several contexts the whole index would be read.
  const names = Array.from(topics, () => 'SELECT ? AS name').join(' UNION ALL ');
  const [row] = await queries.query<{ last_position: Position | null }>(
    `SELECT STRAIGHT_JOIN MAX(d.last_position) AS last_position FROM (${names}) named JOIN context c
     JOIN topic t FORCE INDEX (topic_name) ON t.context_id = c.id AND t.name = named.name
     JOIN deleted_topic d FORCE INDEX (PRIMARY) ON d.topic_id = t.id WHERE ${of.where} d.last_position > ?`,
    [...[...topics, ...of.values].map((name) => Buffer.from(name)), after],
  );
  return row?.last_position ?? 0;
}

/** Reads the index deleted_topic_last down to the position, and no row where nothing was deleted after it. */
async function ofAllTopics(queries: Queries, criteria: EventCriteria, after: Position): Promise<Position> {
  const { conditions, values } = conditionsOf(criteria);
  const [row] = await queries.query<{ last_position: Position }>(
    `SELECT STRAIGHT_JOIN d.last_position FROM deleted_topic d FORCE INDEX (deleted_topic_last)
     JOIN topic t FORCE INDEX (PRIMARY) ON t.id = d.topic_id JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id
     WHERE ${['d.last_position > ?', ...conditions].join(' AND ')} ORDER BY d.last_position DESC LIMIT 1`,
    [after, ...values],
  );
  return row?.last_position ?? 0;
}

function conditionsOf(criteria: EventCriteria): { readonly conditions: string[]; readonly values: SqlValue[] } {
  const { context } = criteria;
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  if (context !== ALL_CONTEXTS) {
    conditions.push('c.name = ?');
    values.push(Buffer.from(context));
  }
  if (hidesReserved(criteria)) {
    conditions.push('NOT (t.name >= ? AND t.name < ?)');
    values.push(Buffer.from(RESERVED_TOPICS_PREFIX), afterPrefix(RESERVED_TOPICS_PREFIX));
  }
  return { conditions, values };
}
