// How the demo turns webhooks into events.

import { describe, expect, it } from 'vitest';
import { loadWebhooks, webhookEvents } from '../../../examples/webhook-events.js';

describe('events of the demo', () => {
  const events = webhookEvents(loadWebhooks(), 'github');

  it('are all payloads of the package, each with an id of its own', () => {
    expect(events).toHaveLength(329);
    expect(new Set(events.map(({ topic }) => topic)).size).toBe(58);
    expect(new Set(events.map(({ messageId }) => messageId)).size).toBe(329);
  });

  it('keep the rule that a stream has one writer', () => {
    const writers = new Map<string, Set<string>>();
    for (const { stream = '', issuer = '' } of events) {
      if (stream !== '') writers.set(stream, (writers.get(stream) ?? new Set()).add(issuer));
    }
    expect([...writers].filter(([, issuers]) => issuers.size > 1)).toEqual([]);
    expect(writers.has('Codertocat/Hello-World#Codertocat')).toBe(true);
  });

  it('have no stream without a repository, and github as the issuer without a sender', () => {
    expect(events.filter(({ stream }) => stream === '')).toHaveLength(49);
    expect(events.filter(({ issuer }) => issuer === 'github').length).toBeGreaterThanOrEqual(4);
  });

  it('are the same events each time', () => {
    const ids = (of: typeof events) => of.map(({ messageId }) => messageId);
    expect(ids(webhookEvents(loadWebhooks(), 'github'))).toEqual(ids(events));
  });

  it('name a stream after the repository alone while it has one sender', () => {
    const payload = { action: 'created', repository: { full_name: 'a/b' }, sender: { login: 'me' } };
    const [event] = webhookEvents([{ name: 'star', examples: [payload] }], 'c');
    expect(event).toMatchObject({ context: 'c', topic: 'star', stream: 'a/b', issuer: 'me', tag: 'created' });
    const [first, second] = webhookEvents(
      [{ name: 'star', examples: [payload, { repository: { full_name: 'a/b' } }] }],
      'c',
    );
    expect([first?.stream, second?.stream]).toEqual(['a/b#me', 'a/b#github']);
  });
});
