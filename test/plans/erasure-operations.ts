// What it costs to erase what events say: see hot-operations.ts.

import { MysqlErasureStore } from '../../src/storage/mysql/erasure/erasure-store.js';
import type { StoredErasure } from '../../src/storage/ports/erasure-storage.js';
import { EVENTS, hashOf, SUBJECTS } from './aged-log.js';
import type { HotOperation, Storage } from './hot-operations.js';

const FEW = 50;
/** Events of a part. */
const PART = 64;
/** Events that are counted of a stream, at most. */
const COUNTED = 100_000;

const storeOf = ({ database, names }: Storage) => new MysqlErasureStore({ database, names });

/** A subject of the aged log, and a stream of it. */
const subjectOf = (row: number) => {
  const digest = Buffer.concat([hashOf(row % SUBJECTS, 16), Buffer.alloc(16)]).toString('hex');
  return { kind: 'subject', context: 'default', digest } as const;
};
const STREAM = { kind: 'stream', context: 'default', stream: 'stream 000001' } as const;

const erasureOf = (target: StoredErasure['target'], doneTo: number): StoredErasure => ({
  ...{ target, position: EVENTS, decidedAt: 1, beforeEventId: 10 * EVENTS, doneTo, events: 0, finishedAt: undefined },
});

export const ERASURE_OPERATIONS: readonly HotOperation[] = [
  { of: 'MysqlErasureStore.since', atMost: 150, run: (storage) => storeOf(storage).since(EVENTS - 1_000) },
  { of: 'MysqlErasureStore.stalled', atMost: 60, run: (storage) => storeOf(storage).stalled(1) },
  { of: 'MysqlErasureStore.find', atMost: 5, run: (storage, { position }) => storeOf(storage).find(position) },
  {
    of: 'MysqlErasureStore.newest',
    what: 'of a subject',
    atMost: 10,
    run: (storage, { row }) => storeOf(storage).newest(subjectOf(row)),
  },
  {
    of: 'MysqlErasureStore.newest',
    what: 'of a stream',
    atMost: 10,
    run: (storage) => storeOf(storage).newest(STREAM),
  },
  {
    of: 'MysqlErasureStore.count',
    what: 'of a subject',
    needsCount: true,
    atMost: 500,
    run: (storage, { row }) => storeOf(storage).count(subjectOf(row)),
  },
  {
    of: 'MysqlErasureStore.count',
    what: 'of a stream',
    needsCount: true,
    // Each is read, and read again as it is gathered.
    atMost: 3 * COUNTED,
    run: (storage) => storeOf(storage).count(STREAM),
  },
  {
    of: 'MysqlErasureStore.next',
    what: 'of a subject',
    needsCount: true,
    atMost: 4 * PART,
    run: (storage, { row }) => storeOf(storage).next(erasureOf(subjectOf(row), 0)),
  },
  {
    of: 'MysqlErasureStore.next',
    what: 'of a stream',
    needsCount: true,
    atMost: 4 * PART,
    run: (storage, { position }) => storeOf(storage).next(erasureOf(STREAM, position)),
  },
  {
    of: 'MysqlErasureStore.clearCopies',
    needsCount: true,
    atMost: 20 * FEW,
    run: (storage, { row }) =>
      storeOf(storage).clearCopies({ eventIds: Array.from({ length: FEW }, (_, n) => row + n), waitIds: [] }),
  },
  { of: 'MysqlErasureStore.finish', atMost: 3, run: (storage, { position }) => storeOf(storage).finish(position) },
  {
    of: 'MysqlErasureStore.acknowledge',
    atMost: 3,
    run: (storage, { position }) => storeOf(storage).acknowledge('gone', position),
  },
  { of: 'MysqlErasureStore.behind', atMost: 10, run: (storage) => storeOf(storage).behind(EVENTS, 1_000) },
];
