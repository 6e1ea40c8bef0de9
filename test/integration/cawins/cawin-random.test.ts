// Random schedules of waits and cawins on two real servers and a database that loses answers: whatever the order, each wait ends as
// the log says, each cawin has one recorded firing for each end that counts for it, none is missed, and each is called.

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_RETRY_POLICY } from '../../../src/domain/cawins/retry-policy.js';
import { CawinRecord } from '../../support/cawins/cawin-record.js';
import { CAWIN_SETTINGS } from '../../support/cawins/cawin-scene.js';
import { CawinSchedule, type Step, steps } from '../../support/cawins/cawin-schedule.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { createTestDatabase, type TestDatabase } from '../../support/database/database.js';
import { FaultyProxy } from '../../support/database/faulty-proxy.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../../support/property.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { waitUntil } from '../../support/wait-until.js';

/** Each takes two seconds or more: few runs are a fifth as many here, hundreds are meant. */
const { numRuns = 25, ...parameters } = propertyParameters(25);
const schedules = numRuns > 1 && numRuns < 200 ? Math.ceil(numRuns / 5) : numRuns;
const LANES = 4;
/** Never used up: which firings there are is asked here, not how long they are tried. */
const POLICY = { ...DEFAULT_RETRY_POLICY, baseMs: 5, capMs: 40, maxAttempts: 1_000 };

let database: TestDatabase;
let proxy: FaultyProxy;
let receiver: HttpReceiver;
const servers: TestServer[] = [];
const clients: TestClient[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  proxy = new FaultyProxy(database.url);
  await proxy.start();
  receiver = new HttpReceiver();
  await receiver.start();
  let calls = 0;
  receiver.respond = (response) => {
    calls += 1;
    if (calls % 7 === 0) response.writeHead(503).end();
    else if (calls % 11 === 0) response.destroy();
    else response.end();
  };
  for (const url of [proxy.url, database.url]) {
    const server = await startServer({ databaseUrl: url, ...CAWIN_SETTINGS }, { retryPolicy: POLICY });
    servers.push(server);
    clients.push(new TestClient(server.address));
  }
});
afterAll(async () => {
  for (const client of clients) client.close();
  for (const server of servers) await server.stop();
  await proxy?.stop();
  await receiver?.stop();
  await database?.drop();
});

async function check(all: readonly Step[]): Promise<void> {
  const topic = `random ${randomUUID()}`;
  const options = { clients, proxy, databaseUrl: database.url, receiverUrl: receiver.url(), topic };
  const schedule = new CawinSchedule(options);
  await schedule.run(all, LANES);
  proxy.forget();
  await schedule.settle();
  const own = new Set(schedule.cawins.map(Number));
  const read = async () => {
    const record = await CawinRecord.read(database.url, topic);
    const ofTopic = (firing: string) => own.has(Number(firing.split(' ')[0]));
    return {
      record,
      due: record.due.filter(ofTopic),
      fired: record.fired.filter(ofTopic),
      delivered: record.delivered.filter(ofTopic),
    };
  };
  let last = await read();
  const isDone = async () => {
    last = await read();
    return last.record.pendingDeadlines === 0 && last.due.join() === last.delivered.join();
  };
  await waitUntil(isDone, { what: 'every firing is delivered', timeoutMs: 20_000 }).catch((error: Error) => {
    expect.soft(last.delivered, error.message).toEqual(last.due);
    throw error;
  });
  await schedule.repeatAll();
  last = await read();
  expect(last.record.waitFaults()).toEqual([]);
  expect(last.fired).toEqual(last.due);
  const called = new Set(receiver.received.map(({ headers }) => String(headers['webhook-id'])));
  for (const firing of last.due) {
    const [id, kind] = firing.split(' ');
    expect(called, firing).toContain(`dlv_${id}_${['', 'OCCURRED', 'INVALIDATED', 'EXPIRED'].indexOf(kind ?? '')}`);
  }
}

describe('waits and cawins', () => {
  it(
    'end and fire as the log says, whatever happens in whatever order',
    async () => {
      // A failure is not made smaller: the same steps meet another timing.
      const once = { ...parameters, numRuns: schedules, endOnFailure: true };
      await fc.assert(fc.asyncProperty(steps, check), once as object);
    },
    PROPERTY_TIMEOUT_MS,
  );
});
