// What is shown of entries after erasures, against a model that says of each entry what covers it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Erasure, subjectDigest } from '../../src/domain/erasure/erasure.js';
import { BLANK_ENVELOPE } from '../../src/domain/events/envelope.js';
import { ENTRY_KINDS, EntryKind, type LogEntry } from '../../src/domain/events/event.js';
import { Erasures } from '../../src/engine/erasure/erasures.js';
import { WireEventEncoder } from '../../src/grpc/events/event-encoder.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../support/property.js';

const CONTEXTS = ['default', 'north'] as const;
const NAMES = ['ann', 'bob'] as const;
const time = fc.integer({ min: 1, max: 40 });

/** What the model knows of an entry: whom it is about, where it is, and when its event began. */
interface Known {
  readonly context: string;
  readonly topic: string;
  readonly stream: string;
  readonly subject: string | undefined;
  readonly kind: (typeof ENTRY_KINDS)[number];
  readonly began: number;
  readonly later: number;
}

const someEntry: fc.Arbitrary<Known> = fc.record({
  context: fc.constantFrom(...CONTEXTS),
  topic: fc.constantFrom('orders', 'orders', 'madeleine.audit'),
  stream: fc.constantFrom('', ...NAMES),
  subject: fc.constantFrom(undefined, ...NAMES),
  kind: fc.constantFrom(...ENTRY_KINDS),
  began: time,
  later: fc.integer({ min: 0, max: 20 }),
});
const someErasure = fc.record({
  context: fc.constantFrom(...CONTEXTS, 'all'),
  name: fc.constantFrom(...NAMES),
  isStream: fc.boolean(),
  at: time,
});

const SECRET = 'the secret';

function entryOf({ context, topic, stream, subject, kind, began, later }: Known): LogEntry {
  const said = { tag: SECRET, entityType: SECRET, organization: SECRET, unit: SECRET };
  const occurred = kind === EntryKind.OCCURRED;
  return {
    ...{ ...BLANK_ENVELOPE, ...said, context, topic, stream, issuer: 'shop' },
    ...{
      position: began + later,
      kind,
      eventId: 7,
      sequence: 3,
      messageId: '',
      createdAt: occurred ? began : began + later,
    },
    payload: occurred ? { contentType: '', bytes: Buffer.from(JSON.stringify(SECRET)) } : undefined,
    rest: {
      ...{ properties: { [SECRET]: SECRET }, description: JSON.stringify({ a: SECRET }), reason: SECRET },
      ...(subject === undefined ? {} : { dataSubject: subject }),
      ...(kind === EntryKind.INVALIDATED ? { occurredAt: began } : {}),
      ...(kind === EntryKind.EXPIRED ? { awaitedAt: began } : {}),
    },
  };
}

describe('erasures', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it('cover what began before them, of their subject or stream, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(someEntry), fc.array(someErasure, { maxLength: 8 }), (entries, given) => {
        const erasures = new Erasures();
        const isOfStream = (erasure: (typeof given)[number]) => erasure.isStream && erasure.context !== 'all';
        const all = given.map((erasure, index): Erasure => {
          const { context, name, at } = erasure;
          const target = isOfStream(erasure)
            ? ({ kind: 'stream', context, stream: name } as const)
            : ({ kind: 'subject', context, digest: subjectDigest(name) } as const);
          return { target, position: 100 + index, decidedAt: at };
        });
        erasures.add(all);
        // Told again, as after a lost connection.
        erasures.add(all);
        const encoder = new WireEventEncoder(erasures);
        for (const known of entries) {
          const { context, topic, stream, subject, kind, began, later } = known;
          const isOurs = topic !== 'orders' || kind === EntryKind.TRANSFERRED;
          const since = kind === EntryKind.TRANSFERRED ? began + later : began;
          const covering = given
            .filter((erasure) => !isOurs && since < erasure.at)
            .filter((erasure) => erasure.context === 'all' || erasure.context === context)
            .filter((erasure) => (isOfStream(erasure) ? stream : subject) === erasure.name);
          const entry = entryOf(known);
          const shown = erasures.shown(entry);
          const text = Buffer.from(encoder.encode(entry, 'json')).toString('latin1');
          if (covering.length === 0) {
            expect(shown).toBe(entry);
            continue;
          }
          expect(shown.rest?.erasedAt).toBe(Math.min(...covering.map(({ at }) => at)));
          expect(text).not.toContain(SECRET);
          if (subject !== undefined) expect(text.includes(subject)).toBe(stream === subject);
          const { position, eventId, sequence, issuer, createdAt } = entry;
          expect(shown).toMatchObject({ position, eventId, sequence, issuer, createdAt, kind, context, topic, stream });
          // What is stored is shown as it is.
          expect(erasures.shown(shown)).toBe(shown);
        }
      }),
      propertyParameters(500),
    );
  });
});
