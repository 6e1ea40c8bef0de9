// Clients that open streams and do not read them: what they cost is counted, and bounded, and others read on.

import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { ReadEventsRequest, WatchEventsRequest } from '../../../generated/madeleine/v1/event_service.js';
import { bytesPayload, newEvent } from '../../support/events/builders.js';
import { metric } from '../../support/server/metrics.js';
import { StillCalls } from '../../support/server/still-calls.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const MIB = 1024 * 1024;
const EVENTS = 20_000;
const WIDE = 200;
/** What is bounded: src/grpc/wire/outgoing.ts. */
const CONNECTION_BYTES = 16 * MIB;
const LEAST_BYTES = 16 * 1024;
const PAYLOAD = bytesPayload('x'.repeat(1_000), 'text/plain');

// Little of it is in memory: most readers are behind.
const suite = useServer({ tailBytes: String(MIB) });

const outgoing = () => metric(suite.server.httpAddress, /^madeleine_outgoing_bytes (\d+)$/);

const opened: StillCalls[] = [];

function still(): StillCalls {
  const calls = new StillCalls(suite.server.address);
  opened.push(calls);
  return calls;
}

afterEach(async () => {
  for (const calls of opened.splice(0)) calls.close();
  await waitUntil(async () => (await outgoing()) < MIB, { what: 'nothing is kept for them any more' });
});

/** The bytes on their way, once they do not grow any more. */
async function settled(): Promise<number> {
  let last = -1;
  let same = 0;
  return waitUntil(
    async () => {
      const bytes = await outgoing();
      same = bytes === last ? same + 1 : 0;
      last = bytes;
      return same >= 10 && bytes;
    },
    { what: 'the server has stopped to make messages', timeoutMs: 60_000, intervalMs: 50 },
  );
}

async function readAll(afterPosition: bigint): Promise<number> {
  let read = 0;
  for await (const { events } of suite.client.events.readEvents({ afterPosition, batchSize: 1_000 }))
    read += events.length;
  return read;
}

const read = ReadEventsRequest.encode(ReadEventsRequest.fromPartial({ follow: true })).finish();
const subscribe = (n: number) =>
  SubscribeRequest.encode(
    SubscribeRequest.fromPartial({ consumer: `still ${n}`, maxInFlight: 10_000, maxInFlightBytes: BigInt(64 * MIB) }),
  ).finish();

beforeAll(async () => {
  const events = Array.from({ length: 1_000 }, () => ({
    event: newEvent({ topic: 'many', payload: PAYLOAD }),
  }));
  for (let n = 0; n < EVENTS / 1_000; n += 1) await suite.client.events.pushEvents({ events });
  const properties = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`p${n}`, 'x'.repeat(1_000)]));
  const wide = Array.from({ length: WIDE }, () => ({ event: newEvent({ topic: 'wide', properties }) }));
  await suite.client.events.pushEvents({ events: wide });
}, 120_000);

describe('300 readers that stand still', () => {
  const CALLS: Readonly<Record<string, (calls: StillCalls, n: number) => void>> = {
    ReadEvents: (calls) => calls.open('/madeleine.v1.EventService/ReadEvents', read),
    Subscribe: (calls, n) => calls.open('/madeleine.v1.ConsumerService/Subscribe', subscribe(n)),
  };

  it.each(Object.entries(CALLS))(
    'of %s on one connection cost no more than it may, and others read on',
    async (_, open) => {
      const calls = still();
      for (let n = 0; n < 300; n += 1) open(calls, n);
      await waitUntil(() => calls.answered === 300, { what: 'all have begun', timeoutMs: 60_000 });
      const bytes = await settled();
      expect(bytes).toBeGreaterThan(CONNECTION_BYTES / 2);
      expect(bytes).toBeLessThan(CONNECTION_BYTES + 300 * 2 * LEAST_BYTES);
      expect(await readAll(0n)).toBe(EVENTS + WIDE);
    },
    120_000,
  );
});

describe('what wide events cost', () => {
  it('counts by all of them: a frame of wide envelopes has no more bytes than one of payloads', async () => {
    let most = 0;
    const afterPosition = BigInt(EVENTS);
    for await (const { events } of suite.client.events.readEvents({
      afterPosition,
      batchSize: 1_000,
      topics: ['wide'],
    })) {
      most = Math.max(most, events.length);
    }
    expect(most).toBeGreaterThan(10);
    expect(most * 15_000).toBeLessThan(1.2 * MIB);
  });
});

describe('watchers that stand still', () => {
  it('cost what readers do', async () => {
    const calls = still();
    const watch = WatchEventsRequest.encode(WatchEventsRequest.fromPartial({})).finish();
    for (let n = 0; n < 50; n += 1) calls.open('/madeleine.v1.EventService/WatchEvents', watch);
    await waitUntil(() => calls.answered === 50, { what: 'all have begun', timeoutMs: 60_000 });
    const events = Array.from({ length: 1_000 }, () => ({
      event: newEvent({ topic: 'news', payload: PAYLOAD }),
    }));
    for (let n = 0; n < 5; n += 1) await suite.client.events.pushEvents({ events });
    const bytes = await settled();
    expect(bytes).toBeLessThan(CONNECTION_BYTES + 50 * 2 * LEAST_BYTES);
  });
});
