// Batches that are undone, or that ask for more than they say.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Outcome, PushEventsResponse } from '../../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { bytesPayload, jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();

describe('a batch that is undone', () => {
  it('leaves nothing of the contexts that it would have made', async () => {
    const { events } = suite.client;
    const first = newEvent({ messageId: randomUUID() });
    await events.pushEvent({ event: first });
    // The insert meets the message id of the first one, when the new context has its row and its number already.
    const batch = [
      { event: { ...first, payload: jsonPayload({ other: true }) } },
      { event: newEvent({ context: 'new-tenant', messageId: randomUUID() }) },
    ];
    expect((await refusalOf(events.pushEvents({ events: batch }))).reason).toBe('MESSAGE_ID_REUSED');
    const pushed = [];
    for (const context of ['other-tenant', 'new-tenant', 'third-tenant']) {
      pushed.push((await events.pushEvent({ event: newEvent({ context }) })).event?.id);
    }
    const listed = [];
    for (const context of ['other-tenant', 'new-tenant', 'third-tenant']) {
      listed.push((await events.listEvents({ filter: { context } })).events.map(({ id, context: of }) => [id, of]));
    }
    expect(listed).toEqual([[[pushed[0], 'other-tenant']], [[pushed[1], 'new-tenant']], [[pushed[2], 'third-tenant']]]);
  });
});

describe('the refusal of a batch', () => {
  const refused = (...events: Parameters<typeof newEvent>[0][]) =>
    refusalOf(suite.client.events.pushEvents({ events: events.map((event) => ({ event: newEvent(event) })) }));

  it('tells the stored sequence, also of a stream that it would have begun', async () => {
    const good = { event: newEvent({ stream: 'never begun' }) };
    const batch = { events: [good, good, { ...good, expectedSequence: 5n }] };
    const refusal = await refusalOf(suite.client.events.pushEvents(batch));
    expect(refusal).toMatchObject({ reason: 'SEQUENCE_CONFLICT', metadata: { actual_sequence: '0', index: '2' } });
    expect(refusal.message).toContain('is at sequence 0');
  });

  it('names no owner that the batch itself would have made', async () => {
    const refusal = await refused({ stream: 'never owned' }, { stream: 'never owned', issuer: 'another' });
    expect(refusal.reason).toBe('STREAM_OWNED');
    expect(refusal.metadata).not.toHaveProperty('owner');
    await suite.client.events.pushEvent({ event: newEvent({ stream: 'owned', issuer: 'them' }) });
    expect((await refused({ stream: 'owned' })).metadata).toMatchObject({ owner: 'them' });
  });

  it('names no event that the batch itself would have stored', async () => {
    const described = { topic: 'described', description: { n: 1 }, payload: jsonPayload({ n: 1 }) };
    const refusal = await refused(described, described);
    expect(refusal).toMatchObject({ reason: 'ALREADY_OCCURRED', fields: ['events[1].event.description'] });
    expect(refusal.metadata).toEqual({ index: '1' });
    const { event } = await suite.client.events.pushEvent({ event: newEvent(described) });
    expect((await refused(described)).metadata).toMatchObject({ event_id: String(event?.id) });
  });

  it('is one for a batch of a hundred thousand', async () => {
    const refusal = await refusalOf(
      suite.client.events.pushEvents({ events: Array.from({ length: 100_000 }, () => ({})) }),
    );
    expect(refusal).toMatchObject({ reason: 'FIELD_INVALID', fields: ['events'] });
  });
});

describe('a batch of descriptions', () => {
  it('is answered with as many payloads as fit, and with all events', async () => {
    const { events } = suite.client;
    const text = JSON.stringify({ order: 1, text: 'x'.repeat(200_000) });
    await events.pushEvent({ event: newEvent({ topic: 'large', payload: bytesPayload(text) }) });
    const look = { event: { ...newEvent({ topic: 'large', payload: undefined }), description: { order: 1 } } };
    const response = await events.pushEvents({ events: Array.from({ length: 200 }, () => look) });
    expect(response.results.map(({ outcome }) => outcome)).toEqual(Array(200).fill(Outcome.OUTCOME_FOUND));
    expect(new Set(response.results.map(({ event }) => event?.position)).size).toBe(1);
    const withPayload = response.results.filter(({ event }) => event?.payload !== undefined);
    expect(withPayload).toHaveLength(Math.floor((3 * 1024 * 1024) / text.length));
    expect(PushEventsResponse.encode(response).finish().byteLength).toBeLessThan(4 * 1024 * 1024);
  });
});
