// The answer of COMMIT is lost: a topic is registered once, and an event does not stand in its own way.

import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Outcome } from '../../generated/madeleine/v1/event_service.js';
import { UnregisteredTopics } from '../../generated/madeleine/v1/topic_service.js';
import { refusalOf } from '../support/contract/refusals.js';
import { isCommit, useProxiedServer } from '../support/database/proxied.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import { withoutStored } from '../support/topics/registered.js';
import { waitUntil } from '../support/wait-until.js';

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

  it('changes a topic and takes it away once, each with one entry of the audit', async () => {
    const { topics, events } = suite.client;
    const name = `topic ${randomUUID()}`;
    await topics.registerTopic({ name, settings });
    const lost = loseCommit(kind);
    const { changes } = await topics.updateTopic({ name, settings: {}, updateMask: ['description_paths'] });
    expect(lost.hits).toBe(1);
    expect(changes).toHaveLength(1);
    const lostAgain = loseCommit(kind);
    await topics.unregisterTopic({ name });
    expect(lostAgain.hits).toBe(1);
    expect((await topics.getTopic({ name })).topic?.registered).toBe(false);
    const filter = { topics: ['madeleine.audit'], description: { topic: name } };
    const { events: entries } = await events.listEvents({ filter });
    expect(entries.map(({ tag }) => tag)).toEqual(['RegisterTopic', 'UpdateTopic', 'UnregisterTopic']);
  });

  it.each(['minted', 'given'])('discards an event once, message ids %s', async (ids) => {
    const { topics, events } = suite.client;
    const context = `context ${randomUUID()}`;
    const unregisteredTopics = UnregisteredTopics.UNREGISTERED_TOPICS_DISCARD;
    const lost = loseCommit(kind);
    await topics.updateContext({ context, settings: { unregisteredTopics }, updateMask: ['unregistered_topics'] });
    expect(lost.hits).toBe(1);
    await topics.registerTopic({ context, name: 'known' });
    const event = (topic: string) =>
      newEvent({ context, topic, payload: jsonPayload({ id: 7 }), messageId: ids === 'given' ? randomUUID() : '' });
    const pushed = [event('unknown'), event('known')].map((one) => ({ event: one }));
    const lostAgain = loseCommit(kind);
    const { results } = await events.pushEvents({ events: pushed });
    expect(lostAgain.hits).toBe(1);
    const outcomes = [Outcome.OUTCOME_DISCARDED, Outcome.OUTCOME_OCCURRED];
    expect(results.map(({ outcome }) => outcome)).toEqual(outcomes);
    const samples = async () => (await topics.listDiscardedSamples({ context })).samples.length;
    await waitUntil(samples, { what: 'a sample is kept' });
    expect(await samples()).toBe(1);
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
