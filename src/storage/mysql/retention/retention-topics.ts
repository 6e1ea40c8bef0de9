// Topics that are registered to keep less than everything.

import { policyOf } from '../../../domain/retention/retention-policy.js';
import { restoredSettings } from '../../../domain/topics/topic-settings.js';
import type { RetentionTopic } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';

/** Reads all registrations: those without such a setting are not sent. */
const SELECT = `
  SELECT STRAIGHT_JOIN r.topic_id, c.name AS context, t.name, r.settings
  FROM registered_topic r FORCE INDEX (PRIMARY) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = r.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id WHERE r.settings LIKE '%"ttl"%'`;

interface Row {
  readonly topic_id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
}

async function readTopics(queries: Pick<Queries, 'execute'>): Promise<readonly RetentionTopic[]> {
  return (await queries.execute<Row>(SELECT)).flatMap((row) => {
    const policy = policyOf(restoredSettings(JSON.parse(row.settings) as Record<string, unknown>));
    const names = { context: row.context.toString(), name: row.name.toString() };
    return policy === undefined ? [] : [{ topicId: row.topic_id, ...names, policy }];
  });
}

/** The topics that do not keep everything, read anew where something was registered since. */
export class RetentionTopics {
  readonly #database: Pick<Queries, 'execute'>;
  #known: { readonly version: number; readonly all: readonly RetentionTopic[] } | undefined;

  constructor(database: Pick<Queries, 'execute'>) {
    this.#database = database;
  }

  /** See RetentionStore.topics: the version is read first, so that it is never newer than what it stands for. */
  async read(): Promise<readonly RetentionTopic[]> {
    const [head] = await this.#database.execute<{ catalog_version: number }>(
      'SELECT catalog_version FROM log_head WHERE id = 1',
    );
    const version = head?.catalog_version ?? 0;
    if (this.#known?.version !== version) this.#known = { version, all: await readTopics(this.#database) };
    return this.#known.all;
  }
}
