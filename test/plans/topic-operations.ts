// What the stores of topics cost besides finding and listing them: see hot-operations.ts.

import { RATE_ENTRIES } from '../../src/domain/topics/stored-topic.js';
import { MysqlContextStore } from '../../src/storage/mysql/topics/context-store.js';
import { MysqlDiscardStore } from '../../src/storage/mysql/topics/discard-store.js';
import { MysqlIdentityStore } from '../../src/storage/mysql/topics/identity-store.js';
import { MysqlSchemaStore } from '../../src/storage/mysql/topics/schema-store.js';
import type { HotOperation, Storage } from './hot-operations.js';

const FEW = 50;
/** Days of which the aged log has counters of each topic: eleven years. */
const DAYS = 4_000;
const BUILD = { topicId: 1, buildId: 7 };

/** Begins a build anew that stands at the position. */
const standAt = ({ database }: Storage, position: number) =>
  database.write(
    `REPLACE INTO identity_build (topic_id, build_id, description_paths, watched_after, built_to, identified, unidentified, repeated,
       repeated_ids, started_at) VALUES (?, ?, '["/a"]', ?, ?, 0, 0, 0, '[]', 1)`,
    [BUILD.topicId, BUILD.buildId, position + FEW, position],
  );

export const TOPIC_OPERATIONS: readonly HotOperation[] = [
  {
    of: 'MysqlTopicStore.stored',
    // Of each its newest entries, by the index and once more as they are gathered, its oldest, and a counter a day.
    atMost: 3 * (3 * RATE_ENTRIES + DAYS + 30),
    run: ({ topics }, { position }) => {
      const names = ['000001', '000002', '000003'].map((n) => ({ context: 'default', name: `topic ${n}` }));
      return topics.stored(names, position);
    },
  },
  {
    of: 'MysqlIdentityStore.pending',
    atMost: 5,
    run: ({ database }) => new MysqlIdentityStore(database).pending(),
  },
  {
    of: 'MysqlIdentityStore.add',
    // Each event is held, looked for as withdrawn, looked for by its identity, and gets one; a place may have been visited before.
    atMost: 8 * FEW,
    run: async (storage, { position }) => {
      await standAt(storage, position);
      const rows = Array.from({ length: FEW }, (_, n) => {
        const digest = Buffer.alloc(34, `${position} ${n}`);
        return { digest, eventId: position + n, position: position + n };
      });
      const page = { after: position, upTo: position + FEW, rows, unidentified: 0 };
      return new MysqlIdentityStore(storage.database).add(BUILD, page);
    },
  },
  {
    of: 'MysqlSchemaStore.find',
    atMost: 10,
    run: ({ database }, { row }) => new MysqlSchemaStore(database).find('default', 'topic 000001', row % 1_000),
  },
  {
    of: 'MysqlSchemaStore.list',
    atMost: 3 * FEW + 10,
    run: ({ database }, { row }) =>
      new MysqlSchemaStore(database).list('default', 'topic 000001', { after: row % 500, limit: FEW }),
  },
  { of: 'MysqlContextStore.find', atMost: 5, run: ({ database }) => new MysqlContextStore(database).find('default') },
  {
    of: 'MysqlDiscardStore.add',
    atMost: 100,
    run: ({ database }) => {
      const sample = { context: 'default', topic: 'unknown', issuer: 'i', messageId: '', discardedAt: 1 };
      const content = { contentType: '', payloadBytes: 0, payload: undefined, description: undefined };
      const most = { ofTopic: 10, ofAll: 20 };
      return new MysqlDiscardStore(database).add([{ ...sample, ...content }], most);
    },
  },
  {
    of: 'MysqlDiscardStore.list',
    atMost: 60,
    run: ({ database }) =>
      new MysqlDiscardStore(database).list({ context: 'default', topic: 'unknown', before: undefined, limit: FEW }),
  },
];
