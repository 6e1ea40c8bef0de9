// What it costs to count what is stored of a topic in each stream, and to find what is too much: see hot-operations.ts.

import { MysqlStreamCounts } from '../../src/storage/mysql/retention/stream-counts.js';
import type { HotOperation, Storage } from './hot-operations.js';

const FEW = 50;
const HOLD = { owner: 'plans', epoch: 7 };
const LIMITS = { maxEvents: 5, maxBytes: Number.POSITIVE_INFINITY };
const STREAMS = Array.from({ length: 10 }, (_, n) => n + 1);
const counts = ({ database }: Storage) => new MysqlStreamCounts({ database });

export const STREAM_COUNT_OPERATIONS: readonly HotOperation[] = [
  { of: 'MysqlStreamCounts.newest', atMost: 10, run: (storage) => counts(storage).newest([1, 2, 3]) },
  {
    of: 'MysqlStreamCounts.count',
    // Each entry by the index of its topic and by itself, as it was kept alone, and its stream; their ends, and the rows of the deletion.
    atMost: 5 * FEW + 20,
    run: async (storage, { position }) => {
      const { database } = storage;
      await database.write("UPDATE retention_cursor SET owner = 'plans', owner_epoch = 7");
      await database.write('UPDATE retention_topic SET counted_to = 0 WHERE topic_id = 1');
      return counts(storage).count(HOLD, { topicId: 1, after: position, upTo: position + FEW });
    },
  },
  {
    of: 'MysqlStreamCounts.entries',
    // Each entry by the index of its stream and by itself, as it was kept alone, and as it is gathered.
    atMost: 5 * STREAMS.length * 16,
    run: (storage, { position }) => {
      const spans = STREAMS.map((streamId) => ({ streamId, after: position, upTo: position * 2, limit: 16 }));
      return counts(storage).entries(1, spans);
    },
  },
  {
    of: 'MysqlStreamCounts.before',
    atMost: 2 * FEW + 20,
    run: (storage, { position }) => counts(storage).before(1, { before: position, after: 0, limit: FEW }),
  },
  {
    of: 'MysqlStreamCounts.tooMuch',
    atMost: 2 * STREAMS.length + 20,
    run: (storage) => counts(storage).tooMuch(1, LIMITS, { among: STREAMS }),
  },
  {
    of: 'MysqlStreamCounts.counts',
    atMost: 2 * STREAMS.length + 20,
    run: (storage) => counts(storage).counts(1, STREAMS),
  },
];
