import { describe, expect, it } from 'vitest';
import {
  parseWarning,
  type UnreadWarning,
  warningDraft,
  warningMicros,
} from '../../../../src/domain/retention/unread-warning.js';
import { isUuid } from '../../../../src/lib/uuid-text.js';

const DAY = 86_400_000_000;
const WARNING: UnreadWarning = {
  ...{
    consumerId: 7,
    generation: 1,
    context: 'all',
    consumer: 'mailer',
    topicContext: 'shop',
    topicId: 3,
    topic: 'orders',
  },
  ...{ events: 5, isMinimum: true, firstPosition: 17, goesAt: 20_000 * DAY + 1, now: 20_000 * DAY },
};

describe('the setting', () => {
  it('has one form for equal durations, and a default', () => {
    expect(['', '24h', ' 1 Day', 'none', '90min'].map((text) => parseWarning(text, 'w'))).toEqual([
      ...['1day', '1day', '1day', 'none', '90min'],
    ]);
    expect([warningMicros('1day'), warningMicros('none')]).toEqual([DAY, undefined]);
  });

  it('refuses what is no duration', () => {
    for (const text of ['soon', 'permanent', 'Ephemeral'])
      expect(() => parseWarning(text, 'w')).toThrow('is no duration');
  });
});

describe('the event of a warning', () => {
  it('says who loses what and when, in the context of the topic', () => {
    const draft = warningDraft(WARNING);
    expect(draft).toMatchObject({
      context: 'shop',
      topic: 'madeleine.retention',
      tag: 'mailer',
      entityType: 'consumer',
    });
    expect(JSON.parse(Buffer.from(draft.payload?.bytes ?? []).toString())).toEqual({
      ...{ consumer: 'mailer', consumer_context: 'all', topic: 'orders', events: 5, events_is_minimum: true },
      ...{ first_position: 17, goes_at: new Date(20_000 * 86_400_000).toISOString() },
    });
  });

  it('is the same all day, whatever it says, and another one for another consumer, topic or day, or after a move', () => {
    const { messageId } = warningDraft(WARNING);
    expect(isUuid(messageId)).toBe(true);
    expect(warningDraft({ ...WARNING, events: 9, now: WARNING.now + DAY - 1 }).messageId).toBe(messageId);
    const others = [{ consumerId: 8 }, { generation: 2 }, { topicId: 4 }, { now: WARNING.now + DAY }];
    for (const other of others) expect(warningDraft({ ...WARNING, ...other }).messageId).not.toBe(messageId);
  });
});
