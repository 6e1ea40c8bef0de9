// Topics that are registered to keep less than everything.

import { policyOf } from '../../../domain/retention/retention-policy.js';
import type { RetentionTopic } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';
import { REGISTRATION_COLUMNS, type TopicRow, topicFromRow } from '../topics/topic-rows.js';

/** Reads all registrations, of which few are many rows: those without such a setting are not sent. */
const SELECT = `
  SELECT STRAIGHT_JOIN r.topic_id, t.context_id, c.name AS context, t.name, ${REGISTRATION_COLUMNS}
  FROM registered_topic r FORCE INDEX (PRIMARY) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = r.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id
  WHERE r.settings LIKE '%"ttl"%' OR r.settings LIKE '%_per_stream"%'`;

interface Row extends TopicRow {
  readonly topic_id: number;
  readonly context_id: number;
}

export async function readTopics(queries: Pick<Queries, 'execute'>): Promise<readonly RetentionTopic[]> {
  const rows = await queries.execute<Row>(SELECT);
  return rows.flatMap((row) => {
    const { context, name, registration } = topicFromRow(row);
    const policy = registration && policyOf(registration.settings);
    return policy === undefined ? [] : [{ topicId: row.topic_id, contextId: row.context_id, context, name, policy }];
  });
}
