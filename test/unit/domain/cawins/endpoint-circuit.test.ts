import { describe, expect, it } from 'vitest';
import {
  afterAttempt,
  type Circuit,
  CircuitState,
  CLOSED_CIRCUIT,
  callsAtOnce,
  FAILURES_TO_OPEN,
  FAILURES_TO_TELL,
  turnOf,
} from '../../../../src/domain/cawins/endpoint-circuit.js';

const half = () => 0.5;
const SECOND = 1_000_000;

function fail(circuit: Circuit, times: number, isProbe = false, now = 0): Circuit {
  let after = circuit;
  for (let n = 0; n < times; n += 1) after = afterAttempt(after, { health: 'fails', isProbe }, now, half);
  return after;
}

describe('the circuit of an endpoint', () => {
  const open = fail(CLOSED_CIRCUIT, FAILURES_TO_OPEN);

  it('opens after ten failures in a row, for five seconds', () => {
    expect(fail(CLOSED_CIRCUIT, FAILURES_TO_OPEN - 1).state).toBe(CircuitState.CLOSED);
    expect(open).toEqual({ state: CircuitState.OPEN, failures: FAILURES_TO_OPEN, nextProbeAt: 5 * SECOND });
  });

  it('begins to count anew after any answer', () => {
    const answered = afterAttempt(fail(CLOSED_CIRCUIT, 9), { health: 'answers', isProbe: false }, 0, half);
    expect(fail(answered, 9).state).toBe(CircuitState.CLOSED);
  });

  it('stays as it is after attempts that say nothing, and late failures of before', () => {
    expect(afterAttempt(open, { health: 'nothing', isProbe: true }, 0, half)).toBe(open);
    expect(fail(open, 5)).toBe(open);
  });

  it('is open twice as long after each probe that fails, five minutes at most', () => {
    expect(fail(open, 1, true, 100 * SECOND).nextProbeAt).toBe(110 * SECOND);
    expect(fail(open, 2, true).nextProbeAt).toBe(20 * SECOND);
    expect(fail(open, 50, true).nextProbeAt).toBe(300 * SECOND);
  });

  it('closes when a call is answered, the probe or another', () => {
    for (const isProbe of [true, false]) {
      expect(afterAttempt(open, { health: 'answers', isProbe }, 0, half)).toEqual(CLOSED_CIRCUIT);
    }
  });

  it('is told of once on its way to open, when it opens, and when it answers again', () => {
    const told: unknown[] = [];
    let circuit = CLOSED_CIRCUIT;
    const outcomes = [...'ffffffffffffpp', 'a', 'f', 'a', ...'fffff', 'a', 'a'];
    for (const outcome of outcomes) {
      const health = outcome === 'a' ? 'answers' : 'fails';
      const after = afterAttempt(circuit, { health, isProbe: outcome === 'p' }, 0, half);
      const turn = turnOf(circuit, after);
      if (turn !== undefined) told.push([turn, after.failures]);
      circuit = after;
    }
    expect(told).toEqual([
      ['failing', FAILURES_TO_TELL],
      ['open', FAILURES_TO_OPEN],
      ['closed', 0],
      ['failing', FAILURES_TO_TELL],
      ['closed', 0],
    ]);
  });

  it('takes fewer calls at once with each failure, and one while it is open', () => {
    const calls = [0, 1, 2, 5, 9].map((failures) => callsAtOnce({ state: CircuitState.CLOSED, failures }, 32));
    expect(calls).toEqual([32, 16, 8, 1, 1]);
    expect(callsAtOnce(open, 32)).toBe(1);
  });
});
