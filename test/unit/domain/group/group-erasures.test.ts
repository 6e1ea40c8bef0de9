// Erasures in the plan of a group: what is decided, and which entries and waits lose their content.

import { describe, expect, it } from 'vitest';
import type { ErasureTarget } from '../../../../src/domain/erasure/erasure.js';
import { EMPTY_ENVELOPE, type EnvelopeRest } from '../../../../src/domain/events/envelope.js';
import { EntryKind, type LogEntry } from '../../../../src/domain/events/event.js';
import { planGroup } from '../../../../src/domain/group/group-plan.js';
import { needsOf } from '../../../../src/domain/group/group-plan-needs.js';
import {
  type BlankUnit,
  type EraseUnit,
  isEmpty,
  type PushedBefore,
  type StoredEvent,
  standsAlone,
  unitSize,
} from '../../../../src/domain/group/group-plan-types.js';
import { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { auditDraft } from '../../../../src/domain/management/audit.js';
import { scopedKey } from '../../../../src/domain/names.js';
import type { Wait } from '../../../../src/domain/waits/wait.js';

const HEAD = { position: 10, nextEventId: 20, createdAt: 100, nextShapeId: 1 };
const NOW = 200;
const TARGET: ErasureTarget = { kind: 'subject', context: 'default', digest: 'ab'.repeat(32) };
const AUDIT = auditDraft(
  { call: 'EraseEvents', by: 'ann' },
  { entityType: 'data_subject', subject: 6, context: 'default', about: {} },
);
const ERASE: EraseUnit = {
  kind: 'erase',
  target: TARGET,
  audit: { draft: AUDIT, messageId: 'minted', digest: undefined, expectedSequence: undefined },
};
const BLANK: BlankUnit = {
  kind: 'blank',
  erasure: { position: 9, decidedAt: 90 },
  eventIds: [],
  waitIds: [],
  upTo: 8,
};

function plan(
  unit: EraseUnit | BlankUnit,
  { pushed, events = [] }: { pushed?: Map<string, PushedBefore>; events?: [number, StoredEvent][] } = {},
) {
  const none = { awaited: new Map(), found: new Map(), identities: new Map(), shapes: new Map() };
  const waits = { ...none, events: new Map(events) };
  return planGroup({ head: HEAD, now: NOW, streams: new Map(), pushed, waits }, [unit], ShapeCatalog.of(1, []));
}

function entryOf(eventId: number, changes: Partial<LogEntry> = {}): LogEntry {
  const names = { context: 'default', topic: 'orders', issuer: 'shop', tag: 'secret' };
  const own = { position: eventId, eventId, kind: EntryKind.OCCURRED, sequence: 0, messageId: 'm', createdAt: 50 };
  const payload = { contentType: '', bytes: Buffer.from('"secret"') };
  return { ...EMPTY_ENVELOPE, ...names, ...own, payload, rest: { dataSubject: 'ann' }, ...changes };
}

function waitOf(eventId: number, changes: Partial<Wait> = {}): Wait {
  const envelope = { ...EMPTY_ENVELOPE, context: 'default', topic: 'orders', issuer: 'mailer', tag: 'secret' };
  return {
    ...{ eventId, state: EntryKind.AWAITED, envelope, messageId: 'm', description: '{"a":"secret"}', shapeId: 1 },
    ...{ hash: Buffer.alloc(17), createdAt: 40, expiresAt: 1_000, endedById: undefined, position: 0 },
    ...changes,
  };
}

const ended = (restOf: EnvelopeRest) => ({ kind: EntryKind.INVALIDATED, payload: undefined, rest: restOf });

describe('an erasure', () => {
  it('is decided with its entry of the audit, whose position and time are its own', () => {
    const { writes, outcomes } = plan(ERASE);
    expect(outcomes).toEqual([{ kind: 'erasing', position: 11 }]);
    const [entry] = writes.entries;
    expect(entry?.entry).toMatchObject({ position: 11, eventId: 20, topic: 'madeleine.audit', tag: 'EraseEvents' });
    const decidedAt = entry?.entry.createdAt;
    expect(writes.erasures).toEqual({
      begun: [{ target: TARGET, position: 11, decidedAt, beforeEventId: 20 }],
      blanked: undefined,
    });
    expect(standsAlone(ERASE)).toBe(false);
  });

  it('is decided once when its group runs again', () => {
    const before = { position: 7, eventId: 5, issuer: 'madeleine', digest: undefined };
    const { writes, outcomes } = plan(ERASE, { pushed: new Map([[scopedKey('default', 'minted'), before]]) });
    expect(outcomes).toEqual([{ kind: 'erasing', position: 7 }]);
    expect(isEmpty(writes)).toBe(true);
  });
});

describe('a part of an erasure', () => {
  it('needs its events and waits, and counts for them', () => {
    const unit = { ...BLANK, eventIds: [1, 2], waitIds: [2, 3] };
    expect([...(needsOf([unit], false).waits?.eventIds ?? [])].sort()).toEqual([1, 2, 3]);
    expect([unitSize(unit), standsAlone(unit)]).toEqual([4, true]);
  });

  it('takes the content of all entries of an event, and of none that is another event’s or began later', () => {
    const events: [number, StoredEvent][] = [
      [
        1,
        {
          wait: undefined,
          entries: [entryOf(1), entryOf(1, { position: 12, createdAt: 110, ...ended({ occurredAt: 50 }) })],
        },
      ],
      [2, { wait: waitOf(2, { state: EntryKind.OCCURRED, endedById: 1 }), entries: [entryOf(1)] }],
      [3, { wait: undefined, entries: [entryOf(3, { createdAt: 95 })] }],
      [4, { wait: undefined, entries: [entryOf(4, { rest: { erasedAt: 60 } })] }],
      [5, { wait: undefined, entries: [entryOf(5, { topic: 'madeleine.audit' })] }],
      [6, { wait: undefined, entries: [entryOf(6, { kind: EntryKind.TRANSFERRED })] }],
    ];
    const { writes, outcomes } = plan({ ...BLANK, eventIds: [1, 2, 3, 4, 5, 6, 7] }, { events });
    expect(outcomes).toEqual([{ kind: 'blanked', events: 1 }]);
    const { entries = [], events: counted } = writes.erasures?.blanked ?? {};
    expect(counted).toBe(1);
    expect(entries.map(({ position, payload, tag }) => [position, payload, tag])).toEqual([
      [1, undefined, ''],
      [12, undefined, ''],
    ]);
    expect(entries.map(({ rest }) => rest?.erasedAt)).toEqual([90, 90]);
    expect(JSON.stringify(entries)).not.toMatch(/secret|ann/);
    expect(writes.entries).toEqual([]);
  });

  it.each([
    [1_000, EntryKind.INVALIDATED, 'erased'],
    [150, EntryKind.EXPIRED, undefined],
  ])('ends what is awaited until %i, with nothing of what was said', (expiresAt, kind, reason) => {
    const { writes, outcomes } = plan(
      { ...BLANK, waitIds: [2] },
      { events: [[2, { wait: waitOf(2, { expiresAt }), entries: [] }]] },
    );
    expect(outcomes).toEqual([{ kind: 'blanked', events: 1 }]);
    const [added] = writes.entries;
    expect(added?.entry).toMatchObject({ position: 11, eventId: 2, kind, tag: '', payload: undefined });
    expect(added?.entry.rest).toMatchObject({ awaitedBy: 'mailer', awaitedAt: 40, erasedAt: 90 });
    expect(added?.entry.rest?.reason).toBe(reason);
    expect(JSON.stringify(added?.entry)).not.toContain('secret');
    expect(writes.waits?.changed).toMatchObject([{ eventId: 2, state: kind, position: 11 }]);
  });

  it('counts a wait that has ended as long as it says something, and leaves what ended it', () => {
    const of = (description: string): [number, StoredEvent][] => [
      [2, { wait: waitOf(2, { state: EntryKind.OCCURRED, endedById: 2, description }), entries: [entryOf(2)] }],
    ];
    const first = plan({ ...BLANK, waitIds: [2] }, { events: of('{"a":1}') });
    expect(first.outcomes).toEqual([{ kind: 'blanked', events: 1 }]);
    expect(first.writes.erasures?.blanked?.entries).toEqual([]);
    expect(plan({ ...BLANK, waitIds: [2] }, { events: of('') }).outcomes).toEqual([{ kind: 'blanked', events: 0 }]);
  });
});
