// How far deletions took events of the topics that somebody reads; see DeletedEvents.

import { type EventCriteria, hidesReserved } from '../../../domain/events/event-filter.js';
import { ALL_CONTEXTS, RESERVED_TOPICS_PREFIX } from '../../../domain/names.js';
import type { Position } from '../../../units.js';
import type { DeletedEvents } from '../../ports/unread-storage.js';
import type { Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
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

/** See DeletedEvents.deletedTo; reads the index deleted_topic_last down to the position, and no row where nothing was deleted after it. */
export async function deletedTo(queries: Queries, criteria: EventCriteria, after: Position): Promise<Position> {
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
  const { context, topics = [] } = criteria;
  const conditions: string[] = [];
  const values: SqlValue[] = [];
  if (context !== ALL_CONTEXTS) {
    conditions.push('c.name = ?');
    values.push(Buffer.from(context));
  }
  if (topics.length > 0) {
    conditions.push(`t.name IN (${placeholders(topics.length)})`);
    values.push(...topics.map((topic) => Buffer.from(topic)));
  }
  if (hidesReserved(criteria)) {
    conditions.push('NOT (t.name >= ? AND t.name < ?)');
    values.push(Buffer.from(RESERVED_TOPICS_PREFIX), afterPrefix(RESERVED_TOPICS_PREFIX));
  }
  return { conditions, values };
}
