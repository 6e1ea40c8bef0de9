// Settings of contexts as rows: what the catalogue is made of, and what groups write of them.

import type { CatalogChange } from '../../../domain/group/shape-catalog.js';
import { type ContextSettings, contextInWords, restoredContext } from '../../../domain/topics/context-settings.js';
import type { NameMinter } from '../names/name-minter.js';
import type { Queries } from '../sql/database.js';

/** The settings of all contexts that have some, by their names. */
export async function readContexts(queries: Pick<Queries, 'execute'>): Promise<ReadonlyMap<string, ContextSettings>> {
  const rows = await queries.execute<{ name: Buffer; settings: string }>(
    'SELECT c.name, s.settings FROM context_setting s JOIN context c ON c.id = s.context_id',
  );
  const read = rows.map((row) => [row.name.toString(), contextFromText(row.settings)] as const);
  return new Map(read.filter(([, { unregisteredTopics }]) => unregisteredTopics !== undefined));
}

export function contextFromText(settings: string | null): ContextSettings {
  return restoredContext(settings === null ? {} : (JSON.parse(settings) as Record<string, unknown>));
}

/** Writes the settings of a context, in the group's transaction. What a newer server keeps besides stays. */
export async function writeContext(
  queries: Queries,
  { context, settings }: Extract<CatalogChange, { kind: 'context' }>,
  minter: NameMinter,
): Promise<void> {
  const text = JSON.stringify(contextInWords(settings));
  await queries.execute(
    `INSERT INTO context_setting (context_id, settings) VALUES (?, JSON_MERGE_PATCH('{}', ?))
     ON DUPLICATE KEY UPDATE settings = JSON_MERGE_PATCH(settings, ?)`,
    [minter.contextId(context), text, text],
  );
}
