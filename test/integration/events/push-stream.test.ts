import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  Outcome,
  type PushEventStreamRequest,
  type PushEventStreamResponse,
} from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();

async function send(batches: readonly Partial<PushEventStreamRequest>[]): Promise<PushEventStreamResponse[]> {
  async function* requests() {
    for (const batch of batches) yield batch;
  }
  const answers: PushEventStreamResponse[] = [];
  for await (const answer of suite.client.events.pushEventStream(requests())) answers.push(answer);
  return answers;
}

const receiptOf = (answer: PushEventStreamResponse | undefined, index: number) => {
  const result = answer?.results[index]?.result;
  return result?.$case === 'receipt' ? result.value : undefined;
};
const errorOf = (answer: PushEventStreamResponse | undefined, index: number) => {
  const result = answer?.results[index]?.result;
  return result?.$case === 'error' ? result.value : undefined;
};

describe('PushEventStream', () => {
  it('commits and answers many batches in the order sent', async () => {
    const batches = Array.from({ length: 100 }, (_, n) => ({
      batchId: BigInt(n),
      events: Array.from({ length: 10 }, () => ({ event: newEvent({ stream: 'bulk' }) })),
    }));
    const answers = await send(batches);
    expect(answers.map(({ batchId }) => batchId)).toEqual(batches.map(({ batchId }) => batchId));
    const receipts = answers.flatMap((answer) => answer.results.map((_, index) => receiptOf(answer, index)));
    expect(receipts.map((receipt) => receipt?.sequence)).toEqual(Array.from({ length: 1000 }, (_, n) => BigInt(n + 1)));
    expect(new Set(receipts.map((receipt) => receipt?.messageId)).size).toBe(1000);
  });

  it('answers each event of a batch by itself', async () => {
    await suite.client.events.pushEvent({ event: newEvent({ stream: 'theirs', issuer: 'them' }) });
    const messageId = randomUUID();
    const [answer] = await send([
      {
        events: [
          { event: newEvent({ messageId }) },
          { event: newEvent({ topic: '' }) },
          { event: newEvent({ stream: 'theirs' }) },
          { event: newEvent({ messageId }) },
          { event: newEvent({ stream: 'mine' }), expectedSequence: 5n },
        ],
      },
    ]);
    expect(receiptOf(answer, 0)).toMatchObject({ outcome: Outcome.OUTCOME_OCCURRED, messageId: '' });
    expect(errorOf(answer, 1)).toMatchObject({
      code: 3,
      reason: 'FIELD_INVALID',
      violations: [{ field: 'events[1].event.topic' }],
    });
    expect(errorOf(answer, 2)).toMatchObject({
      code: 9,
      reason: 'STREAM_OWNED',
      metadata: { owner: 'them' },
      violations: [{ field: 'events[2].event.issuer' }],
    });
    expect(receiptOf(answer, 3)).toMatchObject({
      outcome: Outcome.OUTCOME_DUPLICATE,
      position: receiptOf(answer, 0)?.position,
    });
    expect(errorOf(answer, 4)).toMatchObject({ code: 10, reason: 'SEQUENCE_CONFLICT' });
  });

  it('stores all of an atomic batch or none', async () => {
    const good = { event: newEvent({ stream: 'atomic' }) };
    const answers = await send([
      { batchId: 1n, atomic: true, events: [good, { event: newEvent({ issuer: '' }) }] },
      { batchId: 2n, atomic: true, events: [good, { ...good, expectedSequence: 7n }] },
      { batchId: 3n, atomic: true, events: [good, { ...good, expectedSequence: 1n }] },
    ]);
    expect(errorOf(answers[0], 0)?.violations[0]?.field).toBe('events[1].event.issuer');
    expect(errorOf(answers[1], 0)).toMatchObject({ reason: 'SEQUENCE_CONFLICT', metadata: { index: '1' } });
    expect(receiptOf(answers[2], 1)?.sequence).toBe(2n);
  });

  it.each([
    ['without an event', 0],
    ['of more than 1,000', 1_001],
    ['of a hundred thousand', 100_000],
  ])('ends with one refusal at a batch %s, after the answers to what came before', async (_what, count) => {
    async function* requests() {
      yield { batchId: 1n, events: [{ event: newEvent({ topic: 'counted' }) }] };
      yield { batchId: 2n, events: Array.from({ length: count }, () => ({})) };
    }
    const answers = suite.client.events.pushEventStream(requests())[Symbol.asyncIterator]();
    expect((await answers.next()).value?.batchId).toBe(1n);
    expect(await refusalOf(answers.next())).toMatchObject({
      status: 'INVALID_ARGUMENT',
      reason: 'FIELD_INVALID',
      fields: ['events'],
    });
  });

  it('tells of a batch that is undone what is stored, not what it would have been', async () => {
    await suite.client.events.pushEvent({ event: newEvent({ stream: 'undone' }) });
    const good = { event: newEvent({ stream: 'undone' }) };
    const [answer] = await send([{ atomic: true, events: [good, good, { ...good, expectedSequence: 7n }] }]);
    expect(errorOf(answer, 2)?.metadata).toMatchObject({ expected_sequence: '7', actual_sequence: '1' });
    const [loose] = await send([{ events: [good, { ...good, expectedSequence: 7n }] }]);
    expect(errorOf(loose, 1)?.metadata).toMatchObject({ expected_sequence: '7', actual_sequence: '2' });
  });

  it('keeps what a client sent before it went away', async () => {
    const abort = new AbortController();
    async function* requests() {
      yield { batchId: 1n, events: [{ event: newEvent({ stream: 'vanishing' }) }] };
      await new Promise((resolve) => abort.signal.addEventListener('abort', resolve));
    }
    const stream = suite.client.events.pushEventStream(requests(), { signal: abort.signal })[Symbol.asyncIterator]();
    await stream.next();
    abort.abort();
    await expect(stream.next()).rejects.toThrow();
    const { stream: stored } = await suite.client.streams.getStream({ name: 'vanishing' });
    expect(stored?.lastSequence).toBe(1n);
  });
});
