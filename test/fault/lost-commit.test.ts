// The answer of COMMIT is lost: what was pushed is stored once, in order, and answered with the first outcome.

import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { EventStatus } from '../../generated/madeleine/v1/event.js';
import { Outcome, type PushEventStreamRequest } from '../../generated/madeleine/v1/event_service.js';
import { isCommit, storedEvents, storedRows, useProxiedServer } from '../support/database/proxied.js';
import { bytesPayload, jsonPayload, newEvent } from '../support/events/builders.js';
import { answeredAll, History } from '../support/events/history.js';
import { waitUntil } from '../support/wait-until.js';

const suite = useProxiedServer();
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Everything that was answered in this file. */
const history = new History();

afterEach(async () => expect(history.faults(await storedEvents(suite.database))).toEqual([]));

function loseCommits(times: number, kind: 'cut after' | 'cut before' = 'cut after', skip = 0) {
  return suite.proxy.inject({ harm: { kind }, when: isCommit, times, skip });
}

async function storedIn(stream: string): Promise<number[]> {
  const rows = await storedRows(suite.database);
  return rows.filter((row) => row.stream === stream).map(({ json }) => (JSON.parse(json) as { n: number }).n);
}

const event = (stream: string, n: number, messageId = '') =>
  newEvent({ stream, messageId, payload: jsonPayload({ n }) });

for (const kind of ['cut after', 'cut before'] as const) {
  describe(`a connection ${kind} COMMIT`, () => {
    for (const ids of ['minted', 'given']) {
      const id = () => (ids === 'given' ? randomUUID() : '');

      it(`answers a push with its first outcome, message ids ${ids}`, async () => {
        const stream = `one ${kind} ${ids}`;
        const lost = loseCommits(1, kind);
        const pushed = event(stream, 1, id());
        const { outcome, event: stored } = await suite.client.events.pushEvent({ event: pushed });
        expect(lost.hits).toBe(1);
        expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
        answeredAll(history, [stored]);
        expect(stored).toMatchObject({ stream, sequence: 1n });
        expect(await storedIn(stream)).toEqual([1]);
        if (ids === 'minted') return;
        const again = await suite.client.events.pushEvent({ event: pushed });
        answeredAll(history, [again.event]);
        expect(again).toMatchObject({ outcome: Outcome.OUTCOME_DUPLICATE, event: { position: stored?.position } });
      });

      it(`answers all of PushEvents with their first outcomes, message ids ${ids}`, async () => {
        const stream = `unit ${kind} ${ids}`;
        const lost = loseCommits(1, kind);
        const events = numbers(20).map((n) => ({ event: event(stream, n, id()) }));
        const { results } = await suite.client.events.pushEvents({ events });
        expect(lost.hits).toBe(1);
        answeredAll(
          history,
          results.map(({ event: stored }) => stored),
        );
        expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set([Outcome.OUTCOME_OCCURRED]));
        expect(await storedIn(stream)).toEqual(numbers(20));
      });

      it(`answers large payloads as they were sent, message ids ${ids}`, async () => {
        const lost = loseCommits(1, kind);
        // As much as an answer has payloads for.
        const text = JSON.stringify({ n: 0, text: 'x'.repeat(150_000) });
        const events = numbers(19).map(() => ({
          event: newEvent({ topic: 'large', messageId: id(), payload: bytesPayload(text) }),
        }));
        const { results } = await suite.client.events.pushEvents({ events });
        expect(lost.hits).toBe(1);
        answeredAll(
          history,
          results.map(({ event: stored }) => stored),
        );
        for (const { outcome, event: stored } of results) {
          expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
          expect(String(stored?.payload?.body?.value)).toBe(text);
        }
      });

      it(`keeps the order of a push stream with many batches in flight, message ids ${ids}`, async () => {
        const stream = `bulk ${kind} ${ids}`;
        await suite.client.events.pushEvent({ event: event(stream, -1) });
        const lost = loseCommits(4, kind, 1);
        // More than five groups have room for: so many COMMITs there are, whatever the size of the groups.
        async function* requests(): AsyncGenerator<Partial<PushEventStreamRequest>> {
          for (const batch of numbers(100)) {
            yield {
              batchId: BigInt(batch),
              events: numbers(60).map((n) => ({ event: event(stream, batch * 60 + n, id()) })),
            };
          }
        }
        const outcomes: unknown[] = [];
        for await (const { results } of suite.client.events.pushEventStream(requests())) {
          for (const { result } of results) outcomes.push(result?.$case === 'receipt' ? result.value.outcome : result);
        }
        expect(lost.hits).toBe(4);
        expect(outcomes).toEqual(numbers(6_000).map(() => Outcome.OUTCOME_OCCURRED));
        expect(await storedIn(stream)).toEqual([-1, ...numbers(6_000)]);
      });
    }

    it('answers pushes of many clients with their first outcomes, several commits lost one after the other', async () => {
      const lost = loseCommits(6, kind);
      const outcomes = new Set<Outcome>();
      const clients = numbers(30).map(async (client) => {
        for (const n of numbers(15)) {
          const pushed = event(`crowd ${kind} ${client % 7}`, n, n % 2 === 0 ? randomUUID() : '');
          const { outcome, event: stored } = await suite.client.events.pushEvent({ event: pushed });
          outcomes.add(outcome);
          answeredAll(history, [stored]);
        }
      });
      await Promise.all(clients);
      expect(lost.hits).toBe(6);
      expect(outcomes).toEqual(new Set([Outcome.OUTCOME_OCCURRED]));
    });
  });
}

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT of what is awaited', (kind) => {
  for (const ids of ['minted', 'given']) {
    it(`answers each push with its first outcome, message ids ${ids}`, async () => {
      const topic = `waits ${kind} ${ids}`;
      const rest = () => ({ topic, messageId: ids === 'given' ? randomUUID() : '' });
      const look = (n: number) => newEvent({ ...rest(), payload: undefined, description: { n } });
      await suite.client.events.pushEvent({ event: look(0) });
      const pushes = [look(1), look(1), newEvent({ ...rest(), payload: jsonPayload({ n: 1 }) }), look(1)];
      const outcomes: Outcome[] = [];
      const seen = new Set<bigint | undefined>();
      for (const pushed of pushes) {
        const lost = loseCommits(1, kind);
        const { outcome, event: stored } = await suite.client.events.pushEvent({ event: pushed });
        expect(lost.hits).toBe(1);
        outcomes.push(outcome);
        seen.add(stored?.id);
      }
      expect(outcomes).toEqual([
        Outcome.OUTCOME_AWAITED,
        Outcome.OUTCOME_FOUND,
        Outcome.OUTCOME_SATISFIED,
        Outcome.OUTCOME_FOUND,
      ]);
      expect(seen.size).toBe(1);
      const [id] = [...seen];
      const lost = loseCommits(1, kind);
      const { event: invalid } = await suite.client.events.invalidateEvent({ id: id ?? 0n, reason: 'once' });
      expect(lost.hits).toBe(1);
      expect(invalid).toMatchObject({ id, status: EventStatus.EVENT_STATUS_INVALIDATED });
      const filter = {
        topics: [topic],
        statuses: [EventStatus.EVENT_STATUS_OCCURRED, EventStatus.EVENT_STATUS_INVALIDATED],
      };
      expect((await suite.client.events.listEvents({ filter })).events.map(({ status }) => status)).toEqual(
        filter.statuses,
      );
    });
  }

  it('watches a shape that is new to the topic once', async () => {
    const topic = `shape ${kind}`;
    await suite.client.events.pushEvent({ event: newEvent({ topic, payload: jsonPayload({ n: 1 }) }) });
    const lost = loseCommits(2, kind);
    const event = newEvent({ topic, payload: undefined, description: { n: 1 } });
    expect((await suite.client.events.pushEvent({ event })).outcome).toBe(Outcome.OUTCOME_FOUND);
    expect(lost.hits).toBe(2);
  });
});

describe('two groups under way', () => {
  it('the second knows its streams although the answer to the first is lost meanwhile', async () => {
    for (const stream of ['first', 'known']) await suite.client.events.pushEvent({ event: event(stream, 0) });
    for (const round of numbers(10)) {
      // The second group reads a stream that is new to it while the first one's loss is noticed.
      loseCommits(1);
      const isRead = (text: string) => text.includes('FROM stream FORCE INDEX');
      suite.proxy.inject({
        harm: { kind: 'delay', ms: 50 },
        when: ({ group, text }) => group && isRead(text),
        times: 9,
      });
      const first = suite.client.events.pushEvent({ event: event('first', round) });
      const lock = suite.proxy.statements.length;
      await waitUntil(() => suite.proxy.statements.slice(lock).some(({ text }) => text.includes('INSERT INTO log ')), {
        what: 'the first group is under way',
        intervalMs: 1,
      });
      const events = [event(`new ${round}`, 0), event('known', round)].map((each) => ({ event: each }));
      await Promise.all([first, suite.client.events.pushEvents({ events })]);
      suite.proxy.forget();
    }
  });
});
