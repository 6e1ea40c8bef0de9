// Topics that are registered to keep less than everything, or to be archived before they are deleted.

import { policyOf } from '../../../domain/retention/retention-policy.js';
import { restoredSettings } from '../../../domain/topics/topic-settings.js';
import type { ArchivedTopic, ArchivedTopics } from '../../ports/archive-storage.js';
import type { RetentionTopic } from '../../ports/retention-storage.js';
import type { Queries } from '../sql/database.js';

/** Reads all registrations: those without such a setting are not sent. */
const SELECT = `
  SELECT STRAIGHT_JOIN r.topic_id, c.name AS context, t.name, r.settings
  FROM registered_topic r FORCE INDEX (PRIMARY) JOIN topic t FORCE INDEX (PRIMARY) ON t.id = r.topic_id
  JOIN context c FORCE INDEX (PRIMARY) ON c.id = t.context_id
  WHERE r.settings LIKE '%"ttl"%' OR r.settings LIKE '%_per_stream"%' OR r.settings LIKE '%"archive"%'`;

interface Row {
  readonly topic_id: number;
  readonly context: Buffer;
  readonly name: Buffer;
  readonly settings: string;
}

/** What topics are registered with, as far as it concerns their deletion. */
interface Known {
  /** The version of the catalogue that it stands for. */
  readonly version: number;
  readonly all: readonly RetentionTopic[];
  /** Topics that are archived, by their numbers, whatever they keep. */
  readonly archived: ReadonlyMap<number, ArchivedTopic>;
}

async function readTopics(queries: Pick<Queries, 'execute'>, version: number): Promise<Known> {
  const all: RetentionTopic[] = [];
  const archived = new Map<number, ArchivedTopic>();
  for (const row of await queries.execute<Row>(SELECT)) {
    const settings = restoredSettings(JSON.parse(row.settings) as Record<string, unknown>);
    const topic = { topicId: row.topic_id, context: row.context.toString(), name: row.name.toString() };
    const policy = policyOf(settings);
    if (policy !== undefined) all.push({ ...topic, policy });
    if (settings.archive) archived.set(topic.topicId, topic);
  }
  return { version, all, archived };
}

/** What topics are registered with, read anew where something was registered since. */
export class RetentionTopics implements ArchivedTopics {
  readonly #database: Pick<Queries, 'execute'>;
  #known: Known | undefined;

  constructor(database: Pick<Queries, 'execute'>) {
    this.#database = database;
  }

  /** See RetentionStore.topics. */
  async read(): Promise<readonly RetentionTopic[]> {
    return (await this.#current()).all;
  }

  /** See ArchivedTopics.archived. */
  async archived(topicId: number): Promise<ArchivedTopic | undefined> {
    return (await this.#current()).archived.get(topicId);
  }

  /** The version is read first, so that it is never newer than what it stands for. */
  async #current(): Promise<Known> {
    const [head] = await this.#database.execute<{ catalog_version: number }>(
      'SELECT catalog_version FROM log_head WHERE id = 1',
    );
    const version = head?.catalog_version ?? 0;
    if (this.#known?.version !== version) this.#known = await readTopics(this.#database, version);
    return this.#known;
  }
}
