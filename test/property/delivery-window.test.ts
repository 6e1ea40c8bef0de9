// The delivery window against a naive model, over random members, answers, failures, seeks, restored places, pauses and restarts.

import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Ordering } from '../../src/domain/consumers/consumer.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';
import { DeliveryHarness, OPERATIONS, type Operation, type Scenario } from './delivery-harness.js';

/** How often each operation comes up; what is not named: once. */
const WEIGHTS: Partial<Record<Operation['kind'], number>> = {
  addMember: 2,
  removeMember: 2,
  scan: 8,
  redeliver: 8,
  reread: 4,
  rereadLate: 4,
  ack: 6,
  reject: 5,
  extend: 2,
  tick: 4,
  save: 2,
  restart: 2,
  resume: 3,
};

const operation: fc.Arbitrary<Operation> = fc.record({
  kind: fc.oneof(...OPERATIONS.map((kind) => ({ weight: WEIGHTS[kind] ?? 1, arbitrary: fc.constant(kind) }))),
  a: fc.nat(1_000_000),
  b: fc.nat(1_000_000),
  c: fc.nat(1_000_000),
});

const events = fc
  .array(
    fc.record({
      gap: fc.constantFrom(1, 1, 1, 2, 5),
      stream: fc.constantFrom('red', 'red', 'blue', 'green', null),
      bytes: fc.constantFrom(50, 100, 200, 400),
    }),
    { minLength: 1, maxLength: 40 },
  )
  .map((drafts) => {
    let position = 0;
    return drafts.map(({ gap, stream, bytes }) => {
      position += gap;
      return { position, stream, bytes };
    });
  });

const scenario: fc.Arbitrary<Scenario> = fc.record({
  settings: fc.record({
    ordering: fc.constantFrom(Ordering.BY_STREAM, Ordering.BY_STREAM, Ordering.NONE),
    ackTimeoutMs: fc.constant(1_000),
    maxAttempts: fc.constantFrom(2, 3, 10),
    retryBackoff: fc.constantFrom({ initialMs: 200, maxMs: 1_500, jitter: 0 }, { initialMs: 0, maxMs: 0, jitter: 0 }),
  }),
  limits: fc.constantFrom({}, { maxParked: 2 }, { maxParked: 0 }, { maxAckedRanges: 3, maxAckedAhead: 6 }),
  events,
});

describe('delivery window', () => {
  it('does what the rules say, and delivers everything in the end', { timeout: PROPERTY_TIMEOUT_MS }, () => {
    const runs = fc.property(
      scenario,
      fc.array(operation, { minLength: 1, maxLength: 150, size: 'max' }),
      fc.nat(1_000),
      (chosen, operations, end) => {
        const harness = new DeliveryHarness(chosen);
        // Members first, else most cases begin with nothing.
        harness.run({ kind: 'addMember', a: 0, b: end, c: 0 });
        harness.run({ kind: 'addMember', a: 1, b: end >> 3, c: 0 });
        for (const step of operations) harness.run(step);
        harness.drain(end);
      },
    );
    fc.assert(runs, propertyParameters(400));
  });
});
