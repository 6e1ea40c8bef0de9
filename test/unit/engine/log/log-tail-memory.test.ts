// What the newest part of the log may hold in memory: all of each entry counts, its encodings from when they are made.

import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { BLANK_ENVELOPE, type EnvelopeRest } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import type { LogTail } from '../../../../src/engine/log/log-tail.js';
import { WireEventEncoder } from '../../../../src/grpc/events/event-encoder.js';
import { newTail } from '../../../support/events/log-tail.js';

const MIB = 1024 * 1024;
const EVENTS = 500;

const tailOf = (maxBytes: number) => newTail({}, { maxBytes });

function entryAt(position: number, changes: Partial<LogEntry>): LogEntry {
  const envelope = { ...BLANK_ENVELOPE, context: 'default', topic: 'orders', issuer: 'shop' };
  const own = { position, eventId: position, kind: EntryKind.OCCURRED, sequence: 0, createdAt: 1, payload: undefined };
  return { ...envelope, messageId: randomUUID(), ...own, ...changes };
}

/** An entry that nobody but the tail holds. */
function publishedAt(tail: LogTail, position: number): LogEntry {
  const entry = entryAt(position, { rest: rest(16 * 1024) });
  tail.publish([entry]);
  return entry;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is in memory of so many positions. */
function keptOf(tail: LogTail, positions: number): LogEntry[] {
  return Array.from({ length: positions }, (_, n) => tail.at(n + 1)).filter((entry) => entry !== undefined);
}

/** Bytes that entries hold in texts of one byte a character, payloads and encodings. */
function heldBytes(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { rest, payload, encodedJson, encodedBytes }) => {
    const encodings = (encodedJson?.byteLength ?? 0) + (encodedBytes?.byteLength ?? 0);
    return sum + JSON.stringify(rest ?? {}).length + (payload?.bytes.byteLength ?? 0) + encodings;
  }, 0);
}

const WIDE: Readonly<Record<string, Partial<LogEntry>>> = {
  properties: { rest: { properties: { note: 'x'.repeat(16 * 1024) } } },
  'a description': { rest: { description: JSON.stringify({ note: 'x'.repeat(15 * 1024) }) } },
  'ids of what it ended': { rest: { satisfiedIds: Array.from({ length: 1_000 }, (_, n) => 1_000_000_000 + n) } },
  'tracestate and system': {
    rest: {
      tracestate: 't'.repeat(512),
      system: { id: 's'.repeat(255), name: 'n'.repeat(255), time: 1, timezone: 'UTC' },
    },
  },
  'JSON that is six times as long as a Value': {
    payload: { contentType: '', bytes: Buffer.from(JSON.stringify(Array.from({ length: 3_000 }, () => 0))) },
  },
};

describe('the tail of the log', () => {
  it.each(Object.entries(WIDE))('holds no more than it may of events with %s, read in both encodings', (_, changes) => {
    const tail = tailOf(4 * MIB);
    const encoder = new WireEventEncoder();
    for (let position = 1; position <= EVENTS; position += 1) {
      const entry = entryAt(position, structuredClone(changes));
      tail.publish([entry]);
      encoder.encode(entry, 'json');
      encoder.encode(entry, 'bytes');
    }
    const kept = keptOf(tail, EVENTS);
    expect(kept.at(-1)?.position).toBe(EVENTS);
    expect(heldBytes(kept)).toBeLessThanOrEqual(4 * MIB);
    // Not bounded by keeping next to nothing either.
    expect(heldBytes(kept)).toBeGreaterThan(MIB);
  });

  it('holds none of those that it has let go of, which are not counted any more', async () => {
    const tail = tailOf(MIB);
    const entries = Array.from({ length: EVENTS }, (_, n) => new WeakRef(publishedAt(tail, n + 1)));
    const kept = keptOf(tail, EVENTS).length;
    // References that were looked at stay until the turn is over.
    await new Promise((turn) => setImmediate(turn));
    collectGarbage();
    expect(entries.filter((entry) => entry.deref() !== undefined).length).toBeLessThanOrEqual(kept + 2);
    expect(kept).toBeLessThan(EVENTS / 4);
    expect(tail.visible).toBe(EVENTS);
  });

  it('counts encodings of those that it keeps, and of nobody else', () => {
    const tail = tailOf(MIB);
    const encoder = new WireEventEncoder();
    const publish = (into: LogTail, first: number) => {
      const entries = Array.from({ length: EVENTS }, (_, n) => entryAt(first + n, { rest: rest(2_000) }));
      into.publish(entries);
      return entries;
    };
    const entries = publish(tail, 1);
    for (let round = 0; round < 3; round += 1) {
      for (const entry of entries) encoder.encode(entry, round % 2 === 0 ? 'json' : 'bytes');
    }
    publish(tail, EVENTS + 1);
    // As many as in a tail that nobody ever read.
    const unread = tailOf(MIB);
    publish(unread, 1);
    publish(unread, EVENTS + 1);
    expect(keptOf(tail, 2 * EVENTS)).toHaveLength(keptOf(unread, 2 * EVENTS).length);
  });
});

function rest(length: number): EnvelopeRest {
  return { properties: { note: 'x'.repeat(length) } };
}
