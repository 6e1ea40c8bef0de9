// The erasures that this instance keeps to. Whatever was read before one of them, and is still in memory, is shown without its content
// from here on: every way out asks `shown` last.

import { erasedEntry } from '../../domain/erasure/erased-entry.js';
import {
  bornAt,
  type CoveredEntry,
  type Erasure,
  isErasable,
  isWithin,
  subjectDigest,
} from '../../domain/erasure/erasure.js';
import type { LogEntry } from '../../domain/events/event.js';
import { scopedKey } from '../../domain/names.js';
import type { Micros } from '../../units.js';

/** Targets that are remembered, newest first: what was read before so many others is not in memory any more. */
const MAX_TARGETS = 10_000;

/** What is shown of entries. */
export interface Shown {
  /** The entry as it may be shown: without its content, if an erasure covers it. */
  shown(entry: LogEntry): LogEntry;
}

/** Where nothing is ever erased. */
export const NO_ERASURES: Shown = { shown: (entry) => entry };

export class Erasures implements Shown {
  /** Erasures of subjects by their digests. */
  readonly #subjects = new Map<string, readonly Erasure[]>();
  /** Erasures of streams by context and name. */
  readonly #streams = new Map<string, readonly Erasure[]>();

  get isEmpty(): boolean {
    return this.#subjects.size === 0 && this.#streams.size === 0;
  }

  add(erasures: readonly Erasure[]): void {
    for (const erasure of erasures) {
      const { target } = erasure;
      if (target.kind === 'subject') remember(this.#subjects, target.digest, erasure);
      else remember(this.#streams, scopedKey(target.context, target.stream), erasure);
    }
  }

  /** See Shown.shown. Runs for every event that is encoded. */
  shown(entry: LogEntry): LogEntry {
    if (this.isEmpty) return entry;
    const erasedAt = this.#erasedAt(entry);
    return erasedAt === undefined ? entry : erasedEntry(entry, erasedAt);
  }

  #erasedAt(entry: CoveredEntry): Micros | undefined {
    const { rest, context, stream } = entry;
    if (rest?.erasedAt !== undefined) return undefined;
    const subject = rest?.dataSubject;
    const ofSubject =
      subject === undefined || this.#subjects.size === 0 ? undefined : this.#subjects.get(subjectDigest(subject));
    const ofStream = stream === '' ? undefined : this.#streams.get(scopedKey(context, stream));
    if (ofSubject === undefined && ofStream === undefined) return undefined;
    return firstCovering([...(ofSubject ?? []), ...(ofStream ?? [])], entry);
  }
}

/** When the first of the erasures that cover the entry was decided. */
function firstCovering(erasures: readonly Erasure[], entry: CoveredEntry): Micros | undefined {
  if (!isErasable(entry)) return undefined;
  const at = bornAt(entry);
  const covering = erasures.filter(({ target, decidedAt }) => at < decidedAt && isWithin(target, entry.context));
  return covering.length === 0 ? undefined : Math.min(...covering.map(({ decidedAt }) => decidedAt));
}

function remember(known: Map<string, readonly Erasure[]>, key: string, erasure: Erasure): void {
  const former = known.get(key) ?? [];
  if (former.some(({ position }) => position === erasure.position)) return;
  known.delete(key);
  known.set(key, [...former, erasure]);
  const [oldest] = known.keys();
  if (known.size > MAX_TARGETS && oldest !== undefined) known.delete(oldest);
}
