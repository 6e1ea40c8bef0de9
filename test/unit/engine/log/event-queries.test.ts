import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../../src/domain/events/event.js';
import { EventQueries, type EventQueriesOptions } from '../../../../src/engine/log/event-queries.js';
import type { LogSource } from '../../../../src/engine/log/log-source.js';

/** A log in which nothing matches, and of which each read looks at so many positions. */
function emptyLog(visible: number, positionsARead: number): EventQueries {
  const source: Pick<LogSource, 'visible' | 'read'> = {
    visible,
    read: async (_selection, { after }) => ({ entries: [], scannedTo: Math.min(visible, after + positionsARead) }),
  };
  return new EventQueries({
    ephemeral: { kept: (entries: readonly LogEntry[]) => entries },
    source,
  } as unknown as EventQueriesOptions);
}

describe('the next event', () => {
  it('is not said to be missing before everything was looked at', async () => {
    const first = await emptyLog(1_000, 10).next({ context: 'default' }, 0);
    expect(first).toEqual({ entry: undefined, scannedTo: 500, caughtUp: false });
    const second = await emptyLog(1_000, 10).next({ context: 'default' }, first.scannedTo);
    expect(second).toEqual({ entry: undefined, scannedTo: 1_000, caughtUp: true });
  });

  it('is missing in a log that has ended', async () => {
    expect(await emptyLog(7, 10).next({ context: 'default' }, 7)).toMatchObject({ scannedTo: 7, caughtUp: true });
  });
});
