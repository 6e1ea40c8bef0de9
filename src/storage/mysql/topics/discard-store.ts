// Samples of events that were discarded. See DiscardStore.

import { ALL_CONTEXTS } from '../../../domain/names.js';
import { uuidText } from '../../../lib/uuid-text.js';
import type { Micros } from '../../../units.js';
import type { DiscardedSample, DiscardStore, ListSamplesOptions, NewSample } from '../../ports/topic-storage.js';
import { uuidToBytes } from '../log/entry-rows.js';
import type { Database, Queries, SqlValue } from '../sql/database.js';
import { placeholders } from '../sql/placeholders.js';

const COLUMNS = 'context, topic, issuer, message_id, discarded_at, content_type, payload_bytes, payload, description';

/** Rows of one statement. */
const CHUNK = 100;

interface SampleRow {
  id: number;
  context: Buffer;
  topic: Buffer;
  issuer: Buffer;
  message_id: Buffer | null;
  discarded_at: Micros;
  content_type: Buffer | null;
  payload_bytes: number;
  payload: Buffer | null;
  description: string | null;
}

export class MysqlDiscardStore implements DiscardStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** See DiscardStore.add. */
  async add(
    samples: readonly NewSample[],
    { ofTopic, ofAll }: { readonly ofTopic: number; readonly ofAll: number },
  ): Promise<void> {
    for (let start = 0; start < samples.length; start += CHUNK) {
      const rows = samples.slice(start, start + CHUNK).map(rowOf);
      await this.#database.write(
        `INSERT INTO discarded_sample (${COLUMNS}) VALUES ${placeholders(rows.length, `(${placeholders(9)})`)}`,
        rows.flat(),
      );
    }
    const topics = new Map(samples.map(({ context, topic }) => [JSON.stringify([context, topic]), { context, topic }]));
    for (const { context, topic } of topics.values()) {
      await forget(this.#database, 'context = ? AND topic = ?', [Buffer.from(context), Buffer.from(topic)], ofTopic);
    }
    await forget(this.#database, '1 = 1', [], ofAll);
  }

  /** See DiscardStore.list. */
  async list({ context, topic, before, limit }: ListSamplesOptions): Promise<readonly DiscardedSample[]> {
    const conditions = ['1 = 1'];
    const values: SqlValue[] = [];
    if (context !== ALL_CONTEXTS) {
      conditions.push('context = ?');
      values.push(Buffer.from(context));
    }
    if (topic !== '') {
      conditions.push('topic = ?');
      values.push(Buffer.from(topic));
    }
    if (before !== undefined) {
      conditions.push('id < ?');
      values.push(before);
    }
    const rows = await this.#database.query<SampleRow>(
      `SELECT id, ${COLUMNS} FROM discarded_sample WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT ${Math.trunc(limit)}`,
      values,
    );
    return rows.map(sampleFromRow);
  }
}

/** Deletes all but the newest of those that the condition selects; another instance may do so at the same time. */
async function forget(
  queries: Pick<Queries, 'execute' | 'write'>,
  condition: string,
  values: readonly SqlValue[],
  kept: number,
): Promise<void> {
  const [oldest] = await queries.execute<{ id: number }>(
    `SELECT id FROM discarded_sample WHERE ${condition} ORDER BY id DESC LIMIT 1 OFFSET ${Math.trunc(kept)}`,
    values,
  );
  if (oldest === undefined) return;
  await queries.write(`DELETE FROM discarded_sample WHERE ${condition} AND id <= ?`, [...values, oldest.id]);
}

function rowOf(sample: NewSample): SqlValue[] {
  const { messageId, contentType, payload, description } = sample;
  return [
    ...[Buffer.from(sample.context), Buffer.from(sample.topic), Buffer.from(sample.issuer)],
    messageId === '' ? null : uuidToBytes(messageId),
    sample.discardedAt,
    contentType === '' ? null : Buffer.from(contentType),
    sample.payloadBytes,
    payload === undefined ? null : Buffer.from(payload),
    description ?? null,
  ];
}

function sampleFromRow(row: SampleRow): DiscardedSample {
  return {
    id: row.id,
    context: row.context.toString(),
    topic: row.topic.toString(),
    issuer: row.issuer.toString(),
    messageId: row.message_id === null ? '' : uuidText(row.message_id),
    discardedAt: row.discarded_at,
    contentType: row.content_type?.toString() ?? '',
    payloadBytes: row.payload_bytes,
    payload: row.payload ?? undefined,
    description: row.description ?? undefined,
  };
}
