// Waits in the plan of a group: the plan equals its units executed one at a time against a naive model, which keeps a list of
// events and looks through all of it each time.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadDescription, parseDescription } from '../../src/domain/descriptions/description.js';
import { EMPTY_ENVELOPE } from '../../src/domain/events/envelope.js';
import { EntryKind, type EventDraft, type LogEntry } from '../../src/domain/events/event.js';
import type { PushOutcome, UnitOutcome } from '../../src/domain/group/group-outcomes.js';
import { planGroup } from '../../src/domain/group/group-plan.js';
import { matchPushes, needsOf, waitKeyText } from '../../src/domain/group/group-plan-needs.js';
import {
  type GroupUnit,
  identityOf,
  type LockedState,
  type LockedWaits,
  type Push,
  type PushedBefore,
  standsAlone,
  type WaitNeeds,
  type WaitWrites,
} from '../../src/domain/group/group-plan-types.js';
import { ShapeCatalog, type WatchedShape } from '../../src/domain/group/shape-catalog.js';
import { scopedKey } from '../../src/domain/names.js';
import { UNSET_SETTINGS } from '../../src/domain/topics/topic-settings.js';
import type { Wait } from '../../src/domain/waits/wait.js';
import { preparedCawin } from '../support/cawins/prepared-cawin.js';
import { propertyParameters } from '../support/property.js';

const CONTEXT = 'default';
const TOPIC = 't';
const STEP = 1_000;

type Json = Readonly<Record<string, number>>;

function watched(id: number, example: Json): WatchedShape {
  const { shape } = parseDescription(Buffer.from(JSON.stringify(example)), 'd');
  return { ...shape, id, ready: true, watchedAfter: 0, builtTo: 0, neededAt: 0 };
}
const WATCHED = [watched(1, { a: 1 }), watched(2, { b: 1 }), watched(3, { a: 1, b: 1 })].map((shape) => ({
  context: CONTEXT,
  topic: TOPIC,
  shape,
}));

/** The catalogue, with the keys that identify the topic's events. */
function catalogOf(keys: readonly string[]): ShapeCatalog {
  const descriptionPaths = keys.map((key) => `/${key}`);
  return ShapeCatalog.of(1, WATCHED, [
    { context: CONTEXT, topic: TOPIC, settings: { ...UNSET_SETTINGS, descriptionPaths } },
  ]);
}

interface PushSpec {
  readonly payload: Json | undefined;
  readonly description: Json | undefined;
  /** 0: minted. */
  readonly id: number;
  /** Steps. */
  readonly wait: number;
  /** How many steps back it looks; undefined: everything. */
  readonly back: number | undefined;
}
type UnitSpec =
  | { readonly kind: 'push'; readonly pushes: readonly PushSpec[]; readonly atomic: boolean }
  | { readonly kind: 'observe'; readonly eventId: number; readonly raise: number | undefined }
  | { readonly kind: 'invalidate'; readonly eventId: number }
  | { readonly kind: 'expire' };

const value = fc.integer({ min: 1, max: 2 });
const description: fc.Arbitrary<Json> = fc.oneof(
  fc.record({ a: value }),
  fc.record({ b: value }),
  fc.record({ a: value, b: value }),
);
const payload: fc.Arbitrary<Json> = fc.oneof(
  fc.constant({}),
  fc.record({ a: value }),
  fc.record({ a: value, b: value, c: value }),
);
const terms = {
  id: fc.integer({ min: 0, max: 6 }),
  wait: fc.integer({ min: 1, max: 4 }),
  back: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
};
const pushSpec: fc.Arbitrary<PushSpec> = fc.oneof(
  fc.record({ ...terms, payload: fc.constant(undefined), description }),
  fc.record({ ...terms, payload, description: fc.constant(undefined) }),
  fc
    .record({ ...terms, payload: fc.record({ a: value, b: value }), description: fc.constant('part' as const) })
    .map((spec) => ({
      ...spec,
      description: { a: spec.payload.a },
    })),
);
const eventId = fc.integer({ min: 1, max: 8 });
const unitSpec: fc.Arbitrary<UnitSpec> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      pushes: fc.array(pushSpec, { minLength: 1, maxLength: 3 }),
      atomic: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('observe' as const),
      eventId,
      raise: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('invalidate' as const), eventId }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'expire' as const }) },
);

let minted = 0;
const bytesOf = (json: Json) => Buffer.from(JSON.stringify(json));

function toPush(spec: PushSpec, now: number): Push {
  const messageId = spec.id === 0 ? `minted-${++minted}` : `id-${spec.id}`;
  const draft: EventDraft = {
    ...EMPTY_ENVELOPE,
    context: CONTEXT,
    topic: TOPIC,
    issuer: 'x',
    messageId,
    payload: spec.payload && { contentType: '', bytes: bytesOf(spec.payload) },
    description: spec.description && parseDescription(bytesOf(spec.description), 'd'),
  };
  const digest =
    spec.id === 0 ? undefined : Buffer.from(JSON.stringify([spec.payload ?? null, spec.description ?? null]));
  const since = spec.back === undefined ? 0 : now - spec.back * STEP - STEP / 2;
  const waitTerms = { waitMicros: spec.wait * STEP - STEP / 2, since, after: 0 };
  return {
    draft,
    messageId,
    digest,
    expectedSequence: undefined,
    ...(spec.payload === undefined ? { terms: waitTerms } : {}),
  };
}

interface NaiveEvent {
  readonly id: number;
  state: 'AWAITED' | 'OCCURRED' | 'INVALIDATED' | 'EXPIRED';
  /** What it is awaited by. */
  awaits: Json | undefined;
  expiresAt: number;
  /** Of the event that ended its wait. */
  endedBy: number;
  /** Of what occurred with an entry of its own. */
  payload: Json | undefined;
  occurredAt: number;
  /** The descriptions that it has occurred with. */
  identities: string[];
}

const contains = (whole: Json, part: Json) => Object.entries(part).every(([key, want]) => whole[key] === want);

/** Straight from the rules. Awaited events and occurred ones are in one list; ids are dense. */
class NaiveServer {
  /** What identifies events; empty: only their descriptions. */
  readonly keys: readonly string[];
  events: NaiveEvent[] = [];
  /** What each message id stands for, with its content. */
  ids = new Map<string, { digest: string; eventId: number }>();
  /** Kinds and event ids of the entries. */
  log: string[] = [];

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  execute(unit: GroupUnit, now: number): string[] {
    if (unit.kind === 'push') return this.executePushes(unit.pushes, unit.atomic, now);
    if (unit.kind === 'observe') return [this.observe(unit.eventId, unit.expiresAt, now)];
    if (unit.kind === 'invalidate') return [this.invalidate(unit.eventId, now)];
    const due = this.events.filter((event) => event.state === 'AWAITED' && event.expiresAt <= now);
    for (const event of due) this.end(event, 'EXPIRED');
    return [`expired ${due.length}`];
  }

  executePushes(pushes: readonly Push[], atomic: boolean, now: number): string[] {
    const before = structuredClone({ events: this.events, ids: this.ids, log: this.log });
    const outcomes = pushes.map((push) => this.push(push, now));
    const refused = outcomes.find((outcome) => outcome.startsWith('refused'));
    if (!atomic || refused === undefined) return outcomes;
    Object.assign(this, before);
    return outcomes.map((outcome) => (outcome.startsWith('refused') ? outcome : refused));
  }

  push({ draft, messageId, digest, terms }: Push, now: number): string {
    const known = this.ids.get(messageId);
    if (known !== undefined) {
      return known.digest === String(digest) ? `duplicate ${known.eventId}` : 'refused MESSAGE_ID_REUSED';
    }
    const wanted = draft.description && (JSON.parse(draft.description.text) as Json);
    const outcome =
      draft.payload === undefined
        ? this.look(wanted as Json, terms?.since ?? 0, now + (terms?.waitMicros ?? 0), now)
        : this.occur(JSON.parse(Buffer.from(draft.payload.bytes).toString()), draft.description?.text, now);
    const id = Number(outcome.split(' ')[1]);
    if (!outcome.startsWith('refused')) this.ids.set(messageId, { digest: String(digest), eventId: id });
    return outcome;
  }

  look(wanted: Json, since: number, expiresAt: number, now: number): string {
    const occurred = this.events
      .filter(
        (e) => e.payload !== undefined && e.state === 'OCCURRED' && contains(e.payload, wanted) && e.occurredAt > since,
      )
      .sort((a, b) => this.log.indexOf(`OCCURRED ${a.id}`) - this.log.indexOf(`OCCURRED ${b.id}`))[0];
    if (occurred !== undefined) return `found ${occurred.id}`;
    const text = JSON.stringify(wanted);
    const open = this.events.find((e) => e.state === 'AWAITED' && JSON.stringify(e.awaits) === text);
    if (open !== undefined && open.expiresAt > now) {
      open.expiresAt = Math.max(open.expiresAt, expiresAt);
      return `found ${open.id}`;
    }
    if (open !== undefined) this.end(open, 'EXPIRED');
    return `awaited ${this.add({ state: 'AWAITED', awaits: wanted, expiresAt }).id}`;
  }

  occur(content: Json, description: string | undefined, now: number): string {
    if (this.keys.some((key) => content[key] === undefined)) return 'refused FIELD_INVALID';
    const taken = this.keys.length === 0 ? [] : [JSON.stringify(content, [...this.keys])];
    const identities = description === undefined ? taken : [...taken, description];
    if (this.events.some((e) => e.state === 'OCCURRED' && e.identities.some((one) => identities.includes(one)))) {
      return 'refused ALREADY_OCCURRED';
    }
    const matching = this.events.filter(
      (e) => e.state === 'AWAITED' && e.awaits !== undefined && contains(content, e.awaits),
    );
    for (const event of matching) if (event.expiresAt <= now) this.end(event, 'EXPIRED');
    const satisfied = matching.filter((e) => e.state === 'AWAITED');
    const event = satisfied[0] ?? this.add({});
    const described = satisfied.map(({ awaits }) => JSON.stringify(awaits));
    Object.assign(event, {
      payload: content,
      occurredAt: now,
      identities: [...described, ...identities],
    });
    this.log.push(`OCCURRED ${event.id}`);
    for (const wait of satisfied) Object.assign(wait, { state: 'OCCURRED', endedBy: event.id });
    event.state = 'OCCURRED';
    const others = satisfied.slice(1).map(({ id }) => id);
    return `occurred ${event.id} ${satisfied.length > 0} ${others}`;
  }

  observe(id: number, raise: number | undefined, now: number): string {
    const event = this.events[id - 1];
    if (event === undefined) return 'refused EVENT_UNKNOWN';
    if (event.state === 'AWAITED' && event.expiresAt > now) event.expiresAt = Math.max(event.expiresAt, raise ?? 0);
    return `observed ${event.state} ${event.endedBy || id}`;
  }

  invalidate(id: number, now: number): string {
    const event = this.events[id - 1];
    if (event === undefined) return 'refused EVENT_UNKNOWN';
    if (event.state === 'AWAITED' && event.expiresAt <= now) this.end(event, 'EXPIRED');
    if (event.state === 'EXPIRED') return 'refused WRONG_STATE';
    if (event.state === 'AWAITED') this.end(event, 'INVALIDATED');
    if (event.state === 'OCCURRED') {
      const main = event.endedBy || event.id;
      this.log.push(`INVALIDATED ${main}`);
      for (const one of this.events) if (one.id === main || one.endedBy === main) one.state = 'INVALIDATED';
    }
    return `invalidated ${id}`;
  }

  private add(event: Partial<NaiveEvent>): NaiveEvent {
    const added: NaiveEvent = {
      state: 'OCCURRED',
      awaits: undefined,
      expiresAt: 0,
      endedBy: 0,
      payload: undefined,
      occurredAt: 0,
      identities: [],
      ...event,
      id: this.events.length + 1,
    };
    this.events.push(added);
    return added;
  }

  private end(event: NaiveEvent, state: 'EXPIRED' | 'INVALIDATED'): void {
    event.state = state;
    this.log.push(`${state} ${event.id}`);
  }
}

/** The tables between groups, read and written as a committer does. */
class Stored {
  readonly catalog: ShapeCatalog;
  head: LockedState['head'] = { position: 0, nextEventId: 1, createdAt: 0, nextShapeId: 4 };
  entries: LogEntry[] = [];
  pushed = new Map<string, PushedBefore>();
  waits = new Map<number, Wait>();
  indexed: { text: string; position: number }[] = [];
  identities: WaitWrites['identities'] = [];

  constructor(catalog: ShapeCatalog) {
    this.catalog = catalog;
  }

  /** Runs the units in groups as group-commit makes them. */
  run(units: readonly GroupUnit[], now: number): string[][] {
    const outcomes: string[][] = [];
    let group: GroupUnit[] = [];
    const flush = () => {
      if (group.length > 0) outcomes.push(...this.#group(group, now));
      group = [];
    };
    for (const unit of units) {
      if (standsAlone(unit)) flush();
      group.push(unit.kind === 'expire' ? { ...unit, eventIds: [...this.waits.keys()] } : unit);
      if (standsAlone(unit)) flush();
    }
    flush();
    return outcomes;
  }

  #group(units: readonly GroupUnit[], now: number): string[][] {
    matchPushes(units, this.catalog);
    const needs = needsOf(units, true);
    const pushed = new Map(
      needs.messageIds.flatMap(({ context, messageId }) => {
        const before = this.pushed.get(scopedKey(context, messageId));
        return before === undefined ? [] : [[scopedKey(context, messageId), before] as const];
      }),
    );
    const waits = needs.waits && this.#locked(needs.waits);
    const plan = planGroup({ head: this.head, now, streams: new Map(), pushed, waits }, units, this.catalog);
    const { entries, head, waits: writes } = plan.writes;
    for (const { entry, digest } of entries) {
      this.entries.push(entry);
      if (entry.messageId === '') continue;
      const { position, issuer, eventId } = entry;
      this.pushed.set(scopedKey(entry.context, entry.messageId), { position, eventId, issuer, digest });
    }
    if (writes !== undefined) this.#write(writes);
    expect(cawinsOf(plan.outcomes)).toEqual((writes?.cawins ?? []).map(({ event }, index) => ({ index, event })));
    this.head = head;
    expect(head.position).toBe(this.entries.length);
    return plan.outcomes.map((outcome) => (outcome.kind === 'pushed' ? outcome.pushes : [outcome]).map(inWords));
  }

  #locked(needs: WaitNeeds): LockedWaits {
    const open = [...this.waits.values()].filter(({ state }) => state === EntryKind.AWAITED);
    const awaited = new Map(open.map((wait) => [waitKeyText(wait.shapeId, wait.hash), wait]));
    const wanted = new Set(needs.keys.map(({ text }) => text));
    const invalidated = new Set(
      this.entries.filter(({ kind }) => kind === EntryKind.INVALIDATED).map((e) => e.eventId),
    );
    const found = new Map(
      needs.finds.flatMap(({ key, since, text }) => {
        const hit = this.indexed
          .map((row) => ({ row, entry: this.entries[row.position - 1] as LogEntry }))
          .find(
            ({ row, entry }) => row.text === key.text && entry.createdAt > since && !invalidated.has(entry.eventId),
          );
        return hit === undefined ? [] : [[text, { eventId: hit.entry.eventId, position: hit.entry.position }] as const];
      }),
    );
    const identities = new Map(
      this.identities.flatMap(({ identity: { text }, occurrence }) =>
        needs.identities.some((identity) => identity.text === text) ? [[text, occurrence] as const] : [],
      ),
    );
    const events = new Map(
      needs.eventIds.flatMap((id) => {
        const wait = this.waits.get(id);
        const entries = this.entries.filter((entry) => entry.eventId === (wait?.endedById ?? id));
        return wait === undefined && entries.length === 0 ? [] : [[id, { wait, entries }] as const];
      }),
    );
    return {
      awaited: new Map([...awaited].filter(([text]) => wanted.has(text))),
      found,
      identities,
      events,
      shapes: new Map(),
    };
  }

  #write(writes: WaitWrites): void {
    for (const wait of writes.added) expect(this.waits.has(wait.eventId)).toBe(false);
    for (const wait of writes.changed) expect(this.waits.has(wait.eventId)).toBe(true);
    for (const wait of [...writes.added, ...writes.changed]) this.waits.set(wait.eventId, wait);
    for (const { context, messageId, issuer, digest, eventId: id } of writes.ledger) {
      this.pushed.set(scopedKey(context, messageId), { position: 0, eventId: id, issuer, digest });
    }
    for (const { key, position } of writes.indexed) this.indexed.push({ text: key.text, position });
    for (const { key, position } of writes.unindexed) {
      const at = this.indexed.findIndex((row) => row.text === key.text && row.position === position);
      expect(at).toBeGreaterThanOrEqual(0);
      this.indexed.splice(at, 1);
    }
    this.identities = [...this.identities, ...writes.identities];
    const rows = this.identities.map(({ identity, occurrence }) => `${identity.text} ${occurrence.eventId}`);
    expect(new Set(rows).size).toBe(rows.length);
    if (writes.freed !== undefined) {
      const { eventId: freed, position } = writes.freed;
      this.identities = this.identities.filter(({ occurrence }) => occurrence.eventId !== freed);
      for (const [id, wait] of this.waits) {
        if (wait.endedById === freed) this.waits.set(id, { ...wait, state: EntryKind.INVALIDATED, position });
      }
    }
  }
}

/** What each outcome with a cawin says of the plan's cawins. */
function cawinsOf(outcomes: readonly UnitOutcome[]) {
  return outcomes.flatMap((one) => (one.kind === 'observed' ? [{ index: one.cawinAt, event: one.event }] : []));
}

const STATES = ['AWAITED', 'OCCURRED', 'INVALIDATED', 'EXPIRED'];

function inWords(outcome: PushOutcome | UnitOutcome): string {
  switch (outcome.kind) {
    case 'occurred':
      return `occurred ${outcome.entry.eventId} ${outcome.satisfied} ${outcome.entry.rest?.satisfiedIds ?? ''}`;
    case 'awaited':
      return `awaited ${outcome.wait.eventId}`;
    case 'found':
      return `found ${outcome.eventId}`;
    case 'duplicate':
      return `duplicate ${outcome.eventId}`;
    case 'refused':
      return `refused ${outcome.error.reason}`;
    case 'observed':
      return `observed ${STATES[outcome.event.state]} ${outcome.event.entryEventId}`;
    case 'invalidated':
      return `invalidated ${outcome.eventId}`;
    case 'expired':
      return `expired ${outcome.count}`;
    default:
      return outcome.kind;
  }
}

function toUnit(spec: UnitSpec, now: number): GroupUnit {
  switch (spec.kind) {
    case 'push':
      return { kind: 'push', atomic: spec.atomic, pushes: spec.pushes.map((push) => toPush(push, now)) };
    case 'observe':
      return {
        kind: 'observe',
        eventId: spec.eventId,
        cawin: preparedCawin(),
        expiresAt: spec.raise && now + spec.raise * STEP - STEP / 2,
      };
    case 'invalidate':
      return { kind: 'invalidate', eventId: spec.eventId, reason: 'test' };
    case 'expire':
      return { kind: 'expire', eventIds: [] };
  }
}

describe('waits in the plan of a group', () => {
  it('equal the units executed one at a time, in groups of any size', () => {
    const groups = fc.array(
      fc.record({ units: fc.array(unitSpec, { minLength: 1, maxLength: 5 }), steps: fc.nat(2) }),
      { maxLength: 8 },
    );
    const keys = fc.constantFrom([], [], ['a'], ['a', 'b']);
    fc.assert(
      fc.property(keys, groups, (identifying, specs) => {
        const naive = new NaiveServer(identifying);
        const stored = new Stored(catalogOf(identifying));
        let now = STEP;
        for (const { units: unitSpecs, steps } of specs) {
          now += steps * STEP;
          const units = unitSpecs.map((spec) => toUnit(spec, now));
          expect(stored.run(units, now)).toEqual(units.map((unit) => naive.execute(unit, now)));
        }
        const names = ['', ...STATES.slice(1)];
        expect(stored.entries.map(({ kind, eventId: id }) => `${names[kind]} ${id}`)).toEqual(naive.log);
        const states = [...stored.waits.values()].map(({ eventId: id, state }) => [id, STATES[state]]);
        expect(states).toEqual(naive.events.filter(({ awaits }) => awaits).map(({ id, state }) => [id, state]));
      }),
      propertyParameters(),
    );
  });

  it('identifies by shape and values', () => {
    const one = loadDescription('{"a":1}');
    expect(identityOf('c', 't', one).text).toBe(identityOf('c', 't', loadDescription('{"a":1.0}')).text);
    expect(identityOf('c', 't', one).text).not.toBe(identityOf('c', 't', loadDescription('{"b":1}')).text);
  });
});
