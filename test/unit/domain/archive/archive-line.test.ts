import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Event } from '../../../../generated/madeleine/v1/event.js';
import { eventJson } from '../../../../src/cli/text/event-json.js';
import { archiveLine } from '../../../../src/domain/archive/archive-line.js';
import { microsOf } from '../../../../src/domain/archive/archive-time.js';
import { readArchiveLine } from '../../../../src/domain/archive/read-line.js';
import { erasedEntry, withPayloadSha256 } from '../../../../src/domain/erasure/erased-entry.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { microsText } from '../../../../src/domain/instant-text.js';
import { WireEventEncoder } from '../../../../src/grpc/events/event-encoder.js';
import { AT, FULL_ENTRY, smallEntry } from '../../../support/archive/full-entry.js';
import { Descriptors } from '../../../support/contract/descriptors.js';
import { propertyParameters } from '../../../support/property.js';

/** What the command line prints of the entry with --json. */
function printed(entry: LogEntry): string {
  return eventJson(Event.decode(new WireEventEncoder().encode(withPayloadSha256({ ...entry }), 'bytes')));
}

const back = (entry: LogEntry) => readArchiveLine(archiveLine(entry).subarray(0, -1));

const INVALIDATED = smallEntry({
  ...{ kind: EntryKind.INVALIDATED, payload: undefined },
  rest: { reason: 'a mistake', occurredAt: AT - 5 },
});
const ENTRIES = {
  'an event with every field': FULL_ENTRY,
  'an event with next to none': smallEntry(),
  'an invalidation': INVALIDATED,
  'an expiry': smallEntry({ kind: EntryKind.EXPIRED, payload: undefined, rest: { expiresAt: AT } }),
  'an event without content': erasedEntry(FULL_ENTRY, AT + 9),
  'bytes that are no JSON': smallEntry({ payload: { contentType: 'text/plain', bytes: Buffer.from([0, 255, 10]) } }),
};

describe('a line of an archive', () => {
  for (const [what, entry] of Object.entries(ENTRIES)) {
    it(`says of ${what} what the command line prints`, () => {
      expect(JSON.parse(archiveLine(entry).toString())).toEqual(JSON.parse(printed(entry)));
    });
  }

  it('has every field of the contract', () => {
    const told = new Set(
      Object.values(ENTRIES).flatMap((entry) => Object.keys(JSON.parse(archiveLine(entry).toString()))),
    );
    const fields = new Descriptors().fields('madeleine.v1.Event').map(({ name }) => name);
    const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    expect([...told].sort()).toEqual(fields.map(camel).sort());
  });

  it('is one line, with the bytes of the payload as they were stored', () => {
    const text = fc.oneof(
      fc.json().map((json) => Buffer.from(json)),
      fc.json().map((json) => Buffer.from(`\r\n ${json} \n`)),
      fc.constant(Buffer.from('{"payload":{"json":"}}"},"a":[1,2.50,1e0]}')),
    );
    const payload = fc.oneof(
      fc.record({ contentType: fc.constantFrom('', 'application/json', 'application/x+json'), bytes: text }),
      fc.record({
        contentType: fc.string().map((type) => `text/${type}`),
        bytes: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      }),
    );
    fc.assert(
      fc.property(payload, fc.dictionary(fc.string(), fc.string()), (given, properties) => {
        const entry = { ...FULL_ENTRY, payload: given, rest: { ...FULL_ENTRY.rest, properties } };
        const line = archiveLine(entry);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const read = back(entry);
        expect(read.payload?.contentType).toBe(given.contentType);
        expect(Buffer.from(read.payload?.bytes ?? []).equals(given.bytes)).toBe(true);
        expect(read.payloadSha256).toEqual(createHash('sha256').update(given.bytes).digest());
        expect(read).toMatchObject({ position: entry.position, eventId: entry.eventId, topic: entry.topic });
        if (read.payload !== undefined) JSON.parse(line.toString());
      }),
      propertyParameters(200),
    );
  });

  it('is refused where it is cut or none of ours', () => {
    const line = archiveLine(FULL_ENTRY);
    for (let end = 0; end < line.length - 1; end += 7) expect(() => readArchiveLine(line.subarray(0, end))).toThrow();
    for (const text of ['', 'null', '[]', '{"id":"1"}', 'x'])
      expect(() => readArchiveLine(Buffer.from(text))).toThrow();
  });

  it('keeps the microseconds of times', () => {
    expect(microsText(AT)).toMatch(/\.123456Z$/);
    for (const at of [0, 1, AT, 999_999, 4_102_444_799_999_999]) expect(microsOf(microsText(at))).toBe(at);
  });
});
