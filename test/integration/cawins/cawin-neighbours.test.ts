// Receivers that share something with others, a host, an exchange or the one writer of results, and do not spoil it for them.

import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { AttemptOutcome, type Cawin, CawinState } from '../../../generated/madeleine/v1/cawin_service.js';
import { callbackTo, created, useCawins } from '../../support/cawins/cawin-scene.js';
import { answerGrpc, Http2Receiver } from '../../support/cawins/raw-receiver.js';
import { freePort } from '../../support/database/private-database.js';
import { waitUntil } from '../../support/wait-until.js';

const scene = useCawins();
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

function cawinsTo(eventId: bigint, url: string, count: number, seconds = 3n): Promise<Cawin[]> {
  const callback = callbackTo(url, { timeout: { seconds, nanos: 0 } });
  return Promise.all(Array.from({ length: count }, () => created(scene.client, { eventId, callback })));
}

async function allFired(cawins: readonly Cawin[], timeoutMs = 20_000): Promise<void> {
  await waitUntil(
    async () => {
      const now = await Promise.all(cawins.map(({ id }) => scene.get(id)));
      return now.every(({ state }) => state === CawinState.CAWIN_STATE_FIRED);
    },
    { what: 'every callback to the good receiver is taken', timeoutMs, intervalMs: 100 },
  );
}

describe('a URL that fails', () => {
  it('with an answer does not hold its neighbours on the host back, and is held by itself', async () => {
    const eventId = await scene.occurred();
    scene.receiver.respond = (response, { path }) => response.writeHead(path === '/bad' ? 500 : 200).end();
    const bad = await cawinsTo(eventId, scene.receiver.url('/bad'), 40);
    await waitUntil(() => scene.receiver.received.length >= 10, { what: 'ten calls that failed' });
    const good = await cawinsTo(eventId, scene.receiver.url('/good'), 50);
    await allFired(good);
    await waitUntil(
      async () => (await Promise.all(bad.map(({ id }) => scene.get(id)))).some(({ firings }) => firings[0]?.held),
      { what: 'firings of the bad URL are held' },
    );
    const [late] = await cawinsTo(eventId, scene.receiver.url('/good?late'), 1);
    await allFired([late!]);
    // Once it is well again, a probe, which a person may ask for, lets all of them out.
    scene.receiver.respond = (response) => response.end();
    const pending = (await Promise.all(bad.map(({ id }) => scene.get(id)))).filter(
      ({ state }) => state === CawinState.CAWIN_STATE_FIRING,
    );
    await scene.client.cawins.retryCawin({ id: pending[0]!.id });
    await allFired(pending);
  }, 60_000);

  it('by saying nothing does not hold its neighbours back for long: probes take turns', async () => {
    const eventId = await scene.occurred();
    scene.receiver.respond = (response, { path }) => void (path === '/slow' || response.end());
    await cawinsTo(eventId, scene.receiver.url('/slow'), 40, 1n);
    await waitUntil(() => scene.receiver.received.length >= 10, { what: 'calls that hang' });
    await allFired(await cawinsTo(eventId, scene.receiver.url('/good'), 50, 1n), 45_000);
  }, 60_000);
});

describe('a receiver that answers what no column takes', () => {
  it('does not keep the results of others from being written down', async () => {
    const eventId = await scene.occurred();
    const odd = new Http2Receiver((stream) => answerGrpc(stream, { 'grpc-status': 'abc', 'grpc-message': '%00%FF' }));
    await odd.start();
    stops.push(() => odd.stop());
    const hostile = await cawinsTo(eventId, odd.url, 16);
    const good = await cawinsTo(eventId, scene.receiver.url(), 84);
    await allFired(good);
    const [attempt] = await waitUntil(
      async () => {
        const attempts = await scene.attempts(hostile[0]!.id);
        return attempts.length > 0 && attempts;
      },
      { what: 'an attempt that is written down' },
    );
    expect(attempt).toMatchObject({
      ...{ outcome: AttemptOutcome.ATTEMPT_OUTCOME_FAILED, reason: 'answer', status: 'UNKNOWN', statusCode: 2 },
    });
    const connection = await createConnection(scene.database.url);
    const ids = good.map(({ id }) => id);
    const [rows] = await connection.query<RowDataPacket[]>(
      'SELECT COUNT(*) AS count FROM attempt WHERE cawin_id IN (?)',
      [ids],
    );
    await connection.end();
    expect(Number(rows[0]?.['count'])).toBe(84);
  }, 60_000);
});

describe('a cawin', () => {
  it.each(['http://localhost:8080/x', 'https://api.localhost/', 'grpc://localhost:50051'])(
    'is refused at once where its URL can never be called: %s',
    async (url) => {
      const eventId = await scene.occurred();
      await expect(created(scene.client, { eventId, callback: callbackTo(url) })).rejects.toThrow(
        /callback\.url: .* is not a public address.*MADELEINE_CALLBACK_ALLOW/,
      );
    },
  );

  it('shows what went wrong with its newest attempt', async () => {
    scene.receiver.respond = (response) => response.writeHead(503).end();
    const cawin = await scene.create(await scene.occurred());
    const failed = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FAILED);
    expect(failed.firings).toMatchObject([{ lastError: '503 Service Unavailable' }]);
    scene.receiver.respond = (response) => response.end();
    await scene.client.cawins.retryCawin({ id: cawin.id });
    const fired = await scene.reaches(cawin.id, CawinState.CAWIN_STATE_FIRED);
    expect(fired.firings).toMatchObject([{ lastError: '' }]);
    const callback = callbackTo(`http://127.0.0.1:${await freePort()}/`);
    const refused = await created(scene.client, { eventId: await scene.occurred(), callback });
    const gone = await scene.reaches(refused.id, CawinState.CAWIN_STATE_FAILED);
    expect(gone.firings).toMatchObject([{ lastError: 'the connection was refused' }]);
  }, 30_000);
});
