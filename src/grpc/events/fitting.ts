// Answers with many events, below what clients take: what is too long for one is cut, and said to be.

import { EntryKind, type LogEntry } from '../../domain/events/event.js';
import { bareView, withoutPayload } from '../../domain/events/event-views.js';
import { MAX_MESSAGE_BYTES } from '../wire/pages.js';

/** What an event has around it in an answer, such as its outcome, at most. */
const AROUND_BYTES = 24;

export interface FittedEntry {
  readonly entry: LogEntry;
  readonly isShortened: boolean;
}

/**
 * The entries as they fit into one answer, in order: whole for as long as there is room for all that follow, then without their
 * payloads, then bare. `bytesOf`: the encoded size of an entry.
 */
export function fitting(
  entries: readonly LogEntry[],
  bytesOf: (entry: LogEntry, index: number) => number,
): readonly FittedEntry[] {
  const sizeOf = (entry: LogEntry, index: number) => bytesOf(entry, index) + AROUND_BYTES;
  if (sum(entries.map(sizeOf)) <= MAX_MESSAGE_BYTES) return entries.map(asItIs);
  const bare = entries.map(bareView);
  let room = MAX_MESSAGE_BYTES - sum(bare.map(sizeOf));
  return entries.map((entry, index) => {
    const least = shortened(bare[index] as LogEntry);
    room += sizeOf(least.entry, index);
    const views = [asItIs(entry), shortened(withoutPayload(entry))];
    const chosen = views.find((view) => sizeOf(view.entry, index) <= room) ?? least;
    room -= sizeOf(chosen.entry, index);
    return chosen;
  });
}

/** An event that has occurred has a payload: where it has none here, the engine has cut it. */
function asItIs(entry: LogEntry): FittedEntry {
  return { entry, isShortened: entry.kind === EntryKind.OCCURRED && entry.payload === undefined };
}

function shortened(entry: LogEntry): FittedEntry {
  return { entry, isShortened: true };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
