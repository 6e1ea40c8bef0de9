// Registered topics as rows: the settings that the catalogue is made of, and that a group writes.

import type { CatalogChange } from '../../../domain/group/shape-catalog.js';
import type { Topic } from '../../../domain/topics/topic.js';
import { restoredSettings, storedSettings, type TopicSettings } from '../../../domain/topics/topic-settings.js';
import type { NameMinter } from '../names/name-minter.js';
import type { Queries } from '../sql/database.js';

export interface TopicRow {
  context: Buffer;
  name: Buffer;
  registered_at: number | null;
  description_paths: string | null;
  /** The other settings; NULL: all of them are unset. */
  settings: string | null;
}

/** What a TopicRow has of the registration `r`. */
export const REGISTRATION_COLUMNS = 'r.registered_at, r.description_paths, r.settings';

/** The settings of all registered topics. */
export async function readSettings(
  queries: Pick<Queries, 'execute'>,
): Promise<{ context: string; topic: string; settings: TopicSettings }[]> {
  const rows = await queries.execute<TopicRow>(
    `SELECT c.name AS context, t.name, ${REGISTRATION_COLUMNS}
     FROM registered_topic r JOIN topic t ON t.id = r.topic_id JOIN context c ON c.id = t.context_id`,
  );
  return rows.flatMap((row) => {
    const { context, name, registration } = topicFromRow(row);
    return registration === undefined ? [] : [{ context, topic: name, settings: registration.settings }];
  });
}

/** Writes what a group registers, in its transaction. The topic has its row. */
export async function writeRegistered(
  queries: Queries,
  { context, topic, settings, registeredAt }: Extract<CatalogChange, { kind: 'registered' }>,
  minter: NameMinter,
): Promise<void> {
  const { paths, others } = columnsOf(settings);
  await queries.execute(
    'INSERT INTO registered_topic (topic_id, registered_at, description_paths, settings) VALUES (?, ?, ?, ?)',
    [minter.topicId(context, topic), registeredAt, paths, others],
  );
}

/** Paths have a column of their own, which servers of before know. */
function columnsOf(settings: TopicSettings): { readonly paths: string; readonly others: string } {
  const { description_paths: paths = [], ...others } = storedSettings(settings);
  return { paths: JSON.stringify(paths), others: JSON.stringify(others) };
}

/** The topic of a row, registered or not. */
export function topicFromRow(row: TopicRow): Topic {
  const topic = { context: row.context.toString(), name: row.name.toString() };
  const { registered_at: registeredAt, description_paths: paths, settings } = row;
  if (registeredAt === null || paths === null) return { ...topic, registration: undefined };
  const others = settings === null ? {} : (JSON.parse(settings) as Record<string, unknown>);
  const stored = { ...others, description_paths: JSON.parse(paths) as unknown };
  return { ...topic, registration: { settings: restoredSettings(stored), registeredAt } };
}
