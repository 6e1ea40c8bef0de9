// Whatever the storage reads while a server runs, with how many rows it may examine for it at most: wherever in a log of more than a
// million events, and whatever the database believes of its tables. A bound follows what the operation returns and looks at, never
// what is stored.

import { type Connection, createConnection } from 'mysql2';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import { EntryKind } from '../../src/domain/events/event.js';
import type { EventCriteria } from '../../src/domain/events/event-filter.js';
import { SearchText } from '../../src/domain/events/search-text.js';
import type { Find, WaitKey } from '../../src/domain/group/group-plan-types.js';
import { addUp } from '../../src/domain/statistics/event-counts.js';
import { daysOfMonth } from '../../src/domain/statistics/utc-days.js';
import { uuidText } from '../../src/lib/uuid-text.js';
import { MysqlCallbackStore } from '../../src/storage/mysql/cawins/callback-store.js';
import { MysqlCawinStore } from '../../src/storage/mysql/cawins/cawin-store.js';
import { MysqlFiringStore } from '../../src/storage/mysql/cawins/firing-store.js';
import { MysqlConsumerStore } from '../../src/storage/mysql/consumers/consumer-store.js';
import { readParked } from '../../src/storage/mysql/consumers/parked-places.js';
import { MysqlParkedStore } from '../../src/storage/mysql/consumers/parked-store.js';
import { MysqlPlaceStore } from '../../src/storage/mysql/consumers/place-store.js';
import { readPushed, readStreams } from '../../src/storage/mysql/group/group-reads.js';
import { HeadCache } from '../../src/storage/mysql/group/head-cache.js';
import { MAX_SCANNED_ROWS, MysqlEventLog } from '../../src/storage/mysql/log/event-log.js';
import { MysqlEventPlaceStore } from '../../src/storage/mysql/log/event-place-store.js';
import { MysqlEventSearch } from '../../src/storage/mysql/log/event-search.js';
import { MysqlStreamStore } from '../../src/storage/mysql/log/stream-store.js';
import { Names } from '../../src/storage/mysql/names/name-cache.js';
import { NameMinter } from '../../src/storage/mysql/names/name-minter.js';
import { MysqlServerStore } from '../../src/storage/mysql/server/server-store.js';
import { ConnectionQueries, connectionOptions, Database } from '../../src/storage/mysql/sql/database.js';
import { MysqlCountStore } from '../../src/storage/mysql/statistics/count-store.js';
import { MysqlStatisticsStore } from '../../src/storage/mysql/statistics/statistics-store.js';
import { MysqlTopicStore } from '../../src/storage/mysql/topics/topic-store.js';
import { MysqlShapeStore } from '../../src/storage/mysql/waits/shape-store.js';
import { readWaits, writeWaits } from '../../src/storage/mysql/waits/wait-rows.js';
import { awaitedKeys } from '../../src/storage/mysql/waits/wait-searches.js';
import { MysqlWaitStore } from '../../src/storage/mysql/waits/wait-store.js';
import { EVERY_PARKED } from '../../src/storage/ports/parked-storage.js';
import { MAX_FORGOTTEN } from '../../src/storage/ports/place-storage.js';
import { SEARCH_LOOK } from '../../src/storage/ports/search-storage.js';
import { type AgedLog, COUNTED_A_DAY, DUE, EVENTS, EXPIRED, hashOf, NAMES, OTHERS, PUSHED_AT } from './aged-log.js';
import { ARCHIVE_OPERATIONS } from './archive-operations.js';
import { ERASURE_OPERATIONS } from './erasure-operations.js';
import { RETENTION_OPERATIONS } from './retention-operations.js';
import { STREAM_COUNT_OPERATIONS } from './stream-count-operations.js';
import { TOPIC_OPERATIONS } from './topic-operations.js';
import { UNREAD_OPERATIONS } from './unread-operations.js';

/** Where in the log, and in the tables beside it, an operation begins. */
export interface Place {
  readonly name: string;
  /** Position in the log; every event has the number of its position. */
  readonly position: number;
  /** Number of a row of the other tables, in the order of whatever they are read by. */
  readonly row: number;
}

/** Far enough from the end that there is as much to read as anywhere. */
const MARGIN = 30_000;
export const PLACES: readonly Place[] = [
  { name: 'the beginning', position: MARGIN, row: 1_000 },
  { name: 'the middle', position: EVENTS / 2, row: OTHERS / 2 + 1_000 },
  { name: 'the end', position: EVENTS - MARGIN, row: OTHERS - 3_000 },
];

/** The storage of a server on an aged log. */
export class Storage {
  readonly database: Database;
  readonly names = new Names();
  readonly log: MysqlEventLog;
  readonly places: MysqlEventPlaceStore;
  readonly search: MysqlEventSearch;
  readonly server: MysqlServerStore;
  readonly streams: MysqlStreamStore;
  readonly topics: MysqlTopicStore;
  readonly waits: MysqlWaitStore;
  readonly shapes: MysqlShapeStore;
  readonly consumers: MysqlConsumerStore;
  readonly parked: MysqlParkedStore;
  readonly placeStore: MysqlPlaceStore;
  readonly firings: MysqlFiringStore;
  readonly callbacks: MysqlCallbackStore;
  readonly cawins: MysqlCawinStore;
  readonly counts: MysqlCountStore;
  readonly statistics: MysqlStatisticsStore;

  /** A connection as that of a group. */
  readonly #group: Connection;
  readonly group: ConnectionQueries;

  constructor({ url }: AgedLog) {
    this.#group = createConnection({ ...connectionOptions(url), multipleStatements: true });
    this.group = new ConnectionQueries(this.#group);
    this.database = new Database({ url, poolSize: 2, random: () => 0 });
    const { database, names } = this;
    this.log = new MysqlEventLog({ database, names });
    this.places = new MysqlEventPlaceStore({ database, names });
    this.search = new MysqlEventSearch({ database, names });
    this.server = new MysqlServerStore({ database });
    this.streams = new MysqlStreamStore({ database, names });
    this.topics = new MysqlTopicStore({ database, names });
    this.waits = new MysqlWaitStore({ database, names });
    this.shapes = new MysqlShapeStore({ database, names });
    this.consumers = new MysqlConsumerStore({ database });
    this.parked = new MysqlParkedStore({ database });
    this.placeStore = new MysqlPlaceStore({ database });
    this.firings = new MysqlFiringStore({ database });
    this.callbacks = new MysqlCallbackStore({ database });
    this.cawins = new MysqlCawinStore({ database });
    this.counts = new MysqlCountStore({ database, names });
    this.statistics = new MysqlStatisticsStore({ database, names });
  }

  async close(): Promise<void> {
    this.#group.destroy();
    await this.database.close();
  }
}

export interface HotOperation {
  /** Class and method, or function, of src/storage/mysql. */
  readonly of: string;
  /** What of it, where it reads in several ways. */
  readonly what?: string;
  /** Rows that it may examine. */
  readonly atMost: number;
  /**
   * MySQL reads the whole of a table that it takes for empty, or shorter than a list of values, where an index has all columns that are
   * asked for; as many are asked for here as there are.
   */
  readonly needsCount?: true;
  run(storage: Storage, place: Place): Promise<unknown>;
}

/** Events of a page, fewer than are worth one statement. */
const FEW = 50;
/** Events of a page that is read in one statement where most match. */
const MANY = 200;
/** Two steps, each about a row an event; a few more by which ranges begin and end. */
const PAGE = 2 * FEW + 20;
/** As much as a page looks at whose criteria pass over rows: what is near, how far it may look, and what is there. */
const SCAN = 3 * MAX_SCANNED_ROWS + PAGE;

const topics = (...numbers: number[]) => numbers.map((n) => `topic ${pad(n)}`);
const streams = (...numbers: number[]) => numbers.map((n) => `stream ${pad(n)}`);
const pad = (n: number) => String(n).padStart(6, '0');

/** A page forward from the place, or back from it. */
function page(
  what: string,
  atMost: number,
  criteria: Partial<EventCriteria>,
  { newestFirst = false, limit = FEW } = {},
): HotOperation {
  return {
    of: 'MysqlEventLog.readPage',
    what: `${what}${newestFirst ? ', newest first' : ''}`,
    atMost,
    run: ({ log }, { position }) => {
      const range = newestFirst ? { after: 0, upTo: position } : { after: position, upTo: EVENTS };
      return log.readPage({ context: 'default', ...criteria }, { ...range, limit, maxBytes: 1 << 20, newestFirst });
    },
  };
}

const PAGES: readonly HotOperation[] = [false, true].flatMap((newestFirst) => [
  page('everything', PAGE, {}, { newestFirst }),
  page('every context', PAGE, { context: 'all' }, { newestFirst }),
  page('a context without events', SCAN, { context: 'context 2' }, { newestFirst }),
  page('one topic', PAGE, { topics: topics(1) }, { newestFirst }),
  page('one topic of every context', PAGE + 100, { context: 'all', topics: topics(1) }, { newestFirst }),
  page('a topic with few events', 2 * PAGE, { topics: topics(NAMES) }, { newestFirst }),
  page('a topic whose events have expired', SCAN, { topics: topics(EXPIRED) }, { newestFirst }),
  page('several topics', 12 * FEW, { topics: topics(1, 2, 3, NAMES) }, { newestFirst }),
  page('one stream', PAGE, { streams: streams(1) }, { newestFirst }),
  page('a stream with few events', 2 * PAGE, { streams: streams(NAMES) }, { newestFirst }),
  page('several streams', 12 * FEW, { streams: streams(1, 2, 3, NAMES) }, { newestFirst }),
  page('a stream and a topic', SCAN, { streams: streams(1), topics: topics(1) }, { newestFirst }),
  page('a stream, and a topic with few events', SCAN, { streams: streams(1), topics: topics(NAMES) }, { newestFirst }),
  page('a session that there is not', SCAN, { sessionIds: ['none'], consumer: 'c' }, { newestFirst }),
  page('one topic, as a consumer', SCAN, { topics: topics(1), consumer: 'c', ignoreOwn: true }, { newestFirst }),
  page('one topic, INVALIDATED ones', SCAN, { topics: topics(1), kinds: [EntryKind.INVALIDATED] }, { newestFirst }),
  page('INVALIDATED ones', SCAN, { kinds: [EntryKind.INVALIDATED] }, { newestFirst }),
  page('an issuer of nothing', SCAN, { issuers: ['nobody'] }, { newestFirst }),
  page('an issuer of nothing in a topic', SCAN, { topics: topics(1), issuers: ['nobody'] }, { newestFirst }),
  page('a tag that nothing has, in several topics', SCAN, { topics: topics(1, 2, 3), tags: ['none'] }, { newestFirst }),
  page('a description', SCAN, { topics: topics(1), description: '{"n":1}' }, { newestFirst }),
  page('a time', SCAN, { topics: topics(1), startTime: 1, endTime: EVENTS * 2_000 }, { newestFirst }),
]);

/** Where a look begins and how far it may go, long entries among it, and the text, with the names of topic and stream of each. */
const LOOK = 5 * SEARCH_LOOK.entries + 200;

function look(what: string, criteria: Partial<EventCriteria>): HotOperation {
  return {
    of: 'MysqlEventSearch.look',
    what,
    atMost: LOOK,
    run: ({ search }, { position }) => {
      const options = { after: 0, upTo: position, limit: FEW };
      return search.look(new SearchText('no such text'), { context: 'default', ...criteria }, options);
    },
  };
}

const SEARCHES: readonly HotOperation[] = [
  look('everything', {}),
  look('every context', { context: 'all' }),
  look('one topic', { topics: topics(1) }),
  look('several topics', { topics: topics(1, 2, 3, NAMES) }),
  look('a topic with few events', { topics: topics(NAMES) }),
  look('one stream', { streams: streams(1) }),
  look('a stream and a topic', { streams: streams(1), topics: topics(1) }),
  look('an issuer of nothing', { issuers: ['nobody'] }),
  look('an issuer of nothing in a topic', { topics: topics(1), issuers: ['nobody'] }),
  ...['default', 'all'].map((context) => ({
    of: 'MysqlEventSearch.pushedAs',
    what: context,
    // Contexts are few: each once.
    atMost: 250,
    run: ({ search }: Storage, { position }: Place) => search.pushedAs(uuidText(hashOf(position, 16)), context),
  })),
  { of: 'MysqlEventSearch.createdAt', atMost: 3, run: ({ search }, { position }) => search.createdAt(position) },
  // The server makes tables of its variables and counters, and reads those.
  { of: 'MysqlServerStore.facts', atMost: 6_000, run: ({ server }) => server.facts() },
  { of: 'MysqlServerStore.instances', atMost: 40, run: ({ server }) => server.instances() },
];

const key = (n: number): WaitKey => {
  return { context: 'default', topic: 'topic 000001', shapeId: 1, hash: hashOf(n, 17), values: '', text: `${n}` };
};
const find = (n: number, after: number): Find => ({ key: key(n), since: 0, after, text: `${n}` });
const NO_WAITS = { keys: [], finds: [], identities: [], eventIds: [], shapeIds: [] };
const NO_WRITES = {
  ...{
    added: [],
    changed: [],
    ledger: [],
    indexed: [],
    unindexed: [],
    identities: [],
    cawins: [],
  },
  catalog: undefined,
};
const onTrip = () => {};
const many = (count: number, from: number) => Array.from({ length: count }, (_, n) => from + n);
const consumer = (row: number) => ({ context: 'default', name: `consumer ${pad(1 + (row % 20_000))}` });
/** The consumer that has trouble with the event of that number. */
const failedOf = (row: number) => 1 + Math.floor(row / 50);
const instance = { id: 'few', address: 'here' };

function waitsOf(needs: Partial<typeof NO_WAITS> | object) {
  return ({ group, names }: Storage) => readWaits(group, names.current, { ...NO_WAITS, ...needs }, onTrip);
}

const NO_COUNTER = { owner: 'nobody', epoch: 1 };
const SCOPES = [
  { what: 'everything', context: 'all', topics: [], streams: [] },
  { what: 'a context', context: 'default', topics: [], streams: [] },
  { what: 'a topic', context: 'default', topics: topics(1), streams: [] },
  { what: 'a stream', context: 'default', topics: [], streams: ['stream 000001'] },
  { what: 'a topic in a stream', context: 'default', topics: topics(1), streams: ['stream 000001'] },
];

export const HOT_OPERATIONS: readonly HotOperation[] = [
  ...PAGES,
  ...SEARCHES,
  ...TOPIC_OPERATIONS,
  ...UNREAD_OPERATIONS,
  ...RETENTION_OPERATIONS,
  ...ARCHIVE_OPERATIONS,
  ...ERASURE_OPERATIONS,
  ...STREAM_COUNT_OPERATIONS,
  page('everything, in one step', MANY + 5, {}, { limit: MANY }),
  page('one topic, many', 2 * MANY + 20, { topics: topics(1) }, { limit: MANY }),
  ...[
    { what: 'of a topic', atMost: PAGE, criteria: { topics: topics(1) } },
    { what: 'of what SQL does not decide', atMost: SCAN, criteria: { topics: topics(1), description: '{"n":1}' } },
    { what: 'of nothing', atMost: SCAN, criteria: { issuers: ['nobody'] } },
  ].flatMap(({ what, atMost, criteria }) =>
    [false, true].map((newestFirst) => ({
      of: 'MysqlEventLog.readPositions',
      what: `${what}${newestFirst ? ', newest first' : ''}`,
      atMost,
      run: ({ log }: Storage, { position }: Place) => {
        const range = newestFirst ? { after: 0, upTo: position } : { after: position, upTo: EVENTS };
        return log.readPositions({ context: 'default', ...criteria }, { ...range, limit: FEW, newestFirst });
      },
    })),
  ),
  { of: 'MysqlEventLog.readHead', atMost: 3, run: ({ log }) => log.readHead() },
  {
    of: 'MysqlEventLog.readAt',
    what: 'neighbours',
    atMost: FEW + 5,
    run: ({ log }, { position }) => log.readAt(many(FEW, position)),
  },
  {
    of: 'MysqlEventLog.readAt',
    what: 'here and there',
    atMost: 2 * FEW + 5,
    run: ({ log }, { position }) => log.readAt(many(FEW, 0).map((n) => position + n * 100)),
  },
  { of: 'MysqlEventLog.findByEventId', atMost: 5, run: ({ log }, { position }) => log.findByEventId(position) },
  {
    of: 'MysqlEventLog.findByMessageId',
    atMost: 5,
    run: ({ log }, { position }) => log.findByMessageId('default', uuidText(hashOf(position, 16))),
  },
  ...[
    { what: 'of a context', criteria: {} },
    { what: 'of topics', criteria: { topics: topics(1, 2), consumer: 'c' } },
    { what: 'of a name never used', criteria: { streams: ['none'] } },
  ].map(({ what, criteria }) => ({
    of: 'MysqlEventLog.othersAt',
    what,
    // In a list that is padded to 64.
    atMost: 2 * 64 + 10,
    run: ({ log }: Storage, { position }: Place) =>
      log.othersAt(
        { context: 'default', ...criteria },
        many(FEW, 0).map((n) => position + n * 100),
      ),
  })),
  ...[1, 500].flatMap((count) => [
    {
      of: 'MysqlEventPlaceStore.positionsOf',
      what: `${count} entries`,
      atMost: 4 * count + 10,
      run: ({ places }: Storage, { position }: Place) => places.positionsOf(many(count, position)),
    },
    {
      of: 'MysqlEventPlaceStore.positionsOf',
      what: `${count} waits`,
      atMost: 4 * count + 10,
      run: ({ places }: Storage, { row }: Place) => places.positionsOf(many(count, EVENTS + row)),
    },
    {
      of: 'MysqlEventPlaceStore.pushedAs',
      what: `${count}`,
      atMost: 4 * count + 10,
      run: ({ places }: Storage, { position }: Place) =>
        places.pushedAs(
          'default',
          many(count, position).map((n) => uuidText(hashOf(n, 16))),
        ),
    },
  ]),
  // A binary search: a row a step, and some more by which it begins.
  { of: 'MysqlEventLog.positionAt', atMost: 60, run: ({ log }, { position }) => log.positionAt(position * 1000) },
  { of: 'MysqlEventLog.oldestPosition', atMost: 3, run: ({ log }) => log.oldestPosition() },

  {
    of: 'MysqlStreamStore.find',
    atMost: 5,
    run: ({ streams: store }, { row }) => store.find('default', `stream ${pad(row)}`),
  },
  ...['default', 'all', 'context 2'].map((context) => ({
    of: 'MysqlStreamStore.pushedTo',
    what: `in ${context}`,
    // Of all, one look-up a name and context.
    atMost: 25 * FEW + 50,
    run: ({ streams: store }: Storage, { row }: Place) =>
      store.pushedTo(
        context,
        many(FEW, row).map((n) => `stream ${pad(n)}`),
      ),
  })),
  ...['default', 'all'].map((context) => ({
    of: 'MysqlStreamStore.list',
    what: `of ${context}`,
    atMost: FEW + 50,
    run: ({ streams: store }: Storage, { row }: Place) =>
      store.list({ context, limit: FEW, after: { context: 'default', name: `stream ${pad(row)}` } }),
  })),
  {
    of: 'MysqlStreamStore.list',
    what: 'by a prefix',
    atMost: FEW + 50,
    run: ({ streams: store }, { row }) =>
      store.list({ context: 'default', limit: FEW, namePrefix: `stream ${pad(row).slice(0, 4)}` }),
  },
  {
    of: 'MysqlTopicStore.find',
    atMost: 8,
    run: ({ topics: store }, { row }) => store.find('default', `topic ${pad(row)}`),
  },
  ...['default', 'all'].map((context) => ({
    of: 'MysqlTopicStore.list',
    what: `of ${context}`,
    needsCount: true as const,
    atMost: 4 * FEW + 50,
    run: ({ topics: store }: Storage, { row }: Place) =>
      store.list({ context, limit: FEW, namePrefix: '', after: { context: 'default', name: `topic ${pad(row)}` } }),
  })),

  { of: 'MysqlWaitStore.find', atMost: 3, run: ({ waits }, { row }) => waits.find(EVENTS + row) },
  ...[false, true].flatMap((newestFirst) =>
    [
      { what: 'everything', context: 'all', topics: [] },
      { what: 'of a context', context: 'default', topics: [] },
      { what: 'of a topic', context: 'default', topics: topics(1) },
      { what: 'of two topics', context: 'all', topics: topics(1, 2) },
    ].map(({ what, ...criteria }) => ({
      of: 'MysqlWaitStore.list',
      what: `${what}${newestFirst ? ', newest first' : ''}`,
      atMost: 10 * FEW + 50,
      run: ({ waits }: Storage, { row }: Place) =>
        waits.list({ ...criteria, after: EVENTS + row, newestFirst, limit: FEW }),
    })),
  ),
  { of: 'MysqlWaitStore.due', atMost: FEW + 10, run: ({ waits }) => waits.due(FEW, 1 << 20) },
  {
    of: 'MysqlWaitStore.findPushed',
    atMost: 5,
    run: ({ waits }, { row }) => waits.findPushed('default', uuidText(hashOf(10 * EVENTS + row, 16))),
  },
  { of: 'MysqlWaitStore.forgetPushes', what: 'some', atMost: 3 * FEW, run: ({ waits }) => waits.forgetPushes(1, FEW) },
  {
    of: 'MysqlWaitStore.forgetPushes',
    what: 'none',
    atMost: 5,
    run: ({ waits }) => waits.forgetPushes(Date.now() * 1000 - PUSHED_AT / 2, FEW),
  },

  { of: 'MysqlShapeStore.load', atMost: 20, run: ({ shapes }) => shapes.load() },
  {
    of: 'MysqlShapeStore.positionBefore',
    atMost: FEW + 10,
    run: ({ shapes }, { position }) =>
      shapes.positionBefore({ context: 'default', name: 'topic 000001' }, position, FEW),
  },
  {
    of: 'MysqlShapeStore.list',
    atMost: 20,
    run: ({ shapes }) => shapes.list({ context: 'all', topic: '', after: 0, limit: FEW }),
  },
  // It passes over what is due, which is not for long.
  { of: 'MysqlShapeStore.idle', atMost: DUE + 10, run: ({ shapes }) => shapes.idle(Date.now() * 1000, 0, FEW) },
  { of: 'MysqlShapeStore.touch', atMost: 3, run: ({ shapes }) => shapes.touch(1, 1) },
  { of: 'MysqlShapeStore.clear', atMost: 5, run: ({ shapes }) => shapes.clear(9, FEW) },
  {
    of: 'MysqlShapeStore.index',
    atMost: 5,
    run: ({ shapes }, { position }) =>
      shapes.index(1, { after: 0, upTo: position, rows: [{ hash: hashOf(position, 17), position }] }),
  },

  {
    of: 'readStreams',
    atMost: 3 * FEW,
    run: ({ group, names }, { row }) =>
      readStreams(
        group,
        many(FEW, row).map((n) => ({ context: 'default', name: `stream ${pad(n)}` })),
        { names: names.current, headCache: new HeadCache(), onTrip },
      ),
  },
  ...[1, 500].map((count) => ({
    of: 'readPushed',
    what: `${count}`,
    atMost: 8 * count + 10,
    run: async ({ group, names }: Storage, { position }: Place) => {
      await names.current.load(group, { contexts: ['default'] });
      const messageIds = many(count, position).map((n) => ({ context: 'default', messageId: uuidText(hashOf(n, 16)) }));
      const needs = { streams: [], messageIds, lookUpFirst: true, waits: undefined };
      return readPushed(group, needs, { names: names.current, onTrip });
    },
  })),
  ...[1, 60].map((count) => ({
    of: 'awaitedKeys',
    what: `${count}`,
    atMost: 3 * count + 5,
    run: ({ group }: Storage, { row }: Place) => awaitedKeys(group, many(count, row).map(key)),
  })),
  ...[1, 60].map((count) => ({
    of: 'readWaits',
    what: `${count} keys`,
    atMost: 3 * count + 20,
    run: (storage: Storage, { row }: Place) => waitsOf({ keys: many(count, row).map(key) })(storage),
  })),
  ...[1, 60].map((count) => ({
    of: 'readWaits',
    what: `${count} finds, of what occurred once`,
    needsCount: true as const,
    atMost: 30 * count,
    run: (storage: Storage, { row }: Place) => waitsOf({ finds: many(count, row).map((n) => find(n, 0)) })(storage),
  })),
  {
    of: 'readWaits',
    what: 'a find of what occurs all the time, from a place on',
    needsCount: true,
    atMost: 20,
    run: (storage, { position }) => waitsOf({ finds: [find(1, position)] })(storage),
  },
  {
    of: 'readWaits',
    what: 'many finds of what occurs all the time, from a place on',
    atMost: 400,
    run: (storage, { position }) => waitsOf({ finds: many(20, position).map((after) => find(1, after)) })(storage),
  },
  {
    of: 'readWaits',
    what: 'identities',
    atMost: 3 * FEW + 20,
    run: (storage, { row }) => {
      const identities = many(FEW, row).map((n) => {
        return { context: 'default', topic: 'topic 000001', digest: hashOf(n, 34), text: `${n}` };
      });
      return waitsOf({ identities })(storage);
    },
  },
  {
    of: 'readWaits',
    what: 'events',
    atMost: 8 * FEW + 20,
    run: (storage, { row, position }) =>
      waitsOf({ eventIds: [...many(FEW, position), ...many(FEW, EVENTS + row)] })(storage),
  },
  {
    of: 'writeWaits',
    what: 'the end of an event',
    atMost: 20,
    run: ({ group, names }, { row, position }) => {
      const next = { context: 1e3, topic: 1e6, stream: 1e6 };
      const minter = new NameMinter({ names: names.current, next, headPosition: EVENTS });
      const writes = { ...NO_WRITES, freed: { eventId: row, position } };
      return writeWaits(group, writes, { minter, onTrip });
    },
  },
  {
    of: 'NameCache.load',
    needsCount: true,
    atMost: 6 * FEW + 10,
    run: ({ database }, { row }) => {
      const scoped = (kind: string) => many(FEW, row).map((n) => ({ context: 'default', name: `${kind} ${pad(n)}` }));
      return new Names().current.load(database, {
        contexts: ['default'],
        topics: scoped('topic'),
        streams: scoped('stream'),
      });
    },
  },
  {
    of: 'NameCache.loadByIds',
    atMost: 6 * FEW + 10,
    run: ({ database }, { row }) =>
      new Names().current.loadByIds(database, new Set(many(FEW, row)), new Set(many(FEW, row))),
  },

  { of: 'MysqlConsumerStore.find', atMost: 3, run: ({ consumers }, { row }) => consumers.find(consumer(row)) },
  {
    of: 'MysqlConsumerStore.create',
    atMost: 3,
    run: ({ consumers }, { row }) =>
      consumers.create({ ...consumer(row), settings: DEFAULT_SETTINGS, offset: 0, createdAt: 1 }),
  },
  ...['default', 'all'].map((context) => ({
    of: 'MysqlConsumerStore.list',
    what: `of ${context}`,
    atMost: 2 * FEW,
    run: ({ consumers }: Storage, { row }: Place) => consumers.list({ context, limit: FEW, after: consumer(row / 15) }),
  })),
  {
    of: 'MysqlConsumerStore.list',
    what: 'of a context and of all',
    atMost: 3 * FEW,
    run: ({ consumers }, { row }) =>
      consumers.list({ context: 'default', withAll: true, limit: FEW, after: consumer(row / 15) }),
  },
  {
    of: 'MysqlConsumerStore.acked',
    atMost: 2 * FEW,
    run: ({ consumers }, { row }) => consumers.acked(many(FEW, (row % 10_000) + 5)),
  },
  {
    of: 'MysqlConsumerStore.countParked',
    atMost: 3 * FEW,
    run: ({ consumers }, { row }) => consumers.countParked(many(FEW, (row % 10_000) + 5)),
  },
  {
    of: 'MysqlConsumerStore.acquire',
    atMost: 80,
    run: ({ consumers }) => consumers.acquire(consumer(5_001), instance, 10),
  },
  { of: 'MysqlConsumerStore.renew', atMost: 20, run: ({ consumers }) => consumers.renew('few') },
  { of: 'MysqlConsumerStore.listOwned', atMost: 20, run: ({ consumers }) => consumers.listOwned('few') },
  {
    of: 'MysqlConsumerStore.release',
    atMost: 3 * FEW,
    run: ({ consumers }, { row }) => consumers.release(many(FEW, (row % 10_000) + 5).map((id) => ({ id, epoch: 99 }))),
  },
  {
    of: 'MysqlConsumerStore.releaseEnded',
    atMost: 5,
    run: ({ consumers }) => consumers.releaseEnded({ first: 'gone 1', before: 'gone 2' }),
  },
  {
    of: 'MysqlConsumerStore.reserveLeases',
    atMost: 5,
    run: ({ consumers }) => consumers.reserveLeases({ id: 100, epoch: 1 }, 5),
  },
  ...[false, true].map((failing) => ({
    of: 'MysqlConsumerStore.flush',
    what: failing ? 'with failure records' : 'of places alone',
    atMost: 6 * FEW,
    run: ({ consumers }: Storage, { row }: Place) =>
      consumers.flush(
        many(FEW, (row % 10_000) + 5).map((id) => ({
          ...{
            hold: { id, epoch: 1 },
            generation: 1,
            generationLease: 1,
            generationOffset: 0,
            offset: 1,
            acked: new Uint8Array(),
          },
          ...{ movedAt: undefined, failures: [], failuresOver: failing ? [(id - 1) * 50] : [] },
        })),
      ),
  })),
  {
    of: 'MysqlConsumerStore.delete',
    atMost: 6 * 50 + 10,
    run: ({ consumers }, { row }) => consumers.delete({ id: 3_000 + (row % 10_000), epoch: 1 }),
  },
  ...[
    { what: 'everything', atMost: 60, stream: '' },
    { what: 'of a stream', atMost: 180, stream: 'stream 000001' },
  ].map(({ what, atMost, stream }) => ({
    ...{ of: 'MysqlParkedStore.list', what, atMost },
    run: ({ parked }: Storage, { row }: Place) =>
      // Each consumer has 50 events that failed.
      parked.list({ ...EVERY_PARKED, stream, consumerId: failedOf(row), withReplaying: true, after: 0, limit: FEW }),
  })),
  {
    of: 'MysqlParkedStore.stillParked',
    atMost: 2,
    run: ({ parked }, { row }) => parked.stillParked(failedOf(row), [row]),
  },
  {
    of: 'readParked',
    atMost: 4,
    run: ({ group }, { row }) =>
      readParked(group, [{ consumerId: failedOf(row), ownerEpoch: 1, position: row, erasedTo: 0 }], onTrip),
  },
  // Each consumer has 50 moves and 50 snapshots.
  {
    of: 'MysqlPlaceStore.listMoves',
    atMost: FEW + 5,
    run: ({ placeStore }, { row }) =>
      placeStore.listMoves({ consumerId: failedOf(row), before: undefined, limit: FEW }),
  },
  {
    of: 'MysqlPlaceStore.forgetMoves',
    atMost: 3 * MAX_FORGOTTEN + 10,
    run: ({ placeStore }, { row }) => placeStore.forgetMoves(row),
  },
  {
    of: 'MysqlPlaceStore.listSnapshots',
    atMost: FEW + 5,
    run: ({ placeStore }, { row }) =>
      placeStore.listSnapshots({ consumerId: failedOf(row), after: undefined, limit: FEW }),
  },
  {
    of: 'MysqlPlaceStore.countSnapshots',
    atMost: FEW + 5,
    run: ({ placeStore }, { row }) => placeStore.countSnapshots(failedOf(row)),
  },
  {
    of: 'MysqlPlaceStore.findSnapshot',
    atMost: 2,
    run: ({ placeStore }, { row }) => placeStore.findSnapshot(failedOf(row), 'snapshot 000001'),
  },
  { of: 'MysqlConsumerStore.sweepEphemeral', atMost: 400, run: ({ consumers }) => consumers.sweepEphemeral([]) },

  { of: 'MysqlFiringStore.acquire', atMost: 10, run: ({ firings }) => firings.acquire('plans', 1) },
  {
    of: 'MysqlFiringStore.advance',
    atMost: 3,
    run: ({ firings }, { position }) => firings.advance({ owner: 'plans', epoch: 0, position }, position),
  },
  {
    of: 'MysqlFiringStore.release',
    atMost: 3,
    run: ({ firings }, { position }) => firings.release({ owner: 'plans', epoch: 0, position }),
  },
  {
    of: 'MysqlFiringStore.releaseEnded',
    atMost: 3,
    run: ({ firings }) => firings.releaseEnded({ first: 'gone 1', before: 'gone 2' }),
  },
  {
    of: 'MysqlFiringStore.withCawins',
    needsCount: true,
    atMost: 3 * FEW + 5,
    run: ({ firings }, { row }) => firings.withCawins(many(FEW, OTHERS / 2 + 1 + (row % 90_000))),
  },
  {
    of: 'MysqlFiringStore.fire',
    what: 'the cawins of an event that has many',
    atMost: 8 * FEW + 40,
    run: async ({ firings }, { row }) => {
      const hold = await firings.acquire('plans', 1);
      if (hold === undefined) throw new Error('somebody else makes firings');
      const end = { kind: EntryKind.OCCURRED, position: 1, createdAt: 1, firstEndAt: 1 } as const;
      await firings.fire(hold, [{ end, eventId: 1, afterCawin: Math.floor(row / 2) }], FEW);
    },
  },
  { of: 'MysqlFiringStore.expireDue', atMost: 20 * FEW, run: ({ firings }) => firings.expireDue(FEW) },

  {
    of: 'MysqlCallbackStore.readyEndpoints',
    atMost: 3 * FEW,
    run: ({ callbacks }) => callbacks.readyEndpoints([1, 2, 3], FEW),
  },
  {
    of: 'MysqlCallbackStore.claim',
    what: 'from an endpoint that has many',
    atMost: 8 * FEW + 20,
    run: ({ database, callbacks }) => claim(database, callbacks, 1),
  },
  {
    of: 'MysqlCallbackStore.claim',
    what: 'from an endpoint that has few',
    needsCount: true,
    atMost: 60,
    run: ({ database, callbacks }, { row }) => claim(database, callbacks, 1 + (row % 20_000)),
  },
  {
    of: 'MysqlCallbackStore.finish',
    needsCount: true,
    atMost: 20 * FEW,
    run: ({ callbacks }, { row }) =>
      callbacks.finish(
        many(FEW, row).map((cawinId) => ({
          firing: {
            ...{
              cawinId,
              kind: EntryKind.OCCURRED,
              position: 1,
              eventId: 1,
              endpointId: 1,
              hostId: 1,
              awaited: undefined,
              token: 7,
            },
            ...{
              attemptNumber: 1,
              roundAttempt: 1,
              createdAt: 1,
              isProbe: false,
              url: '',
              timeoutMs: 1,
              sealed: undefined,
            },
          },
          attempt: {
            ...{ kind: EntryKind.OCCURRED, number: 5_000, startedAt: 1, outcome: 'delivered', reason: '', status: '' },
            ...{ statusCode: 200, latencyMicros: 1, firstBytes: '', error: '' },
          },
          verdict: { kind: 'delivered' },
          health: 'answers',
          urlFailures: 0,
        })),
        () => 0,
      ),
  },

  {
    of: 'MysqlCawinStore.endpointId',
    atMost: 3,
    run: ({ cawins }, { row }) => cawins.endpointId(`http://${row % 20_000}`),
  },
  { of: 'MysqlCawinStore.find', atMost: 20, run: ({ cawins }, { row }) => cawins.find(row) },
  {
    of: 'MysqlCawinStore.findByRequest',
    atMost: 25,
    run: ({ cawins }, { row }) => cawins.findByRequest('default', `${row}`),
  },
  ...[
    { what: 'everything', context: 'all' },
    { what: 'of a context', context: 'default' },
    { what: 'of an event that has many', context: 'default', eventId: 1 },
  ].map(({ what, ...criteria }) => ({
    of: 'MysqlCawinStore.list',
    what,
    atMost: 12 * FEW,
    run: ({ cawins }: Storage, { row }: Place) =>
      cawins.list({ ...criteria, after: criteria.eventId === undefined ? row : Math.floor(row / 2.1), limit: FEW }),
  })),
  {
    of: 'MysqlCawinStore.update',
    atMost: 40,
    run: ({ cawins }, { row }) =>
      cawins.update(
        row,
        () => ({ active: true, notifyOn: undefined, expiresAt: undefined, callback: undefined, seal: undefined }),
        undefined,
      ),
  },
  { of: 'MysqlCawinStore.delete', atMost: 1_010, run: ({ cawins }, { row }) => cawins.delete(row + 7) },
  { of: 'MysqlCawinStore.retry', atMost: 10, run: ({ cawins }, { row }) => cawins.retry(row) },
  {
    of: 'MysqlCawinStore.attempts',
    needsCount: true,
    atMost: FEW + 10,
    run: ({ cawins }, { row }) => cawins.attempts(50, { kind: EntryKind.OCCURRED, number: Math.floor(row / 220) }, FEW),
  },

  { of: 'MysqlCountStore.acquire', atMost: 10, run: ({ counts }) => counts.acquire('here') },
  { of: 'MysqlCountStore.renew', atMost: 5, run: ({ counts }) => counts.renew(NO_COUNTER) },
  { of: 'MysqlCountStore.release', atMost: 5, run: ({ counts }) => counts.release(NO_COUNTER) },
  {
    of: 'MysqlCountStore.releaseEnded',
    atMost: 5,
    run: ({ counts }) => counts.releaseEnded({ first: 'a', before: 'b' }),
  },
  {
    of: 'MysqlCountStore.tally',
    // What is in groups is looked up, and read once more.
    atMost: 4 * MANY,
    run: ({ counts }, { position }) => counts.tally(position, position + MANY),
  },
  {
    of: 'MysqlCountStore.add',
    atMost: 40 * FEW,
    run: ({ counts }, { position, row }) => addTallies(counts, position, row),
  },
  ...[
    { what: 'of a month', last: daysOfMonth(10).last, days: 32, most: 1 },
    { what: 'of some days', last: daysOfMonth(10).first + 1, days: 3, most: 5 },
  ].flatMap(({ what, last, days, most }) =>
    ['default', 'all'].map((context) => ({
      of: 'MysqlStatisticsStore.stats',
      what: `${what}, in ${context}`,
      atMost: (3 + most) * days * COUNTED_A_DAY * 2 + 1_000,
      run: ({ statistics }: Storage) => {
        const period = { first: daysOfMonth(10).first, last };
        return statistics.stats({ context, period, reserved: false, topics: 10, streams: 10 });
      },
    })),
  ),
  ...SCOPES.map(({ what, ...scope }) => ({
    of: 'MysqlStatisticsStore.total',
    what,
    atMost: 40,
    run: ({ statistics }: Storage) => statistics.total(scope),
  })),
  ...SCOPES.map(({ what, ...scope }) => ({
    of: 'MysqlStatisticsStore.occurredUpTo',
    what,
    // From the mark before, which is near here.
    atMost: 400,
    run: ({ statistics }: Storage, { position }: Place) => statistics.occurredUpTo(scope, position),
  })),
];

/** Adds what a part of the log has, whatever was counted before. */
async function addTallies(counts: MysqlCountStore, position: number, row: number): Promise<void> {
  const { hold } = await counts.acquire('here');
  if (hold === undefined) throw new Error('another one counts');
  const { position: after } = await counts.acquire('here');
  const tallies = many(FEW, row).map((n) => ({
    ...{ contextId: 1, topicId: n, streamId: n, day: Math.floor(n / COUNTED_A_DAY) },
    ...{ events: 1, bytes: 1, addressed: 0, reserved: false },
  }));
  await counts.add({ ...hold, epoch: hold.epoch + 1 }, after, { position, at: 1 }, addUp(tallies));
}

/** Claims after the endpoint was made ready, whatever was claimed before. */
async function claim(database: Database, callbacks: MysqlCallbackStore, endpointId: number): Promise<void> {
  await database.write('UPDATE endpoint SET ready_at = 1 WHERE id = ?', [endpointId]);
  await callbacks.claim(endpointId, { limit: FEW, token: 1 });
}
