// A search whose database is slow: its caller gets what was found, or why nothing was, before the call's deadline is over.

import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { beforeAll, expect, it } from 'vitest';
import { SearchEventsRequest, SearchEventsResponse } from '../../../generated/madeleine/v1/admin_service.js';
import { SEARCH_LOOK } from '../../../src/storage/ports/search-storage.js';
import { useProxiedServer } from '../../support/database/proxied.js';
import { newEvent } from '../../support/events/builders.js';

const EVENTS = 3 * SEARCH_LOOK.entries;
const DEADLINE_MS = 1_500;
const suite = useProxiedServer();

beforeAll(async () => {
  for (let n = 0; n < EVENTS; n += 1_000) {
    const events = Array.from({ length: 1_000 }, () => ({ event: newEvent() }));
    await suite.client.events.pushEvents({ events });
  }
}, 60_000);

/** Calls with a deadline that the server is told of; resolves with the answer, or the code of the refusal and its sentence. */
function search(metadata = new Metadata()): Promise<SearchEventsResponse | { code: number; details: string }> {
  const client = new Client(suite.server.address, credentials.createInsecure());
  const request = SearchEventsRequest.encode(SearchEventsRequest.fromPartial({ query: 'no such text' })).finish();
  const path = '/madeleine.v1.AdminService/SearchEvents';
  const encode = (bytes: Uint8Array) => Buffer.from(bytes);
  return new Promise<SearchEventsResponse | { code: number; details: string }>((resolve) => {
    const options = { deadline: Date.now() + DEADLINE_MS };
    client.makeUnaryRequest(
      path,
      encode,
      (bytes) => SearchEventsResponse.decode(bytes),
      request,
      metadata,
      options,
      (error, answer) => resolve(error ?? (answer as SearchEventsResponse)),
    );
  }).finally(() => client.close());
}

/** Lets so many looks of searches pass, and none after them. */
function hangAfter(looks: number): void {
  suite.proxy.inject({
    harm: { kind: 'delay', ms: 10_000 },
    when: ({ text }) => /LOCATE/.test(text),
    skip: looks,
    times: 1_000,
  });
}

it('hears nothing of what a client says of the time itself', async () => {
  const lying = new Metadata();
  lying.set('madeleine-time-left', '0');
  expect(await search(lying)).toMatchObject({ searchedTo: 1n, nextPageToken: '' });
});

it('answers with what it has', async () => {
  hangAfter(1);
  const answer = await search();
  expect(answer).toMatchObject({ hits: [], searchedTo: BigInt(EVENTS - SEARCH_LOOK.entries + 1) });
  expect(answer).not.toHaveProperty('nextPageToken', '');
});

it('says that it had no turn', async () => {
  hangAfter(0);
  expect(await search()).toMatchObject({ code: 8, details: expect.stringContaining('repeat it') });
});
