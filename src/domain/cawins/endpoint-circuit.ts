// The circuit of an endpoint: whether its callbacks go out, or are held until a probe gets through. Pure.
//
// An endpoint is a host, which fails where nothing answers. A URL whose answers fail, ten in a row, gets an endpoint of its own, so
// that its callbacks are held and its neighbours' are not; of that one every failure counts.
//
// | state  | entered when                                   | left when                                                   |
// |--------|------------------------------------------------|-------------------------------------------------------------|
// | CLOSED | at first; any call was answered                | FAILURES_TO_OPEN calls in a row failed: OPEN                 |
// | OPEN   | see CLOSED; a probe failed: for twice as long  | any call, the probe or one still under way, answered: CLOSED |
//
// Half-open is no state of its own: when `nextProbeAt` has come, one firing may be claimed, and the claim moves it on.
// Ignored: outcomes that say nothing about the endpoint (cancelled, a fault of ours, an address that is not allowed).

import type { Micros } from '../../units.js';
import { type Backoff, backoffMs, JITTER } from '../backoff.js';

export const CircuitState = { CLOSED: 1, OPEN: 2 } as const;
export type CircuitState = (typeof CircuitState)[keyof typeof CircuitState];

export interface Circuit {
  readonly state: CircuitState;
  /** Failures in a row, without an answer between them. */
  readonly failures: number;
  /** When OPEN: no call before. */
  readonly nextProbeAt: Micros;
}

export const CLOSED_CIRCUIT: Circuit = { state: CircuitState.CLOSED, failures: 0, nextProbeAt: 0 };

/** What an attempt says about the health of its endpoint. */
export type EndpointHealth = 'answers' | 'fails' | 'nothing';

/** What an attempt says of the host and the URL together; `refuses`: something answers, but will not take the call now. */
export type AttemptHealth = EndpointHealth | 'refuses';

/** What an endpoint is: a host, or one URL on it. */
export type EndpointScope = 'host' | 'url';

/** What an attempt says of the host, or of the URL. */
export function healthOf(scope: EndpointScope, health: AttemptHealth): EndpointHealth {
  if (health !== 'refuses') return health;
  return scope === 'host' ? 'answers' : 'fails';
}

export const FAILURES_TO_OPEN = 10;
/** Failures at which people are told, on the way to it. */
export const FAILURES_TO_TELL = 5;
/** The pauses between probes. */
const PAUSES: Backoff = { baseMs: 5_000, capMs: 300_000, jitter: JITTER.withinQuarter };

/** One attempt, as the circuit sees it. */
export interface CircuitNews {
  readonly health: EndpointHealth;
  /** Whether the call was made although the circuit was open. */
  readonly isProbe: boolean;
}

/** The circuit after one more attempt. `random` gives numbers in [0, 1): probes of many endpoints are spread. */
export function afterAttempt(
  circuit: Circuit,
  { health, isProbe }: CircuitNews,
  now: Micros,
  random: () => number,
): Circuit {
  if (health === 'nothing') return circuit;
  if (health === 'answers') return CLOSED_CIRCUIT;
  const failures = circuit.failures + 1;
  if (failures < FAILURES_TO_OPEN) return { ...circuit, failures };
  // Calls that were under way when it opened say nothing new.
  if (circuit.state === CircuitState.OPEN && !isProbe) return circuit;
  const pauseMs = backoffMs(PAUSES, failures - FAILURES_TO_OPEN + 1, random);
  return { state: CircuitState.OPEN, failures, nextProbeAt: now + pauseMs * 1_000 };
}

/** What people are told of an endpoint: `failing` on the way to `open`; `closed` after either. */
export type CircuitTurn = 'failing' | 'open' | 'closed';

/** What there is to tell of a change; undefined: nothing. */
export function turnOf(before: Circuit, after: Circuit): CircuitTurn | undefined {
  const stageOf = ({ state, failures }: Circuit) =>
    state === CircuitState.OPEN ? 'open' : failures >= FAILURES_TO_TELL ? 'failing' : 'closed';
  const stage = stageOf(after);
  return stage === stageOf(before) ? undefined : stage;
}

/** Calls that one instance makes to an endpoint at a time: fewer with each failure in a row, one when it is probed. */
export function callsAtOnce(circuit: Pick<Circuit, 'state' | 'failures'>, most: number): number {
  if (circuit.state === CircuitState.OPEN) return 1;
  return Math.max(1, most >> Math.min(circuit.failures, 10));
}
