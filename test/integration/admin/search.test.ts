// SearchEvents: what is found, in which order, how far a page looks, and what is refused.

import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { SearchEventsRequest, SearchEventsResponse } from '../../../generated/madeleine/v1/admin_service.js';
import { type Event, EventStatus, type NewEvent, Subject } from '../../../generated/madeleine/v1/event.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { eventCalls } from '../../support/events/event-calls.js';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from '../cli/cli-run.js';

const suite = useServer();
const { push, await_, invalidate } = eventCalls(suite);
type Wanted = Partial<Omit<SearchEventsRequest, 'filter'>> & { readonly filter?: object };

const search = (request: Wanted) => suite.client.admin.searchEvents(request as SearchEventsRequest);
/** Positions and the fields that have the text, of all pages. */
async function found(query: string, filter: object = {}, pageSize = 0): Promise<[bigint, string][]> {
  const hits: SearchEventsResponse['hits'] = [];
  let pageToken = '';
  do {
    const page = await search({ query, filter, pageSize, pageToken });
    hits.push(...page.hits);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return hits.map(({ event, matches }) => [event?.position ?? 0n, matches.map(({ field }) => field).join(' ')]);
}

let contexts = 0;
/** A context of its own. */
function fresh(): { readonly context: string } {
  contexts += 1;
  return { context: `search ${contexts}` };
}

describe('SearchEvents', () => {
  it('finds names, ids, properties and payloads, newest first, and says where', async () => {
    const context = fresh();
    const session = randomUUID();
    const events: [Partial<NewEvent>, string][] = [
      [{ topic: 'Invoices' }, 'topic'],
      [{ stream: 'invoice-7' }, 'stream'],
      [{ issuer: 'my INVOICE' }, 'issuer'],
      [{ tag: 'invoice', payload: jsonPayload({ kind: 'invoice' }) }, 'tag payload'],
      [{ properties: { invoice: '1' } }, 'properties.invoice'],
      [{ payload: bytesPayload('an Invoice', 'text/plain') }, 'payload'],
      [{ correlationId: 'invoice' }, 'correlation_id'],
    ];
    const positions: bigint[] = [];
    for (const [event] of events) {
      await push({ ...context, tag: 'another', sessionId: session });
      positions.push((await push({ ...context, ...event })).position);
    }
    expect(await found('invoice', context)).toEqual(
      events.map(([, fields], n) => [positions[n], fields] as const).reverse(),
    );
    expect(await found(session, context)).toHaveLength(events.length);
    expect(await found('invoice')).toEqual([]);
  });

  it('shows an excerpt, and the event without its payload', async () => {
    const context = fresh();
    const { id } = await push({ ...context, payload: jsonPayload({ order: 7, state: 'paid in full' }) });
    const { hits, filter } = await search({ query: 'PAID', filter: context });
    expect(filter?.context).toBe(context.context);
    expect(hits).toMatchObject([
      {
        event: { id, topic: 'orders', payload: undefined },
        matches: [{ field: 'payload', excerpt: expect.any(String) }],
      },
    ]);
    expect(hits[0]?.matches[0]?.excerpt).toBe('{"order":7,"state":"paid in full"}');
  });

  it.each(['%', '_', '\\', '"', "'", '100%', "' OR '1'='1", '\\x', '\u{1f600}', 'ä'])(
    'takes %j as it is',
    async (query) => {
      const context = fresh();
      await push({ ...context, tag: 'nothing of it', payload: bytesPayload('nothing', 'text/plain') });
      const { position } = await push({ ...context, tag: `a${query}b`, payload: jsonPayload({ query }) });
      expect(await found(query, context)).toEqual([[position, 'tag payload']]);
    },
  );

  it('finds an event by its id and a message id first, wherever it lies, and once', async () => {
    const context = fresh();
    const messageId = randomUUID();
    const { id, position } = await push({ ...context, messageId });
    const other = await push({ ...context, payload: jsonPayload({ event: String(id), message: messageId }) });
    expect(await found(String(id), context)).toEqual([
      [position, 'id'],
      [other.position, 'payload'],
    ]);
    for (const pageSize of [1, 2, 100]) {
      expect(await found(messageId.toUpperCase(), context, pageSize)).toEqual([
        [position, 'message_id'],
        [other.position, 'payload'],
      ]);
    }
    expect(await found(messageId, { context: 'all' })).toHaveLength(2);
    expect(await found(messageId, { ...context, topics: ['elsewhere'] })).toEqual([]);
    expect(await found(String(id), { ...context, afterPosition: position })).toEqual([[other.position, 'payload']]);
  });

  it('keeps to its filter', async () => {
    const context = fresh();
    const events: Event[] = [];
    for (let n = 0; n < 6; n += 1) {
      events.push(
        await push({ ...context, topic: `t${n % 2}`, stream: `s${n % 3}`, issuer: `s${n % 3}`, tag: 'mark' }),
      );
    }
    const at = (...numbers: number[]) => numbers.map((n) => [events[n]?.position, 'tag']);
    const of = (filter: object) => found('mark', { ...context, ...filter });
    expect(await of({ topics: ['t1'] })).toEqual(at(5, 3, 1));
    expect(await of({ topics: ['t0', 't1'] })).toEqual(at(5, 4, 3, 2, 1, 0));
    expect(await of({ stream: 's2' })).toEqual(at(5, 2));
    expect(await of({ afterPosition: events[3]?.position })).toEqual(at(5, 4));
    expect(await of({ beforePosition: events[2]?.position })).toEqual(at(1, 0));
    expect(await of({ startTime: events[1]?.createdAt, endTime: events[4]?.createdAt })).toEqual(at(3, 2));
    expect(await of({ properties: { none: '1' } })).toEqual([]);
  });

  it('finds entries by their statuses; what is awaited is for ListEvents', async () => {
    const context = fresh();
    const { id } = await push({ ...context, tag: 'wrong', topic: 'statuses' });
    await invalidate(id);
    const awaited = await await_('statuses', { mark: 'waited for' }, context);
    expect(await found('a mistake', context)).toEqual([]);
    const statuses = [EventStatus.EVENT_STATUS_INVALIDATED];
    expect((await found('a mistake', { ...context, statuses })).map(([, fields]) => fields)).toEqual([
      'invalidation_reason',
    ]);
    expect(await found('waited for', context)).toEqual([]);
    expect(await found(String(awaited.id), context)).toEqual([]);
    const refused = await refusalOf(search({ query: 'x', filter: { statuses: [EventStatus.EVENT_STATUS_AWAITED] } }));
    expect(refused).toMatchObject({ reason: 'FIELD_INVALID', fields: ['filter.statuses[0]'] });
  });

  it('finds a subject by its name', async () => {
    const context = fresh();
    const { position } = await push({ ...context, subject: Subject.SUBJECT_DISABLED });
    await push({ ...context, subject: Subject.SUBJECT_ENABLED });
    expect(await found('disabled', context)).toEqual([[position, 'subject']]);
  });

  it.each([
    ['', 'is required'],
    ['x'.repeat(256), 'has more than 255 bytes'],
    ['ä'.repeat(128), 'has more than 255 bytes'],
    ['x'.repeat(1_000_000), 'has more than 255 bytes'],
    ['a\u0000b', 'has control characters'],
    ['a\nb', 'has control characters'],
    ['a\u0085b', 'has control characters'],
  ])('refuses a query such as %.10j', async (query, description) => {
    const refused = await refusalOf(search({ query }));
    expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: ['query'] });
    expect(refused?.message).toContain(description);
  });

  it('refuses what it does not take, and tokens of others', async () => {
    const invalid = (fields: string[]) => ({ reason: 'FIELD_INVALID', fields });
    expect(await refusalOf(search({ query: 'x', filter: { description: { a: 1 } } }))).toMatchObject(
      invalid(['filter.description']),
    );
    expect(await refusalOf(search({ query: 'x', pageSize: -1 }))).toMatchObject(invalid(['page_size']));
    const beyond = await refusalOf(search({ query: 'x', filter: { afterPosition: 1_000_000_000n } }));
    expect(beyond).toMatchObject({ reason: 'POSITION_BEYOND_HEAD', fields: ['filter.after_position'] });
    const context = fresh();
    for (let n = 0; n < 3; n += 1) await push({ ...context, tag: 'token' });
    const { nextPageToken } = await search({ query: 'token', filter: context, pageSize: 1 });
    expect(nextPageToken).not.toBe('');
    for (const other of [{ query: 'toke', filter: context }, { query: 'token' }]) {
      const refused = await refusalOf(search({ ...other, pageToken: nextPageToken }));
      expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
    }
  });
});

describe('the server’s own topics', () => {
  it('are searched where they are named', async () => {
    const { context } = fresh();
    await suite.client.consumers.createConsumer({ context, name: 'named in the audit' });
    expect(await found('named in the audit', { context })).toEqual([]);
    const own = await found('named in the audit', { context, topics: ['madeleine.audit'] });
    expect(own.map(([, fields]) => fields)).toEqual(['payload']);
    const { events } = await suite.client.events.listEvents({ filter: { context, topics: ['madeleine.audit'] } });
    expect(await found(String(events[0]?.id), { context })).toEqual([]);
  });
});

describe('a search through a long log', () => {
  const EVENTS = 25_000;
  const context = { context: 'long' };
  let needle: { position: bigint };
  let first = 0n;

  beforeAll(async () => {
    needle = await push({ ...context, tag: 'Needle' });
    for (let n = 0; n < EVENTS; n += 1_000) {
      const events = Array.from({ length: 1_000 }, () => ({ event: newEvent(context) }));
      const { results } = await suite.client.events.pushEvents({ events });
      first ||= results[0]?.event?.position ?? 0n;
    }
  }, 60_000);

  it('says how far it came, page by page', async () => {
    const page = await search({ query: 'needle', filter: context });
    expect(page.hits).toEqual([]);
    expect(page.nextPageToken).not.toBe('');
    expect(page.searchedTo).toBe(first + BigInt(EVENTS - 20_000));
    const { events } = await suite.client.events.listEvents({
      filter: { ...context, afterPosition: page.searchedTo - 1n },
      pageSize: 1,
    });
    expect(page.searchedToTime).toEqual(events[0]?.createdAt);
    const last = await search({ query: 'needle', filter: context, pageToken: page.nextPageToken });
    expect(last.hits.map(({ event }) => event?.position)).toEqual([needle.position]);
    expect([last.nextPageToken, last.searchedTo]).toEqual(['', 1n]);
  });

  it('on the command line goes through all pages, and says so', async () => {
    const cli = (...argv: string[]) =>
      runToEnd(['search', ...argv, '--context', 'long'], { server: suite.server.address });
    const { code, stdout, stderr } = await cli('needle');
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^ *${needle.position}  event \\d+ .*\\n +tag: Needle\\n$`));
    expect(stderr).toMatch(/searched back to position \d+ of 2/);
    const json = await cli('needle', '--json');
    expect(ndjson(json.stdout)).toMatchObject([
      { event: { tag: 'Needle' }, matches: [{ field: 'tag', excerpt: 'Needle' }] },
    ]);
    const some = await cli('orders', '--limit', '3');
    expect(some.stdout.match(/^ *\d+ {2}event/gm)).toHaveLength(3);
    expect(some.stderr).toContain('there are more: --limit');
    const none = await cli('no such text');
    expect([none.code, none.stdout]).toEqual([0, '']);
    expect(none.stderr).toContain('madeleine: nothing is found\n');
    expect((await cli('')).stderr).toContain('query: is required');
  });
});
