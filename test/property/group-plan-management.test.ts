// Management calls in groups: whatever shares a group, and however often it is run again after an unanswered COMMIT, each change is made
// once with its entry, as if its units came one at a time; what changes nothing leaves nothing.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../src/domain/consumers/consumer.js';
import type { OffsetMove } from '../../src/domain/consumers/managed/offset-move.js';
import { planGroup } from '../../src/domain/group/group-plan.js';
import { matchPushes, needsOf } from '../../src/domain/group/group-plan-needs.js';
import type {
  GroupPlan,
  GroupUnit,
  GroupWrites,
  ManageUnit,
  Push,
  PushedBefore,
} from '../../src/domain/group/group-plan-types.js';
import { recognised, unitAgain } from '../../src/domain/group/group-rerun.js';
import { ShapeCatalog } from '../../src/domain/group/shape-catalog.js';
import { auditDraft } from '../../src/domain/management/audit.js';
import type { ChangeEffect, ConsumerChange, FoundConsumer } from '../../src/domain/management/consumer-change.js';
import { scopedKey } from '../../src/domain/names.js';
import { propertyParameters } from '../support/property.js';

const NO_SHAPES = ShapeCatalog.of(1, []);
const CONTEXT = 'default';
const KINDS = ['create', 'configure', 'seek', 'pause', 'replay', 'discard', 'delete'] as const;
/** The positions that each consumer has parked at first. */
const PARKED = [1, 2, 3];
const MOVE: OffsetMove = {
  ...{ kind: 'SEEK', movedAt: 1, by: 'x', reason: '', snapshot: '', formerOffset: 1, offset: 4, generation: 2 },
};
const START = { generation: 2, firstLease: 3, offset: 4 };

interface Spec {
  readonly kind: (typeof KINDS)[number];
  readonly name: string;
  /** Whether the caller runs the consumer, as far as he knows. */
  readonly isHeld: boolean;
  readonly positions: readonly number[];
}

const spec: fc.Arbitrary<Spec> = fc.record({
  kind: fc.constantFrom(...KINDS),
  name: fc.constantFrom('a', 'b'),
  isHeld: fc.boolean(),
  positions: fc.uniqueArray(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
});
/** What becomes of the first COMMIT of a group. */
const fate = fc.constantFrom('answered', 'lost after', 'lost before');

let minted = 0;
function auditOf(spec: Spec): Push {
  const audited = { entityType: 'consumer', subject: 5, context: CONTEXT, about: { consumer: spec.name } };
  const draft = auditDraft({ call: spec.kind, by: 'x' }, audited);
  return { draft, messageId: `minted-${++minted}`, digest: undefined, expectedSequence: undefined };
}

function changeOf({ kind, name, isHeld, positions }: Spec, stored: Stored): ConsumerChange {
  const key = { context: CONTEXT, name };
  const { id = 9, epoch = 9 } = stored.consumers.get(scopedKey(CONTEXT, name)) ?? {};
  const hold = { id, epoch: isHeld ? epoch : epoch - 1 };
  const settings = DEFAULT_SETTINGS;
  switch (kind) {
    case 'create':
      return { kind, key, settings, offset: 0, createdAt: 1, by: 'x' };
    case 'configure':
      return { kind, key, hold, settings, start: START };
    case 'seek':
      return { kind, key, hold, start: START, acked: new Uint8Array(), movedAt: 1, move: MOVE };
    case 'pause':
      return { kind, key, hold, pause: undefined };
    case 'delete':
      return { kind, key, hold };
    default:
      return { kind, key, hold, positions };
  }
}

/** The database between groups. */
class Stored {
  head = { position: 0, nextEventId: 1, createdAt: 0, nextShapeId: 1 };
  pushed = new Map<string, PushedBefore>();
  consumers = new Map<string, FoundConsumer>();
  audited: string[] = [];

  plan(units: readonly GroupUnit[], rerun: boolean): GroupPlan {
    matchPushes(units, NO_SHAPES);
    const needs = needsOf(units, rerun);
    const looked = needs.messageIds.map(({ context, messageId }) => scopedKey(context, messageId));
    const pushed = new Map([...this.pushed].filter(([key]) => looked.includes(key)));
    const named = new Set((needs.consumers ?? []).map(({ key }) => scopedKey(key.context, key.name)));
    const consumers = new Map([...this.consumers].filter(([key]) => named.has(key)));
    const locked = { head: this.head, now: 1, streams: new Map(), waits: undefined, consumers };
    return planGroup({ ...locked, pushed: rerun ? pushed : undefined }, units, NO_SHAPES);
  }

  commit({ entries, consumers, head }: GroupWrites): void {
    for (const { entry, digest } of entries) {
      const { position, eventId, issuer, context, messageId, tag } = entry;
      this.pushed.set(scopedKey(context, messageId), { position, eventId, issuer, digest });
      this.audited.push(tag);
    }
    for (const { change, id } of consumers) this.#apply(change, id);
    this.head = head;
  }

  /** Makes a change as the rules say. */
  #apply(change: ConsumerChange, id: number | undefined): void {
    const key = scopedKey(change.key.context, change.key.name);
    const found = this.consumers.get(key);
    expect(found?.id).toBe(id);
    const next = executed(change, found);
    expect(next.effect).toBe('changed');
    this.consumers.set(key, next.consumer as FoundConsumer);
  }
}

/** A change, straight from the rules. */
function executed(
  change: ConsumerChange,
  found: FoundConsumer | undefined,
): { readonly effect: ChangeEffect; readonly consumer: FoundConsumer | undefined } {
  const isThere = found !== undefined && !found.isDeleted;
  if (change.kind === 'create') {
    if (isThere) return { effect: 'unchanged', consumer: found };
    const parked = new Map(PARKED.map((position) => [position, { replaying: false }]));
    const id = found?.id ?? change.key.name.charCodeAt(0);
    return { effect: 'changed', consumer: { id, epoch: (found?.epoch ?? 0) + 1, isDeleted: false, parked } };
  }
  if (!isThere || found.id !== change.hold.id || found.epoch !== change.hold.epoch) {
    return { effect: 'lost', consumer: found };
  }
  if (change.kind === 'delete') {
    return { effect: 'changed', consumer: { ...found, isDeleted: true, epoch: found.epoch + 1, parked: new Map() } };
  }
  if (change.kind !== 'replay' && change.kind !== 'discard') return { effect: 'changed', consumer: found };
  const parked = new Map(found.parked);
  const states = change.positions.map((position) => parked.get(position));
  if (change.kind === 'replay' && states.some((state) => state?.replaying)) return { effect: 'lost', consumer: found };
  if (states.includes(undefined)) return { effect: 'gone', consumer: found };
  for (const position of change.positions) {
    if (change.kind === 'replay') parked.set(position, { replaying: true });
    else parked.delete(position);
  }
  return { effect: 'changed', consumer: { ...found, parked } };
}

const effectsOf = (plan: GroupPlan) => plan.outcomes.map((outcome) => (outcome as { effect: ChangeEffect }).effect);

/** Runs a group to its end; the effects that its callers are told. */
function run(stored: Stored, units: readonly ManageUnit[], becomes: string): ChangeEffect[] {
  const first = stored.plan(units, false);
  if (becomes === 'answered' || first.writes.entries.length === 0) {
    stored.commit(first.writes);
    return effectsOf(first);
  }
  if (becomes === 'lost after') stored.commit(first.writes);
  const again = units.map((unit, index) => unitAgain(unit, first.outcomes[index] as never));
  const second = stored.plan(again, true);
  stored.commit(second.writes);
  const outcomes = second.outcomes.map((outcome, index) => recognised(outcome, first.outcomes[index] as never));
  return effectsOf({ ...second, outcomes });
}

describe('management calls in a group', () => {
  it('are made once each, with an entry each, as if they came one at a time', () => {
    const groups = fc.array(fc.record({ specs: fc.array(spec, { minLength: 1, maxLength: 5 }), becomes: fate }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(groups, (given) => {
        const stored = new Stored();
        const model = new Map<string, FoundConsumer>();
        const audited: string[] = [];
        for (const { specs, becomes } of given) {
          const units = distinct(specs).map(
            (one): ManageUnit => ({ kind: 'manage', change: changeOf(one, stored), audit: auditOf(one) }),
          );
          const expected = units.map(({ change }) => {
            const key = scopedKey(CONTEXT, change.key.name);
            const { effect, consumer } = executed(change, model.get(key));
            if (consumer !== undefined) model.set(key, consumer);
            if (effect === 'changed') audited.push(change.kind);
            return effect;
          });
          expect(run(stored, units, becomes)).toEqual(expected);
          expect(stored.consumers).toEqual(model);
          expect(stored.audited).toEqual(audited);
          expect(stored.head.position).toBe(audited.length);
        }
      }),
      propertyParameters(),
    );
  });
});

/** At most one change after which a consumer has no owner that the others of the group could know of. */
function distinct(specs: readonly Spec[]): readonly Spec[] {
  const renewed = new Set<string>();
  return specs.filter(({ kind, name }) => {
    if (renewed.has(name)) return false;
    if (kind === 'create' || kind === 'delete') renewed.add(name);
    return true;
  });
}
