// What it costs to know which archives there are, and whom they are about: see hot-operations.ts.

import { randomUUID } from 'node:crypto';
import { MysqlArchiveStore } from '../../src/storage/mysql/archive/archive-store.js';
import { RetentionTopics } from '../../src/storage/mysql/retention/retention-topics.js';
import { ARCHIVES, hashOf, SUBJECTS } from './aged-log.js';
import type { HotOperation, Place, Storage } from './hot-operations.js';

const FEW = 50;
const DIGESTS = { sha256: '00'.repeat(32), digest: '00'.repeat(32) };

const operation = (
  of: string,
  atMost: number,
  run: (store: MysqlArchiveStore, place: Place) => Promise<unknown>,
  what = '',
): HotOperation => ({
  of: `MysqlArchiveStore.${of}`,
  ...(what === '' ? {} : { what }),
  atMost,
  needsCount: true,
  run: ({ database, names }: Storage, place) => {
    const topics = new RetentionTopics(database);
    return run(new MysqlArchiveStore({ database, names, topics }), place);
  },
});

const archiveOf = (row: number) => 1 + (row % (ARCHIVES - 2 * FEW));
const subjectOf = (row: number) => {
  const digest = Buffer.concat([hashOf(row % SUBJECTS, 16), Buffer.alloc(16)]).toString('hex');
  return { kind: 'subject', context: 'default', digest } as const;
};
const STREAM = { kind: 'stream', context: 'default', stream: 'stream 000001' } as const;

export const ARCHIVE_OPERATIONS: readonly HotOperation[] = [
  operation('topic', 10, (store) => store.topic(1)),
  operation('begin', 5, (store) => store.begin({ name: randomUUID(), topicId: 1, instance: 'here' })),
  // Each is read for its stream and for its subjects, and both are gathered.
  operation('prepare', 12 * FEW, (store, { row }) =>
    store.prepare(
      archiveOf(row),
      Array.from({ length: FEW }, (_, n) => row + n),
    ),
  ),
  operation('sealed', 3, (store, { row }) => store.sealed(archiveOf(row), DIGESTS, 1)),
  operation('forget', 3, (store, { row }) => store.forget(archiveOf(row))),
  operation('find', 10, (store, { row }) => store.find(archiveOf(row))),
  operation('unsealed', 3 * FEW, (store) => store.unsealed({ first: 'gone 1', before: 'gone 2' })),
  ...[
    { what: 'all', context: 'all', topic: '' },
    { what: 'of a context', context: 'default', topic: '' },
    { what: 'of a topic', context: 'default', topic: 'topic 000001' },
  ].map(({ what, ...of }) =>
    operation(
      'list',
      8 * FEW,
      (store, { row }) => store.list({ ...of, after: archiveOf(row) % (ARCHIVES / 2), limit: FEW }),
      what,
    ),
  ),
  // All that hold it are counted.
  operation('holding', 10 * FEW, (store, { row }) => store.holding(subjectOf(row), FEW), 'a subject'),
  operation('holding', 10 * FEW, (store) => store.holding(STREAM, FEW), 'a stream'),
  operation('setHold', 5, (store, { row }) => store.setHold(row, undefined)),
  operation('holds', 5, (store) => store.holds()),
];
