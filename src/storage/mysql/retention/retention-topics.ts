// Topics that are registered to keep less than everything.

import { policyOf } from '../../../domain/retention/retention-policy.js';
import { restoredSettings } from '../../../domain/topics/topic-settings.js';
import type { RetentionTopic } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';

/** Reads all registrations: those without such a setting are not sent. */
const SELECT = `
  SELECT STRAIGHT_JOIN r.topic_id, t.context_id, c.name AS context, t.name, r.settings
  FROM registered_topic r FORCE INDEX (PRIMARY) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = r.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id WHERE r.settings LIKE '%"ttl"%'`;

interface Row {
  readonly topic_id: number;
  readonly context_id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
}

export async function readTopics(queries: Pick<Queries, 'execute'>): Promise<readonly RetentionTopic[]> {
  return (await queries.execute<Row>(SELECT)).flatMap((row) => {
    const policy = policyOf(restoredSettings(JSON.parse(row.settings) as Record<string, unknown>));
    const names = { context: row.context.toString(), name: row.name.toString() };
    return policy === undefined ? [] : [{ topicId: row.topic_id, contextId: row.context_id, ...names, policy }];
  });
}
