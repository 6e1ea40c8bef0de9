// The connection ends before or after each statement of a group, and the database refuses each of them: every push is stored
// once and answered with its first outcome.

import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../support/contract/refusals.js';
import type { Harm, Statement } from '../support/database/faulty-proxy.js';
import { isOfGroup, storedEvents, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { answeredAll, History } from '../support/events/history.js';
import { propertyParameters } from '../support/property.js';
import { seededRandom } from '../support/random.js';
import { startServer, TestClient } from '../support/server/server.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer();
/** Everything that was answered in this file. */
const history = new History();

afterEach(async () => {
  suite.proxy.forget();
  expect(history.faults(await storedEvents(suite.database))).toEqual([]);
});

/** Deadlock, lock wait, out of connections, read-only, killed. */
const ERRORS = [1213, 1205, 1040, 1290, 1927];
const HARMS: Harm[] = [
  { kind: 'cut before' },
  { kind: 'cut after' },
  ...ERRORS.map((errno): Harm => ({ kind: 'error', errno })),
];
const nameOf = (harm: Harm) => (harm.kind === 'error' ? `error ${harm.errno}` : harm.kind);

/** Two events on a stream and topic of their own, in an old topic and stream, with given and with minted ids. */
function pushes(name: string) {
  const given = randomUUID();
  const events = [
    newEvent({ stream: name, topic: name, messageId: given }),
    newEvent({ stream: name, topic: name }),
    newEvent({ stream: 'old', payload: jsonPayload({ name }) }),
  ];
  return { given, events: events.map((event) => ({ event })) };
}

for (const harm of HARMS) {
  describe(nameOf(harm), () => {
    it('at any statement of a group', async () => {
      await suite.client.events.pushEvent({ event: newEvent({ stream: 'old' }) });
      const harmed: string[] = [];
      for (let skip = 0; ; skip += 1) {
        // A new connection, so that its settings and each preparation are among the statements.
        suite.proxy.refuse();
        suite.proxy.forget();
        const fault = suite.proxy.inject({ harm, when: isOfGroup, skip });
        const { given, events } = pushes(`${nameOf(harm)} ${skip}`);
        const { results } = await suite.client.events.pushEvents({ events });
        answeredAll(
          history,
          results.map(({ event }) => event),
        );
        expect(results.map(({ outcome }) => outcome)).toEqual(events.map(() => Outcome.OUTCOME_OCCURRED));
        const [first] = events;
        const again = await suite.client.events.pushEvent(first as { event: ReturnType<typeof newEvent> });
        answeredAll(history, [again.event]);
        expect(again).toMatchObject({
          outcome: Outcome.OUTCOME_DUPLICATE,
          event: { messageId: given, position: results[0]?.event?.position },
        });
        if (fault.hits === 0) break;
        harmed.push(suite.proxy.statements.filter(isOfGroup)[skip]?.text ?? '');
      }
      for (const part of [
        'FOR UPDATE',
        'FROM stream',
        'INSERT INTO topic',
        'INSERT INTO log',
        'INSERT INTO stream',
        'COMMIT',
      ])
        expect(
          harmed.filter((text) => text.includes(part)),
          part,
        ).not.toEqual([]);
    });
  });
}

describe('a connection that goes silent', () => {
  for (const [name, text] of [
    ['while it prepares', 'INSERT INTO log '],
    ['at the head row', 'FOR UPDATE'],
    ['at COMMIT', 'COMMIT'],
  ] as const) {
    it(`${name} is given up`, async () => {
      suite.proxy.refuse();
      suite.proxy.forget();
      const fault = suite.proxy.inject({ harm: { kind: 'hang' }, when: (s) => isOfGroup(s) && s.text.includes(text) });
      const event = newEvent({ stream: name, messageId: randomUUID() });
      const { outcome, event: stored } = await suite.client.events.pushEvent({ event });
      answeredAll(history, [stored]);
      expect(fault.hits).toBe(1);
      expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
    });
  }
});

describe('a look at the log that fails', () => {
  it('fails the call that needs it and nothing else', async () => {
    const other = await startServer({ databaseUrl: suite.database.url });
    const client = new TestClient(other.address);
    const isBarrier = ({ command, text }: Statement) =>
      command === 'execute' && text.startsWith('INSERT INTO instance');
    try {
      // The first look is a poll's, the second one the repeated push's, and the next poll shares that. More follow until the
      // push is given up: how many is a matter of milliseconds.
      const hanging = suite.proxy.inject({ harm: { kind: 'hang' }, when: isBarrier, times: Number.POSITIVE_INFINITY });
      const event = newEvent({ messageId: randomUUID() });
      const { event: stored } = await client.events.pushEvent({ event });
      const refused = refusalOf(suite.client.events.pushEvent({ event }));
      await waitUntil(() => hanging.hits > 0, { what: 'a look hangs' });
      const { events } = await suite.client.events.listEvents({ pageSize: 1 });
      expect(events).toHaveLength(1);
      expect(await refused).toMatchObject({ status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE', retryable: true });
      expect(hanging.hits).toBeGreaterThanOrEqual(2);
      hanging.end();
      const again = await suite.client.events.pushEvent({ event });
      answeredAll(history, [stored, again.event]);
      expect(again).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { position: stored?.position } });
    } finally {
      client.close();
      await other.stop();
    }
  });
});

describe('faults at random', () => {
  const { seed = Date.now() % 2 ** 31, numRuns = 40 } = propertyParameters(40);

  it(`store every push once, in order, with its first outcome (SEED=${seed})`, async () => {
    const random = seededRandom(seed);
    let running = true;
    const outcomes = new Set<Outcome>();
    const pusher = async (client: number) => {
      for (let n = 0; running; n += 1) {
        const events = Array.from({ length: 1 + Math.floor(random() * 4) }, () => ({
          event: newEvent({
            stream: random() < 0.5 ? `random ${client}` : `random shared ${Math.floor(random() * 3)}`,
            topic: random() < 0.05 ? `topic ${client} ${n}` : 'orders',
            messageId: random() < 0.5 ? randomUUID() : '',
          }),
        }));
        const { results } = await suite.client.events.pushEvents({ events });
        for (const { outcome } of results) outcomes.add(outcome);
        answeredAll(
          history,
          results.map(({ event }) => event),
        );
      }
    };
    const pushers = Array.from({ length: 12 }, (_, client) => pusher(client));
    for (let run = 0; run < numRuns; run += 1) {
      const harm = HARMS[Math.floor(random() * HARMS.length)] as Harm;
      const fault = suite.proxy.inject({
        harm,
        when: isOfGroup,
        skip: Math.floor(random() * 30),
        times: 1 + Math.floor(random() * 2),
      });
      await waitUntil(() => fault.hits > 0, { what: `${nameOf(harm)} happens in run ${run}` });
    }
    running = false;
    await Promise.all(pushers);
    expect(outcomes).toEqual(new Set([Outcome.OUTCOME_OCCURRED]));
  });
});
