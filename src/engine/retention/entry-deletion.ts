// Deletes entries of a topic that are due, but for those that stay alone for somebody. Whoever found them says which they are.

import { EntryKind } from '../../domain/events/event.js';
import type { DueTimes } from '../../domain/retention/retention-policy.js';
import type { StreamCount } from '../../domain/retention/stream-limits.js';
import {
  type Deleted,
  type Deletions,
  type DueEntry,
  KeepReason,
  type KeptEntry,
  type RetentionHold,
  type RetentionStore,
  type RetentionTopic,
} from '../../storage/ports/retention-storage.js';
import type { Micros, Position } from '../../units.js';

/** How long one notice to look pushes up is enough. */
const EXPECT_EVERY: Micros = 600_000_000;

/** Entries to delete, and what is known of the moment. */
export interface Deletion {
  /** Ascending. */
  readonly due: readonly DueEntry[];
  /** See Batch. */
  readonly lookedTo: Position | undefined;
  readonly counted?: ReadonlyMap<number, StreamCount>;
  readonly moves: number | undefined;
  readonly times: Pick<DueTimes, 'parkedSince' | 'repeatable'>;
  readonly now: Micros;
}

export interface EntryDeletionOptions {
  readonly store: RetentionStore;
  /** Whoever deletes; undefined: the store, and nothing is archived. */
  readonly deletions?: Deletions;
}

type Kept = DueEntry & KeptEntry;

/** What entries that went come to. */
export function goneOf(entries: readonly { readonly bytes: number }[]): { goneEntries: number; goneBytes: number } {
  return { goneEntries: entries.length, goneBytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) };
}

export class EntryDeletion {
  readonly #store: RetentionStore;
  readonly #deletions: Deletions | undefined;
  #repeatsExpectedAt: Micros = 0;

  constructor({ store, deletions }: EntryDeletionOptions) {
    this.#store = store;
    this.#deletions = deletions;
  }

  /** Forgets what was noted: another instance may have deleted since. */
  forget(): void {
    this.#repeatsExpectedAt = 0;
  }

  /** Whether nothing of the topic can be deleted at present, as its entries cannot be archived. */
  async isHeld(topicId: number): Promise<boolean> {
    return (await this.#deletions?.isHeld(topicId)) ?? false;
  }

  /** Deletes what does not stay for somebody; returns that. */
  async delete(
    hold: RetentionHold,
    { topicId, policy: { isEphemeral = false } }: RetentionTopic,
    { due, lookedTo, counted, times, moves, now }: Deletion,
  ): Promise<readonly DueEntry[] | Exclude<Deleted, 'deleted'>> {
    const keeps = await this.#keeps(hold, due, times.parkedSince);
    const stays = new Set(keeps.map(({ position }) => position));
    const entries = due.filter(({ position }) => !stays.has(position));
    if (entries.some(({ createdAt }) => createdAt > times.repeatable)) await this.#expectRepeats(now);
    const batch = { topicId, entries, keeps, lookedTo, counted, moves, ledgerAfter: times.repeatable, isEphemeral };
    const deleted = await (this.#deletions ?? this.#store).delete(hold, batch);
    return deleted === 'deleted' ? entries : deleted;
  }

  async #keeps(hold: RetentionHold, due: readonly DueEntry[], parkedSince: Micros): Promise<readonly Kept[]> {
    const parkedAt = await this.#store.parked(due);
    const isParked = ({ position }: DueEntry) => (parkedAt.get(position) ?? 0) > parkedSince;
    const others = due.filter((entry) => !isParked(entry));
    const called = await this.#store.endCallbacks(hold, others);
    const reasons = new Map<Position, KeepReason>(called.map(({ position, reason }) => [position, reason]));
    for (const { position } of due.filter(isParked)) reasons.set(position, KeepReason.PARKED);
    for (const { position } of await this.#withdrawals(due, reasons)) reasons.set(position, KeepReason.WITHDRAWAL);
    return due.flatMap((entry) => {
      const reason = reasons.get(entry.position);
      return reason === undefined ? [] : [{ ...entry, reason }];
    });
  }

  /** Finds withdrawals of events that stay: without it an event would be as if it had never been withdrawn. */
  async #withdrawals(due: readonly DueEntry[], stays: ReadonlyMap<Position, KeepReason>): Promise<readonly DueEntry[]> {
    const withdrawals = due.filter(({ kind, position }) => kind === EntryKind.INVALIDATED && !stays.has(position));
    if (withdrawals.length === 0) return [];
    const stored = await this.#store.storedEvents(withdrawals.map(({ eventId }) => eventId));
    const goes = new Set(
      due.filter(({ kind, position }) => kind === EntryKind.OCCURRED && !stays.has(position)).map((one) => one.eventId),
    );
    return withdrawals.filter(({ eventId }) => stored.has(eventId) && !goes.has(eventId));
  }

  /** Before entries go that are younger than a day: whoever pushes one of them again has to be recognized. */
  async #expectRepeats(now: Micros): Promise<void> {
    if (now - this.#repeatsExpectedAt < EXPECT_EVERY) return;
    await this.#store.expectRepeats();
    this.#repeatsExpectedAt = now;
  }
}
