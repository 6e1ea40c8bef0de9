// The answer to a batch of which every event is refused: it fits into what clients take, whatever the errors are of.

import { describe, expect, it } from 'vitest';
import { EventError, PushEventStreamResponse } from '../../../generated/madeleine/v1/event_service.js';
import { type ErrorReason, MadeleineError, type MadeleineErrorDetails } from '../../../src/domain/errors.js';
import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { EventFrames } from '../../../src/grpc/events/event-frames.js';
import { MAX_BATCH_EVENTS } from '../../../src/grpc/events/push-decoder.js';
import { toRichError } from '../../../src/grpc/server/errors.js';

const CLIENT_BYTES = 4 * 1024 * 1024;
const LONG = 'é'.repeat(1_000);

const frames = new EventFrames(new WireEventEncoder());

/** The answer where every event of a batch is refused so. */
function answerTo(reason: ErrorReason, details: MadeleineErrorDetails): Uint8Array {
  const error = new MadeleineError(reason, LONG, details);
  return frames.batch(
    2n ** 64n - 1n,
    Array.from({ length: MAX_BATCH_EVENTS }, () => ({ kind: 'refused', error, fault: 0 })),
    () => false,
  );
}

function firstError(answer: Uint8Array): EventError {
  const result = PushEventStreamResponse.decode(answer).results[0]?.result;
  return result?.$case === 'error' ? result.value : EventError.fromPartial({});
}

const entries = (count: number, value: string) => {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`shape_${n + 1}`, value]));
};
const violations = (count: number, text: string) => {
  return Array.from({ length: count }, () => ({ field: text, description: text }));
};
const shapes = { context: LONG, topic: LONG, shapes: '16', ...entries(16, LONG) };

describe('a thousand errors', () => {
  it.each<[string, MadeleineErrorDetails]>([
    ['long shapes', { metadata: shapes, violations: violations(1, 'other paths than all of them') }],
    ['long metadata and a long violation', { metadata: shapes, violations: violations(1, LONG) }],
    ['long metadata and many violations', { metadata: entries(9, LONG), violations: violations(66, LONG) }],
    ['many violations', { violations: violations(300, 'field') }],
    ['much metadata', { metadata: entries(1_000, '') }],
  ])('of %s are one answer that clients take', (_what, details) => {
    const answer = answerTo('TOO_MANY_SHAPES', details);
    expect(answer.byteLength).toBeLessThan(CLIENT_BYTES);
  });

  it('are told though they have half of a surrogate pair, of which no header can be made', () => {
    const text = 'has "\ud83d" in it';
    const error = new MadeleineError('FIELD_INVALID', text, { violations: violations(1, text), metadata: { a: text } });
    const { message, details } = toRichError(error);
    expect(message).toContain('has "\ufffd" in it');
    expect(JSON.stringify(details)).not.toContain('ud83d');
  });

  it('keep their first facts and a violation', () => {
    const error = firstError(answerTo('TOO_MANY_SHAPES', { metadata: shapes, violations: violations(2, LONG) }));
    expect(Object.keys(error.metadata).slice(0, 5)).toEqual(['context', 'topic', 'shapes', 'shape_1', 'shape_2']);
    expect(error.violations).toHaveLength(1);
  });
});
