// What tallies add to the counters.

import { describe, expect, it } from 'vitest';
import { addUp, EVERY_TOPIC, type Tally } from '../../../../src/domain/statistics/event-counts.js';
import { readDay, readMonth } from '../../../../src/domain/statistics/utc-days.js';

const LAST = readDay('2026-02-28') ?? 0;
const tally = (changes: Partial<Tally> = {}): Tally => ({
  ...{ contextId: 1, topicId: 2, streamId: 3, day: LAST, events: 1, bytes: 10, addressed: 0, reserved: false },
  ...changes,
});

describe('tallies', () => {
  it('add nothing when there are none', () => {
    const none = { topicDays: [], streamDays: [], streamMonths: [], streamTotals: [], seriesTotals: [] };
    expect(addUp([])).toEqual(none);
  });

  it('count by topic and day, in whatever stream', () => {
    const { topicDays } = addUp([
      tally(),
      tally({ streamId: 4, events: 2 }),
      tally({ streamId: undefined, day: LAST + 1 }),
    ]);
    expect(topicDays).toMatchObject([
      { topicId: 2, day: LAST, events: 3, bytes: 20 },
      { topicId: 2, day: LAST + 1, events: 1, bytes: 10 },
    ]);
  });

  it('count by stream, day and topic, and by stream and month', () => {
    const { streamDays, streamMonths } = addUp([tally(), tally({ topicId: 5, events: 4 }), tally({ day: LAST + 1 })]);
    expect(streamDays).toMatchObject([
      { streamId: 3, topicId: 2, day: LAST, events: 1 },
      { streamId: 3, topicId: 5, day: LAST, events: 4 },
      { streamId: 3, topicId: 2, day: LAST + 1, events: 1 },
    ]);
    expect(streamMonths).toMatchObject([
      { streamId: 3, month: readMonth('2026-02'), events: 5 },
      { streamId: 3, month: readMonth('2026-03'), events: 1 },
    ]);
  });

  it('count nothing for streams where there is none', () => {
    const { streamDays, streamMonths, streamTotals } = addUp([tally({ streamId: undefined })]);
    expect([streamDays, streamMonths, streamTotals]).toEqual([[], [], []]);
  });

  it('count since the beginning by topic, and by context without the topics of the server', () => {
    const { seriesTotals, streamTotals } = addUp([
      tally({ addressed: 1 }),
      tally({ topicId: 5, events: 4 }),
      tally({ topicId: 9, events: 8, streamId: undefined, reserved: true }),
      tally({ contextId: 7, topicId: 6 }),
    ]);
    expect(seriesTotals).toMatchObject([
      { contextId: 1, topicId: 2, events: 1, addressed: 1 },
      { contextId: 1, topicId: 5, events: 4, addressed: 0 },
      { contextId: 1, topicId: 9, events: 8 },
      { contextId: 7, topicId: 6, events: 1 },
      { contextId: 1, topicId: EVERY_TOPIC, events: 5, addressed: 1 },
      { contextId: 7, topicId: EVERY_TOPIC, events: 1 },
    ]);
    expect(streamTotals).toMatchObject([
      { streamId: 3, topicId: 2, events: 1, addressed: 1 },
      { streamId: 3, topicId: 5, events: 4 },
      { streamId: 3, topicId: 6, events: 1 },
    ]);
  });
});
