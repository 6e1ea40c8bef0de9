// Answers about waits carry events as every reader gets them.

import { describe, expect, it } from 'vitest';
import { Cawin, CheckOrWaitResponse, ExplainWaitResponse } from '../../../generated/madeleine/v1/cawin_service.js';
import { Event } from '../../../generated/madeleine/v1/event.js';
import { Outcome } from '../../../generated/madeleine/v1/event_service.js';
import { BLANK_ENVELOPE } from '../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../src/domain/events/event.js';
import { CawinFrames } from '../../../src/grpc/cawins/cawin-frames.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';

const encoder = new WireEventEncoder();
const frames = new CawinFrames(encoder);

function entryOf(position: number): LogEntry {
  const made = { position, kind: EntryKind.OCCURRED, eventId: position, sequence: 0, messageId: '', createdAt: 1 };
  const bytes = Buffer.from('{"b":1,"__proto__":{"n":1},"10":2,"9":3}');
  return { ...BLANK_ENVELOPE, ...made, payload: { contentType: '', bytes } };
}

/** Whether the message has the event just as the encoder writes it. */
function has(message: Uint8Array, entry: LogEntry): boolean {
  return Buffer.from(message).includes(Buffer.from(encoder.encode(entry, 'json')));
}

describe('the answers about waits', () => {
  it('have the event of CheckOrWait as it is', () => {
    const answer = frames.checked(Cawin.fromPartial({ id: 7n }), entryOf(3), false);
    expect(has(answer, entryOf(3))).toBe(true);
    expect(CheckOrWaitResponse.decode(answer)).toMatchObject({
      cawin: { id: 7n },
      event: { position: 3n },
      outcome: Outcome.OUTCOME_FOUND,
    });
  });

  it('have the events of ExplainWait as they are', () => {
    const said = {
      matchingLeaves: 1,
      leaves: 2,
      shortened: true,
      difference: { path: '/a', expected: '1', actual: '2' },
    };
    const misses = [4, 5].map((position) => ({ entry: entryOf(position), said }));
    const answer = frames.explained(entryOf(3), misses, 9, 'json');
    expect([3, 4, 5].map((position) => has(answer, entryOf(position)))).toEqual([true, true, true]);
    const decoded = ExplainWaitResponse.decode(answer);
    expect(decoded.event).toEqual(Event.decode(encoder.encode(entryOf(3), 'json')));
    expect(decoded.nearMisses).toMatchObject([
      { ...said, event: { position: 4n } },
      { ...said, event: { position: 5n } },
    ]);
    expect(decoded.lookedAt).toBe(9);
  });
});
