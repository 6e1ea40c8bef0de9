// Positions that clients name. Another instance may have told one a moment before this instance shows it, so a position above
// the head is waited for a little before it is refused: whoever reads on behind a balancer meets no refusal. It is refused by what
// the database says then: while that is away, nobody knows where the head is.

import { fieldError, storageUnavailable } from '../../domain/errors.js';
import type { Millis, Position } from '../../units.js';
import type { LogSource } from './log-source.js';
import { waitForMore } from './log-wait.js';

/** How long a position above the head is waited for. */
const PATIENCE_MS: Millis = 500;

type GrowingLog = Pick<LogSource, 'clock' | 'visible' | 'storedHead' | 'waitBeyond'>;

export interface NamedPosition {
  /** The field that names it. */
  readonly field: string;
  readonly position: bigint | Position;
}

/**
 * Returns the position once this instance shows it. If that takes more than 500 ms it rejects: with POSITION_BEYOND_HEAD where no such
 * position is stored, and with STORAGE_UNAVAILABLE where one is, or the database does not answer.
 */
export async function namedPosition(
  source: GrowingLog,
  { field, position }: NamedPosition,
  signal?: AbortSignal,
): Promise<Position> {
  const named = Number(position);
  if (await isShown(source, named, signal)) return named;
  const isLost = signal?.aborted === true || !Number.isSafeInteger(named);
  const stored = isLost ? source.visible : await source.storedHead();
  if (named <= stored) throw storageUnavailable(`what is stored up to ${stored} cannot be shown yet`);
  const head = String(stored);
  throw fieldError('POSITION_BEYOND_HEAD', field, `is above the head, ${head}`, { metadata: { head } });
}

/** Whether this instance shows the position, now or within 500 ms. */
export async function isShown(source: GrowingLog, position: Position, signal?: AbortSignal): Promise<boolean> {
  if (position <= source.visible) return true;
  // No log is so long.
  if (!Number.isSafeInteger(position)) return false;
  await waitForMore(source, position - 1, { signal, timeoutMs: PATIENCE_MS });
  return position <= source.visible;
}
