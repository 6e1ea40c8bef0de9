// One call that was made for a cawin, as it is kept and shown. No member holds a secret or a header's value.

import type { Micros } from '../../units.js';
import type { EndKind } from './cawin.js';

export interface AttemptRecord {
  readonly kind: EndKind;
  /** The attempt's number, from 1. One is missing where a server died in the middle of its call. */
  readonly number: number;
  readonly startedAt: Micros;
  readonly outcome: 'delivered' | 'failed' | 'rejected';
  readonly reason: string;
  readonly status: string;
  readonly statusCode: number;
  readonly latencyMicros: Micros;
  /** The beginning of the answer, at most 1 KiB of UTF-8. */
  readonly firstBytes: string;
  /** Empty: nothing to add. */
  readonly error: string;
}
