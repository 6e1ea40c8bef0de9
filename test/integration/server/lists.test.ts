// What every list call keeps to, tried on each of them: sizes of pages, when there is another one, whose token it takes, and how
// large an answer becomes.

import { createConnection } from 'mysql2/promise';
import { beforeAll, describe, expect, it } from 'vitest';
import { SearchEventsRequest, SearchEventsResponse } from '../../../generated/madeleine/v1/admin_service.js';
import { ListAttemptsResponse, ListCawinsResponse } from '../../../generated/madeleine/v1/cawin_service.js';
import {
  ConsumerSettings,
  ListConsumersResponse,
  ListOffsetMovesResponse,
  ListParkedEventsResponse,
  ListSnapshotsResponse,
  Verdict,
} from '../../../generated/madeleine/v1/consumer_service.js';
import { EventStatus } from '../../../generated/madeleine/v1/event.js';
import { ListEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { ListStreamsResponse } from '../../../generated/madeleine/v1/stream_service.js';
import {
  ListArchivesResponse,
  ListDiscardedSamplesResponse,
  ListSchemasResponse,
  ListShapesResponse,
  ListTopicsResponse,
} from '../../../generated/madeleine/v1/topic_service.js';
import { Descriptors } from '../../support/contract/descriptors.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { numbers } from '../../support/database/numbers.js';
import { newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const { EVENT_STATUS_AWAITED: AWAITED, EVENT_STATUS_OCCURRED: OCCURRED } = EventStatus;
const CONTEXT = 'lists';
const SHAPES_CONTEXT = 'shapes';
const PARKER = { context: 'parked', consumer: 'parker' };
/** Items of each list: two more than a page has unless told otherwise. */
const TOTAL = 102;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

const suite = useServer({ callbackAllow: '127.0.0.1', secretKey: 'ab'.repeat(32) });
let eventId = 0n;
let cawinId = 0n;

interface Paging {
  readonly pageSize?: number;
  readonly pageToken?: string;
}

interface Listed {
  readonly keys: readonly unknown[];
  readonly nextPageToken: string;
  readonly bytes: number;
}

interface ListCall {
  /** The call, and what is special about this use of it. */
  readonly name: string;
  readonly list: (paging: Paging) => Promise<Listed>;
  /** The same call with another filter. */
  readonly other: (paging: Paging) => Promise<unknown>;
  /** Items, if they are not TOTAL. */
  readonly total?: number;
}

function listed<T extends { nextPageToken: string }>(
  answer: T,
  keys: readonly unknown[],
  codec: { encode(answer: T): { finish(): Uint8Array } },
): Listed {
  return { keys, nextPageToken: answer.nextPageToken, bytes: codec.encode(answer).finish().byteLength };
}

async function streams(context: string, paging: Paging) {
  const answer = await suite.client.streams.listStreams({ context, ...paging });
  return listed(answer, names(answer.streams), ListStreamsResponse);
}

/** Topics whose names begin so: the server has one of its own in each context. */
async function topics(context: string, paging: Paging & { readonly namePrefix?: string }) {
  const answer = await suite.client.topics.listTopics({ context, ...paging });
  return listed(answer, names(answer.topics), ListTopicsResponse);
}

async function discarded(context: string, paging: Paging) {
  const answer = await suite.client.topics.listDiscardedSamples({ context, ...paging });
  return listed(
    answer,
    answer.samples.map(({ id }) => id),
    ListDiscardedSamplesResponse,
  );
}

async function archives(topic: string, paging: Paging) {
  const answer = await suite.client.topics.listArchives({ context: CONTEXT, topic, ...paging });
  return listed(
    answer,
    answer.archives.map(({ id }) => id),
    ListArchivesResponse,
  );
}

async function shapes(context: string, paging: Paging) {
  const answer = await suite.client.topics.listShapes({ context, ...paging });
  return listed(
    answer,
    answer.shapes.map(({ id }) => id),
    ListShapesResponse,
  );
}

async function schemas(topic: string, paging: Paging) {
  const answer = await suite.client.topics.listSchemas({ context: CONTEXT, topic, ...paging });
  return listed(
    answer,
    answer.schemas.map(({ version }) => version),
    ListSchemasResponse,
  );
}

async function consumers(context: string, paging: Paging) {
  const answer = await suite.client.consumers.listConsumers({ context, ...paging });
  return listed(answer, names(answer.consumers), ListConsumersResponse);
}

async function parked(request: object) {
  const answer = await suite.client.consumers.listParkedEvents({ ...PARKER, ...request });
  return listed(
    answer,
    answer.events.map(({ event }) => event?.position),
    ListParkedEventsResponse,
  );
}

async function moves(consumer: string, paging: Paging) {
  const answer = await suite.client.consumers.listOffsetMoves({ context: CONTEXT, consumer, ...paging });
  return listed(
    answer,
    answer.moves.map(({ offset }) => offset),
    ListOffsetMovesResponse,
  );
}

async function snapshots(consumer: string, paging: Paging) {
  const answer = await suite.client.consumers.listSnapshots({ context: CONTEXT, consumer, ...paging });
  return listed(answer, names(answer.snapshots), ListSnapshotsResponse);
}

async function cawins(context: string, paging: Paging) {
  const answer = await suite.client.cawins.listCawins({ context, ...paging });
  return listed(
    answer,
    answer.cawins.map(({ id }) => id),
    ListCawinsResponse,
  );
}

async function attempts(id: bigint, paging: Paging) {
  const answer = await suite.client.cawins.listAttempts({ cawinId: id, ...paging });
  return listed(
    answer,
    answer.attempts.map(({ number }) => number),
    ListAttemptsResponse,
  );
}

async function events(request: object) {
  const answer = await suite.client.events.listEvents(request);
  return listed(
    answer,
    answer.events.map(({ id }) => id),
    ListEventsResponse,
  );
}

async function found(request: object) {
  const answer = await suite.client.admin.searchEvents(SearchEventsRequest.fromPartial(request));
  return listed(
    answer,
    answer.hits.map(({ event }) => event?.id),
    SearchEventsResponse,
  );
}

const names = (items: readonly { readonly name: string }[]) => items.map(({ name }) => name);
const filter = { context: CONTEXT };
const awaited = { ...filter, statuses: [AWAITED] };

const LISTS: readonly ListCall[] = [
  {
    name: 'SearchEvents',
    list: (p) => found({ query: 'LISTER', filter, ...p }),
    other: (p) => found({ query: 'lister', filter, ...p }),
  },
  { name: 'ListStreams', list: (p) => streams(CONTEXT, p), other: (p) => streams('all', p) },
  { name: 'ListTopics', list: (p) => topics(CONTEXT, { namePrefix: 't', ...p }), other: (p) => topics('all', p) },
  { name: 'ListDiscardedSamples', list: (p) => discarded(CONTEXT, p), other: (p) => discarded('all', p) },
  { name: 'ListArchives', list: (p) => archives('t0', p), other: (p) => archives('', p) },
  { name: 'ListShapes', list: (p) => shapes(SHAPES_CONTEXT, p), other: (p) => shapes('all', p) },
  { name: 'ListSchemas', list: (p) => schemas('t0', p), other: (p) => schemas('t1', p) },
  { name: 'ListConsumers', list: (p) => consumers(CONTEXT, p), other: (p) => consumers('all', p) },
  { name: 'ListParkedEvents', list: (p) => parked({ code: 'no', ...p }), other: (p) => parked(p) },
  { name: 'ListOffsetMoves', list: (p) => moves('c1', p), other: (p) => moves('c2', p) },
  { name: 'ListSnapshots', list: (p) => snapshots('c1', p), other: (p) => snapshots('c2', p) },
  { name: 'ListCawins', list: (p) => cawins(CONTEXT, p), other: (p) => cawins('all', p) },
  { name: 'ListAttempts', list: (p) => attempts(cawinId, p), other: (p) => attempts(cawinId + 1n, p) },
  { name: 'ListEvents', list: (p) => events({ filter, ...p }), other: (p) => events(p) },
  {
    name: 'ListEvents, filtered',
    list: (p) => events({ filter: { ...filter, issuer: 'lister' }, ...p }),
    other: (p) => events({ filter, ...p }),
  },
  {
    name: 'ListEvents, newest first',
    list: (p) => events({ filter, newestFirst: true, ...p }),
    other: (p) => events({ filter, ...p }),
  },
  {
    name: 'ListEvents of what is awaited',
    list: (p) => events({ filter: awaited, ...p }),
    other: (p) => events({ filter: { statuses: [AWAITED] }, ...p }),
  },
  {
    name: 'ListEvents of what is awaited too',
    list: (p) => events({ filter: { ...filter, statuses: [OCCURRED, AWAITED] }, ...p }),
    other: (p) => events({ filter: awaited, ...p }),
    total: 2 * TOTAL,
  },
];

/** Every page, from the first. */
async function pagesOf(list: ListCall['list'], pageSize: number): Promise<Listed[]> {
  const pages: Listed[] = [];
  for (let pageToken = ''; pages.length === 0 || pageToken !== ''; pageToken = pages.at(-1)?.nextPageToken ?? '')
    pages.push(await list({ pageSize, pageToken }));
  return pages;
}

function callback(changes: object = {}) {
  return { url: 'http://127.0.0.1:9/', secret: '', headers: {}, timeout: undefined, ...changes };
}

async function createCawin(changes: object, context: string): Promise<bigint> {
  const { results } = await suite.client.events.pushEvents({ events: [{ event: newEvent({ context }) }] });
  const id = results[0]?.event?.id ?? 0n;
  const { cawin } = await suite.client.cawins.createCawin({ eventId: id, callback: callback(changes), active: false });
  return cawin?.id ?? 0n;
}

async function sql(...statements: readonly string[]): Promise<void> {
  const connection = await createConnection(suite.database.adminUrl);
  for (const statement of statements) await connection.query(statement);
  await connection.end();
}

/** Has a consumer park as many events as are listed, all of its context. */
async function parkAll(): Promise<void> {
  const { consumers: calls, events: pushes } = suite.client;
  const events = Array.from({ length: TOTAL }, () => ({ event: newEvent({ context: PARKER.context }) }));
  await pushes.pushEvents({ events });
  const { deliveries } = await calls.fetch({ ...PARKER, limit: 1_000 });
  const rejections = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
  await calls.reject({ ...PARKER, rejections, verdict: Verdict.VERDICT_PARK, code: 'no' });
}

/** Numbers from 2 to `count`, as a table. */
const others = (count: number) => numbers(2, count);

beforeAll(async () => {
  const { client } = suite;
  const all = Array.from({ length: TOTAL }, (_, n) => n);
  const occurring = all.map((n) => newEvent({ context: CONTEXT, topic: `t${n}`, stream: `s${n}`, issuer: 'lister' }));
  // Events of others before and after them: that the list has ended does not show from the ends of the log.
  await client.events.pushEvent({ event: newEvent() });
  const { results } = await client.events.pushEvents({ events: occurring.map((event) => ({ event })) });
  await client.events.pushEvent({ event: newEvent() });
  eventId = results[0]?.event?.id ?? 0n;
  const waiting = { context: CONTEXT, topic: 't0', payload: undefined };
  for (const n of all) await client.events.pushEvent({ event: newEvent({ ...waiting, description: { never: n } }) });
  for (const n of all) await client.consumers.createConsumer({ context: CONTEXT, name: `c${n}` });
  // The creation is a move, and there are more snapshots than may be saved.
  const placed = "FROM consumer WHERE name = 'c1'";
  await sql(
    `INSERT INTO topic_schema (topic_id, version, created_at, digest, schema_text)
     SELECT id, seq, 1000000, UNHEX(SHA2('true', 256)), 'true' FROM ${numbers(1, TOTAL)}, (SELECT id FROM topic WHERE name = 't0') t`,
    `INSERT INTO offset_move (consumer_id, kind, moved_at, moved_by, reason, snapshot, acked_to, generation)
     SELECT id, 2, created_at, '', '', '', 1000 + seq, 1 FROM ${numbers(2, TOTAL)}, (SELECT id, created_at ${placed}) c`,
    `INSERT INTO consumer_snapshot (consumer_id, name, acked_to, acked_last, acked_above, settings, generation, saved_at, saved_by)
     SELECT id, CONCAT('s', seq), 0, 0, '', settings, 1, created_at, ''
     FROM ${numbers(1, TOTAL)}, (SELECT id, settings, created_at ${placed}) c`,
  );
  await parkAll();
  for (const _ of all)
    cawinId = (await client.cawins.createCawin({ eventId, callback: callback(), active: false })).cawin?.id ?? 0n;
  await client.events.pushEvent({ event: newEvent({ context: SHAPES_CONTEXT, topic: 'shapely' }) });
  const shape = `SELECT 1000 + seq, (SELECT id FROM topic WHERE name = 'shapely'), CONCAT(CHAR(1), LPAD(seq, 16, '0')),
    CONCAT(CHAR(1), '[["a"]]'), 1, 0, 0, ${Date.now() * 1_000}`;
  await sql(
    `INSERT INTO shape (id, topic_id, digest, paths, ready, watched_after, built_to, needed_at) ${shape} FROM ${numbers(1, TOTAL)}`,
  );
  await sql(
    `INSERT INTO archive (topic_id, name, instance, opened_at, first_position, last_position, entries, payload_bytes, first_at, last_at,
       file_bytes)
     SELECT id, CONCAT('a', seq), 'i', 1, 1, 1, 1, 1, 1, 1, 1 FROM ${numbers(1, TOTAL)}, (SELECT id FROM topic WHERE name = 't0') t`,
    `INSERT INTO discarded_sample (context, topic, issuer, discarded_at, payload_bytes)
     SELECT '${CONTEXT}', 'discarded', 'lister', 1, 0 FROM ${numbers(1, TOTAL)}`,
  );
  const attempt = `SELECT ${cawinId}, 1, seq, 1, 1, '', '', 500, 7, '', ''`;
  await sql(`INSERT INTO attempt ${attempt} FROM ${numbers(1, TOTAL)}`);
});

describe('a list', () => {
  it('is tried by every call that has pages', () => {
    const paged = new Descriptors().methods.filter(({ name }) => /\/(List|Search)/.test(name)).map(({ name }) => name);
    const tried = new Set(LISTS.map(({ name }) => name.split(/[ ,]/)[0]));
    expect(paged.map((name) => name.split('/')[1]).sort()).toEqual([...tried].sort());
  });
});

describe.each(LISTS)('$name', ({ list, other, total = TOTAL }) => {
  it('has pages of 100 unless it is told otherwise', async () => {
    for (const paging of [{}, { pageSize: 0 }]) {
      const page = await list(paging);
      expect(page.keys).toHaveLength(100);
      expect(page.nextPageToken).not.toBe('');
    }
  });

  it('gives every item once, whatever the size of its pages', async () => {
    const whole = await list({ pageSize: 1_000 });
    expect(new Set(whole.keys).size).toBe(whole.keys.length);
    const pages = await pagesOf(list, 40);
    expect(pages.flatMap(({ keys }) => keys)).toEqual([...whole.keys, ...(await rest(list, whole))]);
    expect(pages.flatMap(({ keys }) => keys)).toHaveLength(total);
    for (const { keys } of pages) expect(keys.length).toBeLessThanOrEqual(40);
  });

  it('ends with its last page, even if that is full', async () => {
    const pages = await pagesOf(list, 51);
    expect(pages.map(({ keys }) => keys.length)).toEqual(Array.from({ length: total / 51 }, () => 51));
  });

  it('refuses the token of another filter', async () => {
    const { nextPageToken: pageToken } = await list({ pageSize: 1 });
    expect(await refusalOf(other({ pageSize: 1, pageToken }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'PAGE_TOKEN_INVALID',
      fields: ['page_token'],
    });
  });
});

/** What follows a page. */
async function rest(list: ListCall['list'], { nextPageToken }: Listed): Promise<readonly unknown[]> {
  if (nextPageToken === '') return [];
  const page = await list({ pageSize: 1_000, pageToken: nextPageToken });
  return [...page.keys, ...(await rest(list, page))];
}

describe('an answer stays below 4 MiB', () => {
  const expectSmall = async (list: ListCall['list'], total: number) => {
    const pages = await pagesOf(list, 1_000);
    expect(pages.flatMap(({ keys }) => keys)).toHaveLength(total);
    expect(pages.length).toBeGreaterThan(1);
    for (const { bytes } of pages) expect(bytes).toBeLessThan(MAX_ANSWER_BYTES);
  };

  it('with consumers whose filters are larger on the wire than as text', async () => {
    const settings = ConsumerSettings.fromPartial({
      filter: { description: { numbers: Array.from({ length: 8_000 }, () => 0) } },
    });
    for (let n = 0; n < 60; n += 1)
      await suite.client.consumers.createConsumer({ context: 'numbers', name: `${n}`, settings });
    await expectSmall((paging) => consumers('numbers', paging), 60);
  });

  it('with cawins that send many headers', async () => {
    const headers = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`x${n}`.padEnd(128, 'x'), 'v']));
    const url = `http://127.0.0.1:9/${'p'.repeat(2_000)}`;
    const id = await createCawin({ url, headers }, 'headers');
    const columns = `event_id, context_id, active, closed, notify_on, endpoint_id, url, header_names, timeout_ms, signed,
      former_secret_until, sealed, expires_at, deadline, NULL, digest, created_at`;
    await sql(`INSERT INTO cawin SELECT NULL, ${columns} FROM cawin, ${others(900)} WHERE id = ${id}`);
    await expectSmall((paging) => cawins('headers', paging), 900);
  });
});

describe('a prefix', () => {
  it('may end within a name, at a space too', async () => {
    const context = 'prefixes';
    const { streams, topics, consumers: named } = suite.client;
    for (const name of ['a b', 'ab']) {
      await suite.client.events.pushEvent({ event: newEvent({ context, topic: name, stream: name }) });
      await named.createConsumer({ context, name });
    }
    const request = { context, namePrefix: 'a ' };
    expect(names((await streams.listStreams(request)).streams)).toEqual(['a b']);
    expect(names((await topics.listTopics(request)).topics)).toEqual(['a b']);
    expect(names((await named.listConsumers(request)).consumers)).toEqual(['a b']);
  });
});

describe('names that JSON escapes', () => {
  it('fit into a token', async () => {
    const context = '"'.repeat(255);
    const name = (first: string) => first + '\\'.repeat(254);
    for (const first of ['a', 'b']) await suite.client.topics.registerTopic({ context, name: name(first) });
    const pages = await pagesOf((paging) => topics(context, paging), 1);
    expect(pages.flatMap(({ keys }) => keys)).toEqual([name('a'), name('b'), 'madeleine.audit']);
  });
});
