import { describe, expect, it } from 'vitest';
import { eventAnswers, unleasedAnswers } from '../../../../../src/engine/consumers/named/event-answers.js';

describe('an event that is acknowledged by its id', () => {
  const events = [[3], [], [4, 9], [5, 8], [6, 7]];

  it('is answered entry by entry, without leases', () => {
    expect(unleasedAnswers(events).map(({ position }) => position)).toEqual([3, 4, 9, 5, 8, 6, 7]);
    expect(unleasedAnswers([[3]])).toEqual([{ position: 3, lease: 0, leaseCheck: 0 }]);
    expect(unleasedAnswers([])).toEqual([]);
  });

  it('is accepted if one of its entries is, else known if one is, and nowhere if none is', () => {
    expect(
      eventAnswers(events, ['ALREADY', 'ACCEPTED', 'ALREADY', 'ACCEPTED', 'ACCEPTED', 'UNKNOWN', 'UNKNOWN']),
    ).toEqual([
      { position: 3, status: 'ALREADY' },
      { position: 0, status: 'UNKNOWN' },
      { position: 4, status: 'ACCEPTED' },
      { position: 8, status: 'ACCEPTED' },
      { position: 0, status: 'UNKNOWN' },
    ]);
  });
});
