// A stream that is handed over: its entry, and who may push before and after it.

import { describe, expect, it } from 'vitest';
import { EMPTY_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { EntryKind } from '../../../../src/domain/events/event.js';
import { extendStream, type StreamState } from '../../../../src/domain/events/stream.js';
import { planGroup } from '../../../../src/domain/group/group-plan.js';
import { needsOf } from '../../../../src/domain/group/group-plan-needs.js';
import {
  type GroupUnit,
  type Push,
  type PushedBefore,
  type PushUnit,
  standsAlone,
  type TransferUnit,
  unitBytes,
  unitSize,
} from '../../../../src/domain/group/group-plan-types.js';
import { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { scopedKey } from '../../../../src/domain/names.js';

const TRANSFER: TransferUnit = {
  kind: 'transfer',
  ...{ context: 'default', stream: 's', owner: 'a', newOwner: 'b', messageId: 'minted' },
};
const BEGUN = extendStream(undefined, { context: 'default', stream: 's', issuer: 'a', position: 4, createdAt: 40 });

function push(issuer: string, given: Partial<Push> = {}): GroupUnit {
  const payload = { contentType: '', bytes: Buffer.from('1') };
  const envelope = { ...EMPTY_ENVELOPE, context: 'default', topic: 't', stream: 's', issuer };
  const draft = { ...envelope, messageId: '', payload, description: undefined };
  const one = { draft, messageId: `${issuer}'s`, digest: undefined, expectedSequence: undefined, ...given };
  return { kind: 'push', atomic: true, pushes: [one] };
}

function plan(
  units: readonly GroupUnit[],
  stream: StreamState | undefined = BEGUN,
  pushed?: Map<string, PushedBefore>,
) {
  const head = { position: 4, nextEventId: 9, createdAt: 40, nextShapeId: 1 };
  const streams = new Map(stream === undefined ? [] : [[scopedKey('default', 's'), stream]]);
  return planGroup({ head, now: 0, streams, pushed, waits: undefined }, units, ShapeCatalog.of(1, []));
}

/** The outcome of each unit: how it is called, or the reason and the facts of its refusal. */
function outcomesOf({ outcomes }: ReturnType<typeof plan>): unknown[] {
  return outcomes.map((outcome) => {
    const one = outcome.kind === 'pushed' ? outcome.pushes[0] : outcome;
    return one?.kind === 'refused' ? [one.error.reason, one.error.metadata] : one?.kind;
  });
}

describe('a stream that is handed over', () => {
  it('has an entry of its own between what its owners push in one group', () => {
    // What the former owner pushed before is known by its message id, whoever owns the stream.
    const units = [push('a'), TRANSFER, push('a'), push('a', { messageId: 'late' }), push('b')];
    const { writes, outcomes } = plan(units);
    expect(writes.entries.map(({ entry }) => [entry.position, entry.kind, entry.issuer, entry.sequence])).toEqual([
      [5, EntryKind.OCCURRED, 'a', 2],
      [6, EntryKind.TRANSFERRED, 'madeleine', 0],
      [7, EntryKind.OCCURRED, 'b', 3],
    ]);
    expect(writes.entries[1]).toMatchObject({
      digest: undefined,
      entry: {
        ...{ context: 'default', topic: 'madeleine.stream', stream: 's', eventId: 10, messageId: 'minted' },
        payload: undefined,
        rest: { properties: { former_owner: 'a', owner: 'b', epoch: '2' } },
      },
    });
    const stream = { owner: 'b', epoch: 2, formerOwner: 'a', transferPosition: 6 };
    expect(outcomes[1]).toMatchObject({ kind: 'transferred', stream: { ...stream, lastSequence: 2 } });
    expect(writes.streams).toMatchObject([{ ...stream, lastSequence: 3, lastPosition: 7, firstPosition: 4 }]);
    const refused = ['STREAM_OWNED', { context: 'default', stream: 's', owner: 'b' }];
    expect(outcomesOf(plan(units))).toEqual(['occurred', 'transferred', 'duplicate', refused, 'occurred']);
  });

  it('stays as it is where that was done before, and is refused where another one owns it, or nobody', () => {
    const again = { ...TRANSFER, messageId: 'again' };
    const twice = plan([TRANSFER, again]);
    expect(outcomesOf(twice)).toEqual(['transferred', 'transferred']);
    expect(twice.writes.entries).toHaveLength(1);
    expect(outcomesOf(plan([{ ...TRANSFER, owner: 'c' }]))).toEqual([
      ['STREAM_OWNED', { context: 'default', stream: 's', owner: 'a', epoch: '1' }],
    ]);
    const on = { ...again, owner: 'b', newOwner: 'c' };
    expect(outcomesOf(plan([TRANSFER, on, again]))[2]).toEqual([
      'STREAM_OWNED',
      { context: 'default', stream: 's', owner: 'c', epoch: '3' },
    ]);
    expect(outcomesOf(plan([TRANSFER], { ...BEGUN, owner: 'b' }))[0]).toMatchObject(['STREAM_OWNED', {}]);
    const { writes, outcomes } = planGroup(
      {
        ...{ head: { position: 4, nextEventId: 9, createdAt: 40, nextShapeId: 1 }, now: 0, streams: new Map() },
        ...{ pushed: undefined, waits: undefined },
      },
      [TRANSFER],
      ShapeCatalog.of(1, []),
    );
    expect(outcomes).toMatchObject([{ kind: 'refused', error: { reason: 'STREAM_UNKNOWN' } }]);
    expect(writes).toMatchObject({ entries: [], streams: [], inDoubt: false });
  });

  it('has its entry of the audit after its own, and none where nothing changes', () => {
    const { draft } = (push('madeleine') as PushUnit).pushes[0] as Push;
    const audit = {
      draft: { ...draft, stream: '' },
      messageId: 'told',
      digest: undefined,
      expectedSequence: undefined,
    };
    const told = { ...TRANSFER, audit };
    const { writes } = plan([told, { ...told, audit: { ...audit, messageId: 'again' } }, { ...told, owner: 'x' }]);
    expect(writes.entries.map(({ entry }) => [entry.kind, entry.messageId])).toEqual([
      [EntryKind.TRANSFERRED, 'minted'],
      [EntryKind.OCCURRED, 'told'],
    ]);
    expect(unitSize(told)).toBe(1);
  });

  it('goes back and forth, an epoch each time', () => {
    const back = { ...TRANSFER, owner: 'b', newOwner: 'a', messageId: 'back' };
    const { writes } = plan([TRANSFER, back, { ...TRANSFER, messageId: 'forth' }]);
    expect(writes.streams).toMatchObject([{ owner: 'b', formerOwner: 'a', epoch: 4, transferPosition: 7 }]);
    expect(writes.entries.map(({ entry }) => entry.rest?.properties?.['epoch'])).toEqual(['2', '3', '4']);
  });

  it('is found by a rerun that its COMMIT had stored it, whoever has it now', () => {
    const stored = new Map([
      [
        scopedKey('default', 'minted'),
        { position: 3, eventId: 8, issuer: 'madeleine', digest: undefined } satisfies PushedBefore,
      ],
    ]);
    const handedOn = { ...BEGUN, owner: 'c', formerOwner: 'b', epoch: 3 };
    const rerun = plan([TRANSFER], handedOn, stored);
    expect(rerun.outcomes).toMatchObject([{ kind: 'transferred', stream: { owner: 'c' } }]);
    expect(rerun.writes).toMatchObject({ entries: [], streams: [] });
    expect(outcomesOf(plan([TRANSFER], handedOn, new Map()))[0]).toMatchObject(['STREAM_OWNED', {}]);
  });

  it('is read under the lock, its message id only by a rerun; it need not stand alone', () => {
    const streams = [{ context: 'default', name: 's' }];
    expect(needsOf([TRANSFER], false)).toMatchObject({ streams, messageIds: [], lookUpFirst: false });
    const messageIds = [{ context: 'default', messageId: 'minted' }];
    expect(needsOf([TRANSFER], true)).toMatchObject({ streams, messageIds, lookUpFirst: true });
    expect([standsAlone(TRANSFER), unitSize(TRANSFER), unitBytes(TRANSFER)]).toEqual([false, 1, 0]);
  });
});

describe('a push with an epoch', () => {
  const fenced = (epoch: number, owner: string) => [
    'EPOCH_FENCED',
    { context: 'default', stream: 's', epoch: String(epoch), owner },
  ];

  it('is refused in another one, before and after a transfer, also of who has the stream again', () => {
    const back = { ...TRANSFER, owner: 'b', newOwner: 'a', messageId: 'back' };
    const old = push('a', { streamEpoch: 1 });
    const given = push('a', { streamEpoch: 3, messageId: 'new' });
    expect(outcomesOf(plan([old]))).toEqual(['occurred']);
    expect(outcomesOf(plan([TRANSFER, old]))[1]).toEqual(fenced(2, 'b'));
    expect(outcomesOf(plan([TRANSFER, back, old, given])).slice(2)).toEqual([fenced(3, 'a'), 'occurred']);
    expect(outcomesOf(plan([push('a', { streamEpoch: 2 })]))).toEqual([fenced(1, 'a')]);
    expect(outcomesOf(plan([push('x', { streamEpoch: 1 })]))[0]).toMatchObject(['STREAM_OWNED', { owner: 'a' }]);
  });

  it('begins a stream in its first', () => {
    const state = new Map<string, StreamState>();
    const locked = { head: { position: 0, nextEventId: 1, createdAt: 0, nextShapeId: 1 }, now: 0, streams: state };
    const run = (streamEpoch: number) =>
      outcomesOf(
        planGroup(
          { ...locked, pushed: undefined, waits: undefined },
          [push('a', { streamEpoch })],
          ShapeCatalog.of(1, []),
        ),
      );
    expect(run(1)).toEqual(['occurred']);
    expect(run(2)).toEqual([['EPOCH_FENCED', { context: 'default', stream: 's', epoch: '1' }]]);
  });
});
