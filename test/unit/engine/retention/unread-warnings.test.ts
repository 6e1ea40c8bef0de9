// What is warned of before it goes, how often, and when: with the policy that expires and with the one that holds.

import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../src/domain/consumers/consumer.js';
import { encodeRanges } from '../../../../src/domain/consumers/position-ranges.js';
import { EMPTY_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type EventDraft, type LogEntry } from '../../../../src/domain/events/event.js';
import type { LeaptSpan } from '../../../../src/domain/retention/log-time.js';
import { RetentionMode } from '../../../../src/domain/retention/retention-policy.js';
import { UnreadWarnings } from '../../../../src/engine/retention/unread-warnings.js';
import type { ConsumerBehind, RetentionTopic } from '../../../../src/storage/ports/retention-storage.js';

const DAY = 86_400_000_000;
const HOUR = DAY / 24;
const NOW = 20_000 * DAY;

/** Event n of the topic was created n hours after the beginning of the log. */
class Scene {
  readonly pushed: EventDraft[] = [];
  consumers: ConsumerBehind[] = [];
  failing = false;
  readonly #createdAt: readonly number[];
  readonly #warnings: UnreadWarnings;

  constructor(ages: readonly number[]) {
    this.#createdAt = ages.map((age) => NOW - age);
    this.#warnings = new UnreadWarnings({
      store: { behind: async (_, upTo) => this.consumers.filter(({ offset }) => offset < upTo) },
      log: {
        positionAt: async (time) => this.#createdAt.filter((at) => at <= time).length,
        readPositions: async (_, { after, upTo = 0, limit }) => {
          const positions = this.#createdAt.map((_at, index) => index + 1).filter((at) => at > after && at <= upTo);
          const found = positions.slice(0, limit);
          return { positions: found, scannedTo: found.length === positions.length ? upTo : (found.at(-1) ?? 0) };
        },
        readAt: async (positions) => positions.map((position) => this.#entry(position)),
      },
      push: async (draft) => {
        if (this.failing) throw new Error('away');
        this.pushed.push(draft);
      },
      logger: pino({ level: 'silent' }),
    });
  }

  look(topic: RetentionTopic, now = NOW, leapt: readonly LeaptSpan[] = []): Promise<void> {
    return this.#warnings.look(topic, { now, leapt });
  }

  /** What was told, the newest last. */
  get told() {
    return this.pushed.map(({ tag, payload }) => {
      const { events, first_position, goes_at } = JSON.parse(Buffer.from(payload?.bytes ?? []).toString());
      return { tag, events, first: first_position, in: Math.round((Date.parse(goes_at) * 1_000 - NOW) / HOUR) };
    });
  }

  #entry(position: number): LogEntry {
    const at = this.#createdAt[position - 1] ?? 0;
    const entry = { ...EMPTY_ENVELOPE, kind: EntryKind.OCCURRED, position, eventId: position, sequence: 0 };
    return { ...entry, createdAt: at, messageId: '', payload: undefined } as LogEntry;
  }
}

const topicOf = (ttl: number, mode: RetentionMode, unreadWarning = '1day', topicId = 3): RetentionTopic => ({
  ...{ topicId, context: 'default', name: 'orders' },
  policy: { ageMicros: ttl, mode, unreadWarning },
});
const EXPIRE = topicOf(2 * DAY, RetentionMode.EXPIRE);
const HOLD = topicOf(2 * DAY, RetentionMode.HOLD);
const consumer = (name: string, offset: number, rest: Partial<ConsumerBehind> = {}): ConsumerBehind => ({
  ...{ id: name.length, generation: 1, context: 'default', name, settings: DEFAULT_SETTINGS, offset },
  ...{ acked: new Uint8Array(0), ...rest },
});

describe('a warning', () => {
  it('with EXPIRE comes a day before the age ends, of what goes within that day', async () => {
    const scene = new Scene([47, 25, 23].map((hours) => hours * HOUR));
    scene.consumers = [consumer('mailer', 0)];
    await scene.look(EXPIRE);
    expect(scene.told).toEqual([{ tag: 'mailer', events: 2, first: 1, in: 1 }]);
  });

  it('with HOLD comes a day before the 30 days after that end, and not while it is only held', async () => {
    const scene = new Scene([31.5 * DAY, 30 * DAY, 3 * DAY]);
    scene.consumers = [consumer('mailer', 0)];
    await scene.look(topicOf(4 * DAY, RetentionMode.HOLD));
    expect(scene.told).toEqual([]);
    await scene.look(HOLD);
    expect(scene.told).toEqual([{ tag: 'mailer', events: 1, first: 1, in: 12 }]);
  });

  it('with HOLD comes once a day, and once more after a move', async () => {
    const scene = new Scene([31.5 * DAY, 31.2 * DAY]);
    scene.consumers = [consumer('mailer', 0)];
    for (let minute = 0; minute < 10; minute += 1) await scene.look(HOLD, NOW + minute * 60_000_000);
    expect(scene.told).toHaveLength(1);
    scene.consumers = [consumer('mailer', 2)];
    await scene.look(HOLD, NOW + HOUR);
    expect(scene.told).toHaveLength(1);
    scene.consumers = [consumer('mailer', 1, { generation: 2 })];
    for (let minute = 0; minute < 10; minute += 1) await scene.look(HOLD, NOW + 2 * HOUR + minute * 60_000_000);
    expect(scene.told.map(({ events, first }) => [events, first])).toEqual([
      ...[
        [2, 1],
        [1, 2],
      ],
    ]);
    const [first, second] = scene.pushed;
    expect(first?.messageId).not.toBe(second?.messageId);
    await scene.look(HOLD, NOW + DAY);
    expect(scene.told).toHaveLength(3);
  });

  it('is tried again where it could not be stored', async () => {
    const scene = new Scene([31.5 * DAY]);
    scene.consumers = [consumer('mailer', 0)];
    scene.failing = true;
    await scene.look(HOLD);
    scene.failing = false;
    await scene.look(HOLD);
    expect(scene.told).toHaveLength(1);
  });

  it('is not of what is passed above the offset, nor to who has passed everything', async () => {
    const scene = new Scene([47, 46, 45].map((hours) => hours * HOUR));
    const acked = encodeRanges([[1, 2]]);
    scene.consumers = [consumer('some', 0, { acked }), consumer('all', 0, { acked: encodeRanges([[1, 3]]) })];
    await scene.look(EXPIRE);
    expect(scene.told).toEqual([{ tag: 'some', events: 1, first: 3, in: 3 }]);
  });

  it('does not come for what the clock leapt over: its time is that of the log', async () => {
    const leapt = [{ from: NOW - 400 * DAY, to: NOW - DAY }];
    const scene = new Scene([400 * DAY + HOUR, 12 * HOUR]);
    scene.consumers = [consumer('mailer', 0)];
    await scene.look(topicOf(3 * DAY, RetentionMode.EXPIRE), NOW, leapt);
    expect(scene.told).toEqual([]);
    await scene.look(EXPIRE, NOW, leapt);
    expect(scene.told).toEqual([{ tag: 'mailer', events: 1, first: 1, in: 23 }]);
  });

  it.each([
    ['none is wanted', topicOf(2 * DAY, RetentionMode.HOLD, 'none')],
    ['the events are for those only who listen', { ...HOLD, policy: { ...HOLD.policy, isEphemeral: true } }],
    ['age does not matter', { ...HOLD, policy: { ...HOLD.policy, ageMicros: undefined } }],
    ['the log is younger', topicOf(21_000 * DAY, RetentionMode.EXPIRE)],
  ])('does not come where %s', async (_why, topic) => {
    const scene = new Scene([31.5 * DAY]);
    scene.consumers = [consumer('mailer', 0)];
    await scene.look(topic);
    expect(scene.told).toEqual([]);
  });

  it('comes to everybody of 250 consumers, a hundred at a time', async () => {
    const scene = new Scene([47 * HOUR]);
    scene.consumers = Array.from({ length: 250 }, (_, id) => consumer(`c${id}`, 0, { id: id + 1 }));
    const counts: number[] = [];
    for (let look = 0; look < 4; look += 1) {
      await scene.look(EXPIRE);
      counts.push(scene.told.length);
    }
    expect(counts).toEqual([100, 200, 250, 250]);
    expect(new Set(scene.told.map(({ tag }) => tag)).size).toBe(250);
  });
});
