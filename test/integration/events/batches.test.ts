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
