// The plan of a group equals executing its units one at a time, each as a group of its own, against a naive model.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_ENVELOPE } from '../../src/domain/events/envelope.js';
import type { EventDraft } from '../../src/domain/events/event.js';
import type { StreamState } from '../../src/domain/events/stream.js';
import type { PushOutcome, UnitOutcome } from '../../src/domain/group/group-outcomes.js';
import { planGroup } from '../../src/domain/group/group-plan.js';
import { needsOf } from '../../src/domain/group/group-plan-needs.js';
import {
  type GroupUnit,
  type LockedState,
  type ParkedState,
  type Push,
  type PushedBefore,
  type PushUnit,
  parkedKey,
  type ReplacedPlace,
  type TransferUnit,
} from '../../src/domain/group/group-plan-types.js';
import { ShapeCatalog } from '../../src/domain/group/shape-catalog.js';
import type { Unregistered } from '../../src/domain/group/unregistered-pushes.js';
import { scopedKey } from '../../src/domain/names.js';
import { propertyParameters } from '../support/property.js';

const CONTEXT = 'default';
const NO_SHAPES = ShapeCatalog.of(1, []);

function draft(stream: string, issuer: string, messageId: string): EventDraft {
  return {
    ...EMPTY_ENVELOPE,
    context: CONTEXT,
    topic: 't',
    stream,
    issuer,
    messageId,
    payload: { contentType: '', bytes: Buffer.from('1') },
    description: undefined,
  };
}

interface Spec {
  readonly stream: string;
  readonly issuer: string;
  /** 0: minted. */
  readonly id: number;
  readonly content: number;
  readonly expected: number | undefined;
  readonly epoch: number | undefined;
  /** Position and owner's epoch of what it replaces, and the erasure up to which that was read; undefined: nothing. */
  readonly replaces: readonly [number, number, number] | undefined;
  /** What becomes of it, as nobody registered its topic; undefined: somebody did. A retry may meet something else. */
  readonly unregistered: Unregistered | undefined;
}

/** The positions that are parked at first, and the one that is being replayed; of the epoch 1. */
const PARKED = [1, 2];
/** The newest erasure. */
const ERASED_TO = 5;
const REPLAYING = 3;

const spec: fc.Arbitrary<Spec> = fc.record({
  stream: fc.constantFrom('', 'a', 'b'),
  issuer: fc.constantFrom('x', 'y', 'z'),
  id: fc.integer({ min: 0, max: 5 }),
  content: fc.integer({ min: 0, max: 1 }),
  expected: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
  epoch: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 1 }),
  replaces: fc.option(
    fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 4, max: 5 })),
    {
      nil: undefined,
      freq: 1,
    },
  ),
  unregistered: fc.option(fc.constantFrom('discard', 'reject'), { nil: undefined, freq: 1 }),
});
const pushSpec = fc.record({ specs: fc.array(spec, { minLength: 1, maxLength: 4 }), atomic: fc.boolean() });
const transferSpec = fc.record({
  stream: fc.constantFrom('a', 'b'),
  owner: fc.constantFrom('x', 'y', 'z'),
  newOwner: fc.constantFrom('x', 'y', 'z'),
});
const unitSpec = fc.oneof({ weight: 3, arbitrary: pushSpec }, { weight: 1, arbitrary: transferSpec });
type UnitSpec = typeof unitSpec extends fc.Arbitrary<infer T> ? T : never;

function toUnit(given: UnitSpec): PushUnit | TransferUnit {
  if ('specs' in given) return { kind: 'push', atomic: given.atomic, pushes: given.specs.map(toPush) };
  return { kind: 'transfer', context: CONTEXT, ...given, messageId: `minted-${++minted}` };
}

/** A push to a stream that asks for nothing. */
const PLAIN: Spec = {
  ...{ stream: 'a', issuer: 'x', id: 0, content: 0 },
  ...{ expected: undefined, epoch: undefined, replaces: undefined, unregistered: undefined },
};

let minted = 0;
function toPush({ stream, issuer, id, content, expected, epoch, replaces: place, unregistered }: Spec): Push {
  const messageId = id === 0 ? `minted-${++minted}` : `id-${id}`;
  const digest = id === 0 ? undefined : Buffer.from([content]);
  const expectedSequence = stream === '' ? undefined : expected;
  const streamEpoch = stream === '' ? undefined : epoch;
  const replaces = place && { consumerId: 7, position: place[0], ownerEpoch: place[1], erasedTo: place[2] };
  const terms = { expectedSequence, streamEpoch, replaces };
  const match = unregistered && { keys: [], unregistered };
  return { draft: draft(stream, issuer, id === 0 ? '' : messageId), messageId, digest, ...terms, match };
}

/** The log as a list, and what a push to it does, straight from the rules. */
class NaiveLog {
  entries: { messageId: string; digest: Uint8Array | undefined; issuer: string; stream: string; sequence: number }[] =
    [];
  /** What was discarded under the id of a client. */
  discarded: { messageId: string; digest: Uint8Array; issuer: string }[] = [];
  parked = [...PARKED];
  /** The owners that each stream has had. */
  owners: Record<string, string[]> = {};

  execute(unit: PushUnit | TransferUnit): string[] {
    if (unit.kind === 'transfer') return [this.transfer(unit)];
    const before = [...this.entries];
    const discarded = [...this.discarded];
    const owners = { ...this.owners };
    const parked = [...this.parked];
    const outcomes = unit.pushes.map((push) => this.push(push));
    const refused = outcomes.find((outcome) => outcome.startsWith('refused'));
    if (!unit.atomic || refused === undefined) return outcomes;
    this.entries = before;
    this.discarded = discarded;
    this.owners = owners;
    this.parked = parked;
    return outcomes.map((outcome) => (outcome.startsWith('refused') ? outcome : refused));
  }

  transfer({ stream, owner, newOwner, messageId }: TransferUnit): string {
    const owners = this.owners[stream];
    if (owners === undefined) return 'refused STREAM_UNKNOWN';
    const isRepeated = owners.at(-1) === newOwner && owners.at(-2) === owner;
    if (owners.at(-1) !== owner && !isRepeated) return 'refused STREAM_OWNED';
    if (!isRepeated) {
      owners.push(newOwner);
      this.entries.push({ messageId, digest: undefined, issuer: 'madeleine', stream, sequence: 0 });
    }
    return `transferred ${owners.at(-2)} ${owners.at(-1)} ${owners.length}`;
  }

  push(push: Push): string {
    const { messageId, digest, expectedSequence, streamEpoch, replaces, match } = push;
    const { stream, issuer } = push.draft;
    const at = this.entries.findIndex((entry) => entry.messageId === messageId);
    if (at !== -1) {
      const entry = this.entries[at] as NaiveLog['entries'][number];
      const same = entry.issuer === issuer && Buffer.compare(entry.digest as Buffer, digest as Buffer) === 0;
      return same ? `duplicate ${at + 1}` : 'refused MESSAGE_ID_REUSED';
    }
    const before = this.discarded.find((one) => one.messageId === messageId);
    if (before !== undefined) {
      const same = before.issuer === issuer && Buffer.compare(before.digest, digest as Buffer) === 0;
      return same ? 'discarded' : 'refused MESSAGE_ID_REUSED';
    }
    if (match?.unregistered === 'reject') return 'refused TOPIC_UNREGISTERED';
    if (match?.unregistered === 'discard') {
      if (replaces !== undefined) return 'refused TOPIC_UNREGISTERED';
      if (digest !== undefined) this.discarded.push({ messageId, digest, issuer });
      return 'discarded';
    }
    if (replaces?.ownerEpoch === 2) return 'refused OWNED_ELSEWHERE';
    if (replaces?.position === REPLAYING) return 'refused WRONG_STATE';
    if (replaces !== undefined && !this.parked.includes(replaces.position)) return 'refused PARKED_UNKNOWN';
    if (replaces !== undefined && replaces.erasedTo < ERASED_TO) return 'refused OVERLOADED';
    const earlier = this.entries.filter((entry) => entry.stream === stream && entry.sequence > 0);
    const owners = this.owners[stream] ?? [issuer];
    if (streamEpoch !== undefined && streamEpoch !== owners.length) return 'refused EPOCH_FENCED';
    if (stream !== '' && owners.at(-1) !== issuer) return 'refused STREAM_OWNED';
    if (expectedSequence !== undefined && expectedSequence !== earlier.length) return 'refused SEQUENCE_CONFLICT';
    const sequence = stream === '' ? 0 : earlier.length + 1;
    this.parked = this.parked.filter((position) => position !== replaces?.position);
    this.entries.push({ messageId, digest, issuer, stream, sequence });
    if (stream !== '') this.owners[stream] = owners;
    return `occurred ${this.entries.length} ${sequence}`;
  }
}

/** The database between groups: what a committer would lock and read. */
class Stored {
  head: LockedState['head'] = { position: 0, nextEventId: 1, createdAt: 0, nextShapeId: 1 };
  streams = new Map<string, StreamState>();
  pushed = new Map<string, PushedBefore>();
  times: number[] = [];
  parked = [...PARKED];

  run(units: readonly GroupUnit[], now: number, looksUp: boolean): string[][] {
    const needs = needsOf(units, looksUp);
    const { lookUpFirst } = needs;
    const streams = new Map(
      needs.streams.flatMap(({ context, name }) => {
        const state = this.streams.get(scopedKey(context, name));
        return state === undefined ? [] : [[scopedKey(context, name), state] as const];
      }),
    );
    const looked = new Map(
      needs.messageIds.flatMap(({ context, messageId }) => {
        const before = this.pushed.get(scopedKey(context, messageId));
        return before === undefined ? [] : [[scopedKey(context, messageId), before] as const];
      }),
    );
    const parked = new Map((needs.parked ?? []).map((place) => [parkedKey(place), this.#stateOf(place)]));
    const locked = { head: this.head, now, streams, waits: undefined, parked };
    let plan = planGroup({ ...locked, pushed: lookUpFirst ? looked : undefined }, units, NO_SHAPES);
    const clash = plan.writes.entries.some(({ entry }) => looked.has(scopedKey(entry.context, entry.messageId)));
    // What a committer does: the unique key, or a refusal in doubt, makes it look the ids up and decide again.
    if (!lookUpFirst && (plan.writes.inDoubt || clash))
      plan = planGroup({ ...locked, pushed: looked }, units, NO_SHAPES);
    for (const { entry, digest } of plan.writes.entries) {
      this.pushed.set(scopedKey(entry.context, entry.messageId), {
        position: entry.position,
        eventId: entry.eventId,
        issuer: entry.issuer,
        digest,
      });
      this.times.push(entry.createdAt);
    }
    for (const { context, messageId, ...row } of plan.writes.waits?.ledger ?? [])
      this.pushed.set(scopedKey(context, messageId), { position: 0, ...row });
    this.parked = this.parked.filter((at) => !plan.writes.replaced.some(({ position }) => position === at));
    for (const state of plan.writes.streams) this.streams.set(scopedKey(state.context, state.name), state);
    this.head = plan.writes.head;
    return plan.outcomes.map(wordsOf);
  }

  #stateOf({ ownerEpoch, position, erasedTo }: ReplacedPlace): ParkedState {
    if (ownerEpoch !== 1) return 'lost';
    if (position === REPLAYING) return 'replaying';
    if (!this.parked.includes(position)) return 'empty';
    return erasedTo < ERASED_TO ? 'outdated' : 'parked';
  }
}

function wordsOf(outcome: UnitOutcome): string[] {
  switch (outcome.kind) {
    case 'pushed':
      return outcome.pushes.map(inWords);
    case 'transferred': {
      const { formerOwner, owner, epoch } = outcome.stream;
      return [`transferred ${formerOwner} ${owner} ${epoch}`];
    }
    case 'refused':
      return [`refused ${outcome.error.reason}`];
    default:
      return [outcome.kind];
  }
}

function inWords(outcome: PushOutcome): string {
  switch (outcome.kind) {
    case 'occurred':
      return `occurred ${outcome.entry.position} ${outcome.entry.sequence}`;
    case 'duplicate':
      return `duplicate ${outcome.position}`;
    case 'refused':
      return `refused ${outcome.error.reason}`;
    default:
      return outcome.kind;
  }
}

describe('group plan', () => {
  it('equals its units executed one at a time, in groups of any size', () => {
    const groups = fc.array(
      fc.record({ units: fc.array(unitSpec, { minLength: 1, maxLength: 5 }), looks: fc.boolean(), now: fc.nat(50) }),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(groups, (specs) => {
        const naive = new NaiveLog();
        const stored = new Stored();
        for (const { units: unitSpecs, looks, now } of specs) {
          const units = unitSpecs.map(toUnit);
          expect(stored.run(units, now, looks)).toEqual(units.map((unit) => naive.execute(unit)));
          expect(stored.parked).toEqual(naive.parked);
        }
        expect(stored.head).toMatchObject({ position: naive.entries.length, nextEventId: naive.entries.length + 1 });
        stored.times.forEach((time, index) => {
          if (index > 0) expect(time).toBeGreaterThan(stored.times[index - 1] as number);
        });
      }),
      propertyParameters(),
    );
  });

  it('looks up the ids of an atomic unit that is refused for another of its pushes', () => {
    const minted = toPush({ ...PLAIN, stream: 'b', expected: 1 });
    const reused = toPush({ ...PLAIN, stream: '', issuer: 'y', id: 1 });
    const head = { position: 1, nextEventId: 2, createdAt: 1, nextShapeId: 1 };
    const unit: PushUnit = { kind: 'push', atomic: true, pushes: [minted, reused] };
    const { writes } = planGroup(
      { head, now: 2, streams: new Map(), pushed: undefined, waits: undefined },
      [unit],
      NO_SHAPES,
    );
    expect(writes).toMatchObject({ entries: [], inDoubt: true });
  });

  it('writes streams in their state after the group', () => {
    const pushes = [1, 2, 3].map(() => toPush(PLAIN));
    const locked = {
      head: { position: 7, nextEventId: 9, createdAt: 100, nextShapeId: 1 },
      now: 50,
      streams: new Map(),
      pushed: undefined,
      waits: undefined,
    };
    const { writes } = planGroup(locked, [{ kind: 'push', atomic: true, pushes }], NO_SHAPES);
    expect(writes.streams).toEqual([
      {
        context: CONTEXT,
        name: 'a',
        owner: 'x',
        epoch: 1,
        lastSequence: 3,
        firstPosition: 8,
        lastPosition: 10,
        firstEventAt: 101,
        lastEventAt: 103,
        formerOwner: '',
        transferPosition: 0,
        truncatedTo: 0,
      },
    ]);
    expect(writes.head).toEqual({ position: 10, nextEventId: 12, createdAt: 103, nextShapeId: 1 });
  });
});
