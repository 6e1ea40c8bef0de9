// Who is woken by what, and that the others cost nothing.

import { describe, expect, it } from 'vitest';
import { EMPTY_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { compileCriteria, type EventCriteria } from '../../../../src/domain/events/event-filter.js';
import type { Selection } from '../../../../src/engine/log/log-source.js';
import { LogWaiters } from '../../../../src/engine/log/log-waiters.js';

function entry(position: number, changes: Partial<LogEntry> = {}): LogEntry {
  return {
    ...{ position, kind: EntryKind.OCCURRED, eventId: position, sequence: 0, messageId: '', createdAt: position },
    ...EMPTY_ENVELOPE,
    ...{ context: 'default', topic: 'orders', issuer: 'shop' },
    ...changes,
  } as LogEntry;
}

class Waiting {
  readonly waiters = new LogWaiters();
  readonly woken: string[] = [];
  looked = 0;

  add(name: string, criteria?: Partial<EventCriteria>, position = 10): () => void {
    const wake = (passed: number) => {
      this.woken.push(`${name} ${passed}`);
      return () => {};
    };
    return this.waiters.add(position, wake, criteria === undefined ? undefined : this.#selection(criteria));
  }

  #selection(changes: Partial<EventCriteria>): Selection {
    const criteria = { context: 'default', ...changes };
    const matches = compileCriteria(criteria);
    return {
      criteria,
      matches: (one) => {
        this.looked += 1;
        return matches(one);
      },
    };
  }
}

describe('those who wait for the log', () => {
  it('are woken by what they wait for, and told what they may pass', () => {
    const waiting = new Waiting();
    waiting.add('any');
    waiting.add('topic', { topics: ['invoices', 'orders'] });
    waiting.add('other topic', { topics: ['invoices'] });
    waiting.add('stream', { streams: ['a'] });
    waiting.add('other stream', { streams: ['b'] });
    waiting.add('topic and stream', { topics: ['orders'], streams: ['a'] });
    waiting.add('issuer', { issuers: ['bank'] });
    waiting.add('context', { context: 'elsewhere', topics: ['orders'] });
    waiting.add('described', { topics: ['orders'], description: '{"a":1}' });
    waiting.waiters.grown([entry(11), entry(12, { stream: 'a' }), entry(13, { topic: 'x', issuer: 'bank' })]);
    expect(waiting.woken.sort()).toEqual([
      'any 10',
      'described 10',
      'issuer 12',
      'stream 11',
      'topic 10',
      'topic and stream 11',
    ]);
    expect(waiting.waiters.size).toBe(3);
  });

  it('are woken once, and not after they left or before their position', () => {
    const waiting = new Waiting();
    const leave = waiting.add('left', { topics: ['orders', 'x'] });
    waiting.add('ahead', { topics: ['orders'] }, 11);
    waiting.add('ahead of any', undefined, 11);
    leave();
    leave();
    waiting.waiters.grown([entry(11)]);
    expect(waiting.woken).toEqual([]);
    waiting.waiters.grown([entry(12)]);
    waiting.waiters.grown([entry(13)]);
    expect(waiting.woken.sort()).toEqual(['ahead 11', 'ahead of any 11']);
    expect(waiting.waiters.size).toBe(0);
  });

  it('are all woken where it is not known what came, and may pass nothing then', () => {
    const waiting = new Waiting();
    waiting.add('any');
    waiting.add('topic', { topics: ['a', 'b'] });
    waiting.add('ahead', { streams: ['a'] }, 50);
    waiting.waiters.wakeAll(40);
    expect(waiting.woken.sort()).toEqual(['any 10', 'topic 10']);
    expect(waiting.waiters.size).toBe(1);
  });

  it('cost nothing while others’ events come', () => {
    const waiting = new Waiting();
    for (let n = 0; n < 2_000; n += 1) waiting.add(`idle ${n}`, { topics: [`topic ${n}`] });
    waiting.add('active', { topics: ['orders'] });
    waiting.waiters.grown([entry(11), entry(12)]);
    expect(waiting.woken).toEqual(['active 10']);
    expect(waiting.looked).toBe(1);
  });
});
