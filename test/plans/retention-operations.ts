// What it costs to delete what topics do not keep, and what truncated streams lose: see hot-operations.ts.

import { LoopSlices } from '../../src/lib/loop-slices.js';
import { UnreadEvents } from '../../src/storage/mysql/consumers/unread-events.js';
import { writeUnread } from '../../src/storage/mysql/consumers/unread-writes.js';
import { MysqlRetentionStore } from '../../src/storage/mysql/retention/retention-store.js';
import { RetentionTopics } from '../../src/storage/mysql/retention/retention-topics.js';
import { MysqlTruncationStore } from '../../src/storage/mysql/retention/truncation-store.js';
import type { DueEntry, RetentionHold } from '../../src/storage/ports/retention-storage.js';
import { EVENTS } from './aged-log.js';
import type { HotOperation, Place, Storage } from './hot-operations.js';

const FEW = 50;
const MANY = 500;
/** Consumers of the aged log, and how many of them lose something at once. */
const CONSUMERS = 20_000;
const LOSERS = 300;
const NOBODY: RetentionHold = { owner: 'nobody', epoch: 0 };
const TOPIC = { context: 'default', name: 'topic 000001' };
const MIB = 1024 * 1024;

function storeOf({ database, names }: Storage): MysqlRetentionStore {
  const unread = new UnreadEvents({ database, names, slices: new LoopSlices(), monotonicMs: () => 0 });
  return new MysqlRetentionStore({ database, topics: new RetentionTopics(database), unread });
}

async function dueAt(store: MysqlRetentionStore, { position }: Place): Promise<readonly DueEntry[]> {
  const page = await store.due({ topicId: 1, after: position + 5_000, upTo: EVENTS, limit: FEW, maxBytes: MIB });
  return page.entries;
}

async function held(store: MysqlRetentionStore): Promise<RetentionHold> {
  const hold = await store.acquire('plans');
  if (hold === undefined) throw new Error('somebody else deletes');
  return hold;
}

/** A consumer, and rows of failures of it: see aged-log.ts. */
const failedOf = (row: number) => 1 + Math.floor(row / 50);

const operation = (
  of: string,
  atMost: number,
  run: (store: MysqlRetentionStore, place: Place, storage: Storage) => Promise<unknown>,
): HotOperation => ({
  of: `MysqlRetentionStore.${of}`,
  atMost,
  needsCount: true,
  run: (storage, place) => run(storeOf(storage), place, storage),
});

const truncations = ({ database }: Storage) => new MysqlTruncationStore({ database });

export const RETENTION_OPERATIONS: readonly HotOperation[] = [
  operation('acquire', 5, (store) => store.acquire('plans')),
  operation('renew', 3, (store) => store.renew(NOBODY)),
  operation('release', 3, (store) => store.release(NOBODY)),
  operation('releaseEnded', 3, (store) => store.releaseEnded({ first: 'gone 1', before: 'gone 2' })),
  operation('storedEvents', 2 * FEW + 50, (store, { position }) =>
    store.storedEvents(Array.from({ length: FEW }, (_, n) => position + n)),
  ),
  operation('clock', 5, (store) => store.clock()),
  operation('noteClock', 5, (store) => store.noteClock({ sampledAt: 1 })),
  operation('topics', 10, (store) => store.topics()),
  operation('settledTo', 5, (store) => store.settledTo()),
  operation('moves', 3, (store) => store.moves()),
  operation('expectRepeats', 3, (store) => store.expectRepeats()),
  // Of the server's own tables.
  operation('purgeLag', 1_000, (store) => store.purgeLag()),
  operation('topicId', 5, (store) => store.topicId(TOPIC)),
  operation('places', 3 * FEW, (store, { row }) => store.places(Array.from({ length: FEW }, (_, n) => row + n))),
  operation('due', 2 * FEW + 5, dueAt),
  operation('kept', 3 * FEW, (store, { row }) => store.kept(1, row, FEW)),
  // Read, gathered and grouped.
  operation('countKept', 4 * FEW, (store) => store.countKept(1, FEW)),
  operation('parked', 6 * FEW, async (store, place) => store.parked(await dueAt(store, place))),
  operation('endCallbacks', 12 * FEW, async (store, place) =>
    store.endCallbacks(await held(store), await dueAt(store, place)),
  ),
  // Every consumer is looked at, a thousand at a time.
  operation('behind', CONSUMERS + 100, (store) => store.behind({ ...TOPIC, context: 'context 2' }, EVENTS)),
  operation('delete', 30 * FEW, async (store, place) => {
    const entries = await dueAt(store, place);
    const rest = { keeps: [], lookedTo: undefined, moves: undefined, ledgerAfter: 0, isEphemeral: true };
    return store.delete(await held(store), { topicId: 1, entries, ...rest });
  }),
  {
    of: 'writeUnread',
    what: 'for many consumers',
    needsCount: true,
    // Each is locked and counted, its gaps are read, replaced and read again by the index; and who failed on an event.
    atMost: 10 * LOSERS + 6 * MANY,
    run: ({ database }, { row }) => {
      const positions = Array.from({ length: MANY }, (_, n) => row + n);
      const losers = Array.from({ length: LOSERS }, (_, n) => {
        return { consumerId: failedOf(row) + n, positions, parked: new Set<number>() };
      });
      return database.transaction((queries) => writeUnread(queries, positions, losers));
    },
  },
  { of: 'MysqlTruncationStore.open', atMost: 110, run: (storage) => truncations(storage).open() },
  {
    of: 'MysqlTruncationStore.end',
    atMost: 60,
    run: (storage, { position }) => truncations(storage).end({ streamId: 1, upTo: position }),
  },
  {
    of: 'MysqlTruncationStore.entries',
    atMost: 8 * FEW,
    run: (storage, { position }) =>
      truncations(storage).entries(1, { after: position, upTo: EVENTS, limit: FEW, maxBytes: MIB }),
  },
  {
    of: 'MysqlTruncationStore.done',
    atMost: 3,
    run: (storage, { row }) => truncations(storage).done({ streamId: row, upTo: 7 }),
  },
];
