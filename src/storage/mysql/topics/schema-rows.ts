// Versions of topics' schemas as rows: those that the catalogue is made of, and that a group writes.

import { TopicSchema, TopicSchemas } from '../../../domain/schemas/topic-schema.js';
import type { Micros } from '../../../units.js';
import type { Queries } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';
import type { Statements } from '../sql/statements.js';

/** Texts that are read at a time: each may have 64 KiB. */
const READ_TOGETHER = 100;

interface VersionRow {
  topic_id: number;
  context: Buffer;
  topic: Buffer;
  version: number;
  digest: Buffer;
}

/** The versions of the schemas of a topic. */
export interface SchemasOfTopic {
  readonly context: string;
  readonly topic: string;
  readonly schemas: TopicSchemas;
}

/** The schemas of all topics. Those that `known` has, which are made into functions already, are not read again. */
export async function readSchemas(
  queries: Pick<Queries, 'execute' | 'query'>,
  known: (context: string, topic: string) => TopicSchemas | undefined,
): Promise<readonly SchemasOfTopic[]> {
  const rows = await queries.execute<VersionRow>(
    `SELECT s.topic_id, c.name AS context, t.name AS topic, s.version, s.digest
     FROM topic_schema s JOIN topic t ON t.id = s.topic_id JOIN context c ON c.id = t.context_id
     ORDER BY s.topic_id, s.version`,
  );
  const knownAs = rows.map((row) => knownVersion(row, known));
  const texts = await readTexts(
    queries,
    rows.filter((_, at) => knownAs[at] === undefined),
  );
  const byTopic = new Map<number, { context: string; topic: string; versions: TopicSchema[] }>();
  for (const [at, row] of rows.entries()) {
    const made = knownAs[at] ?? new TopicSchema(row.version, texts.get(keyOf(row)) ?? '');
    const former = byTopic.get(row.topic_id);
    if (former === undefined) byTopic.set(row.topic_id, { ...namesOf(row), versions: [made] });
    else former.versions.push(made);
  }
  return [...byTopic.values()].map(({ versions, ...names }) => ({ ...names, schemas: new TopicSchemas(versions) }));
}

function knownVersion(
  row: VersionRow,
  known: (context: string, topic: string) => TopicSchemas | undefined,
): TopicSchema | undefined {
  const { context, topic } = namesOf(row);
  const found = known(context, topic)?.of(row.version);
  // A database that lost what it had committed may have given the number to another one.
  return found?.digest.equals(row.digest) === true ? found : undefined;
}

function namesOf({ context, topic }: VersionRow): { context: string; topic: string } {
  return { context: context.toString(), topic: topic.toString() };
}

function keyOf({ topic_id: topicId, version }: Pick<VersionRow, 'topic_id' | 'version'>): string {
  return `${topicId} ${version}`;
}

async function readTexts(
  queries: Pick<Queries, 'query'>,
  wanted: readonly VersionRow[],
): Promise<ReadonlyMap<string, string>> {
  const texts = new Map<string, string>();
  for (let from = 0; from < wanted.length; from += READ_TOGETHER) {
    const some = wanted.slice(from, from + READ_TOGETHER);
    const rows = await queries.query<Pick<VersionRow, 'topic_id' | 'version'> & { schema_text: string }>(
      `SELECT topic_id, version, schema_text FROM topic_schema
       WHERE (topic_id, version) IN (${placeholders(some.length, '(?, ?)')})`,
      some.flatMap(({ topic_id: topicId, version }) => [topicId, version]),
    );
    for (const row of rows) texts.set(keyOf(row), row.schema_text);
  }
  return texts;
}

/** Adds the version, if there is one, that a group gives a topic. */
export function addSchema(
  statements: Statements,
  topicId: number,
  schema: TopicSchema | undefined,
  createdAt: Micros,
): void {
  if (schema === undefined) return;
  const { version, digest, text } = schema;
  statements.addRows('INSERT INTO topic_schema (topic_id, version, created_at, digest, schema_text)', [
    [topicId, version, createdAt, digest, text],
  ]);
}
