// The answer of COMMIT is lost: a topic is registered once, and an event does not stand in its own way.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { refusalOf } from '../support/contract/refusals.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { withoutStored } from '../support/topics/registered.js';

const suite = useProxiedServer();
const settings = { descriptionPaths: ['/id'] };
const loseCommit = (kind: 'cut after' | 'cut before') =>
  suite.proxy.inject({ harm: { kind }, when: isCommit, times: 1, skip: 0 });

describe.each(['cut after', 'cut before'] as const)('a connection %s COMMIT', (kind) => {
  it('registers a topic once, and says so', async () => {
    const name = `topic ${randomUUID()}`;
    const lost = loseCommit(kind);
    const first = await suite.client.topics.registerTopic({ name, settings });
    expect(lost.hits).toBe(1);
    expect(first).toMatchObject({ created: true, topic: { name, registered: true, settings } });
    const { topic, ...again } = await suite.client.topics.registerTopic({ name, settings });
    expect(again).toEqual({ created: false, changes: [] });
    expect(withoutStored(topic)).toEqual(withoutStored(first.topic));
  });

  it.each(['minted', 'given'])('stores an event with description paths once, message ids %s', async (ids) => {
    const topic = `topic ${randomUUID()}`;
    await suite.client.topics.registerTopic({ name: topic, settings });
    const messageId = () => (ids === 'given' ? randomUUID() : '');
    const event = () => newEvent({ topic, payload: jsonPayload({ id: 7 }), messageId: messageId() });
    const lost = loseCommit(kind);
    const { outcome, event: stored } = await suite.client.events.pushEvent({ event: event() });
    expect(lost.hits).toBe(1);
    expect(outcome).toBe(Outcome.OUTCOME_OCCURRED);
    const refusal = await refusalOf(suite.client.events.pushEvent({ event: event() }));
    expect(refusal).toMatchObject({ reason: 'ALREADY_OCCURRED', metadata: { event_id: String(stored?.id) } });
  });
});
