// The tail against a list: whatever the order in which groups of this instance and of others become known, what is visible grows
// without holes, and memory holds what is stored.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE } from '../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../src/domain/events/event.js';
import type { LogTail } from '../../src/engine/log/log-tail.js';
import { newTail } from '../support/events/log-tail.js';
import { propertyParameters } from '../support/property.js';

type Step =
  | { readonly kind: 'commit'; readonly own: boolean; readonly size: number }
  | { readonly kind: 'publish'; readonly which: number }
  | { readonly kind: 'reach'; readonly which: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('commit' as const), own: fc.boolean(), size: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('publish' as const), which: fc.nat(3) }),
    fc.record({ kind: fc.constant('reach' as const), which: fc.nat(20) }),
  ),
  { maxLength: 60 },
);

/** What is stored, and a tail over it that has not begun to poll. */
class Place {
  readonly stored: LogEntry[] = [];
  readonly unpublished: (readonly LogEntry[])[] = [];
  readonly tail: LogTail;

  constructor() {
    const readPage = async (_: unknown, { after, upTo, limit }: { after: number; upTo: number; limit: number }) => {
      const entries = this.stored.filter(({ position }) => position > after && position <= upTo).slice(0, limit);
      return { entries, scannedTo: entries.length === limit ? (entries.at(-1)?.position ?? upTo) : upTo };
    };
    this.tail = newTail({ readPage }, { maxBytes: Number.POSITIVE_INFINITY });
  }

  commit({ own, size }: { own: boolean; size: number }): void {
    const first = this.stored.length + 1;
    const group = Array.from({ length: size }, (_, n) => entryAt(first + n));
    this.stored.push(...group);
    if (own) this.unpublished.push(group);
  }
}

function entryAt(position: number): LogEntry {
  return { ...BLANK_ENVELOPE, position, eventId: position, kind: EntryKind.OCCURRED } as LogEntry;
}

describe('the tail of the log', () => {
  it('shows without holes what was published, reached and read, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const place = new Place();
        const { tail, stored, unpublished } = place;
        const published = new Set<number>();
        for (const step of sequence) {
          const before = tail.visible;
          if (step.kind === 'commit') place.commit(step);
          if (step.kind === 'reach' && stored.length > 0) await tail.reach((step.which % stored.length) + 1);
          const [group] = step.kind === 'publish' ? unpublished.splice(step.which % (unpublished.length || 1), 1) : [];
          if (group !== undefined) {
            tail.publish(group);
            for (const { position } of group) published.add(position);
          }
          // What has everything below it visible does not wait for anything else.
          expect(published.has(tail.visible + 1)).toBe(false);
          expect(tail.visible).toBeGreaterThanOrEqual(before);
          expect(tail.after(0, 1_000)).toEqual(stored.slice(0, tail.visible));
        }
        await tail.reach(stored.length);
        expect(tail.visible).toBe(stored.length);
        expect(tail.after(0, 1_000)).toEqual(stored);
      }),
      propertyParameters(200),
    );
  });
});
