// What this instance stored above what another one did: shown once that is read, and nobody waits for it where it cannot be read.

import { expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { newTail } from '../../../support/events/log-tail.js';

function entryAt(position: number): LogEntry {
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...BLANK_ENVELOPE, messageId: '', ...own };
}

it('is shown with what lies below it', async () => {
  const entries = [1, 2, 3].map(entryAt);
  const tail = newTail({ readPage: async (_, { upTo }) => ({ entries, scannedTo: upTo }) });
  expect(tail.isShown).toBe(true);
  tail.publish([entryAt(3)]);
  expect(tail.isShown).toBe(false);
  await tail.shown();
  expect([tail.isShown, tail.visible]).toEqual([true, 3]);
  expect(tail.after(0, 10)?.map(({ position }) => position)).toEqual([1, 2, 3]);
});

it('is not waited for while the database does not answer', async () => {
  const tail = newTail({ readPage: () => Promise.reject(new Error('away')) });
  tail.publish([entryAt(3)]);
  await tail.shown();
  expect([tail.isShown, tail.visible]).toEqual([false, 0]);
});

it('is waited for no longer than half a second', async () => {
  const tail = newTail({ readPage: () => new Promise(() => {}) });
  tail.publish([entryAt(3)]);
  await tail.shown();
  expect(tail.isShown).toBe(false);
});
