// What a group has to read under the lock, and what is made of its pushes before: the hashes of their values for the shapes
// that their topics watch. Both are done before the head row is locked.

import { loadDescription } from '../descriptions/description.js';
import type { DescriptionPaths } from '../descriptions/description-paths.js';
import type { ShapeMatcher } from '../descriptions/shape-matcher.js';
import { bug, fieldInvalid, MadeleineError } from '../errors.js';
import { type EventDraft, isJsonContentType, type Payload } from '../events/event.js';
import { asBuffer } from '../json/bytes.js';
import type { ConsumerChange } from '../management/consumer-change.js';
import { scopedKey } from '../names.js';
import { limits } from '../schemas/schema-limits.js';
import type { SchemaMet, TopicSchemas } from '../schemas/topic-schema.js';
import type { UnregisteredTopics } from '../topics/context-settings.js';
import type { Wait } from '../waits/wait.js';
import {
  auditOf,
  type Find,
  type GroupNeeds,
  type GroupUnit,
  type Identity,
  identitiesOf,
  type Push,
  type PushMatch,
  pushesOf,
  type ReplacedPlace,
  type TransferUnit,
  type WaitKey,
  type WaitNeeds,
} from './group-plan-types.js';
import type { ShapeCatalog, TopicShapes, WatchedShape } from './shape-catalog.js';
import { type Unregistered, unregistered } from './unregistered-pushes.js';

const NO_KEYS: PushMatch = { keys: [] };
const NOT_STORED: Readonly<Record<Unregistered, PushMatch>> = {
  discard: { keys: [], unregistered: 'discard' },
  reject: { keys: [], unregistered: 'reject' },
};
const UNINDEXED: PushMatch = { keys: [], isUnindexed: true };

/**
 * Sets the match of every push that has to do with waits, or is to topics that nobody registered, by this version of the catalogue.
 * `ofServer`: what becomes of the latter where their context says nothing.
 */
export function matchPushes(
  units: readonly GroupUnit[],
  catalog: ShapeCatalog,
  ofServer: UnregisteredTopics = 'accept',
): void {
  const again = new ChecksAgain();
  for (const unit of units) {
    const audit = auditOf(unit);
    if (audit !== undefined) audit.match = auditMatch(matchOf(audit, catalog, again));
    if (unit.kind !== 'push') continue;
    for (const push of unit.pushes) {
      const why = unregistered(push.draft, catalog, ofServer);
      push.match = why === undefined ? matchOf(push, catalog, again) : NOT_STORED[why];
    }
  }
}

/** The entry of the audit ends waits as any event; what its topic was registered with once does not keep it, and its call, from being stored. */
function auditMatch(match: PushMatch | undefined): PushMatch | undefined {
  return match && { keys: match.keys };
}

function matchOf(push: Push, catalog: ShapeCatalog, again: ChecksAgain): PushMatch | undefined {
  const { draft } = push;
  const { context, topic, payload, description } = draft;
  const watched = catalog.isEmpty ? undefined : catalog.of(context, topic);
  if (payload === undefined) {
    if (description === undefined) throw bug('a push of nothing');
    const shape = catalog.find(context, topic, description.shape);
    if (shape?.ready !== true) return UNINDEXED;
    return { keys: [waitKey({ context, topic }, shape, description)] };
  }
  if (watched === undefined) return undefined;
  if (watched.schemas === undefined) return shapesOf(push.draft, payload, watched);
  const { schema, problem } = again.metBy(watched.schemas, push);
  if (problem !== undefined) return { keys: [], problem };
  return { ...shapesOf(push.draft, payload, watched), version: schema?.version };
}

/** Steps that a group may take to hold payloads against schemas that they have not met yet: nothing else is done meanwhile. */
const MAX_STEPS_AGAIN = 4 * limits.steps;

/** The checks of a group whose topics have got other schemas since its pushes came. */
class ChecksAgain {
  #steps = 0;

  /** What the push has met, or meets now: another version may be the latest by now. */
  metBy(schemas: TopicSchemas, push: Push): SchemaMet {
    const { met, draft } = push;
    if (met?.schema !== undefined && met.schema === schemas.of(draft.version)) return met;
    if (this.#steps > MAX_STEPS_AGAIN) return { schema: undefined, problem: tooManyAgain(), steps: 0 };
    push.met = schemas.meet(draft);
    this.#steps += push.met.steps;
    return push.met;
  }
}

function tooManyAgain(): MadeleineError {
  const message = 'the topic has got another schema while many pushes came that take long to be held against it';
  return new MadeleineError('OVERLOADED', message, { retryAfterMs: 250 });
}

function shapesOf({ context, topic }: EventDraft, payload: Payload, watched: TopicShapes): PushMatch {
  const { matcher, identity } = watched;
  try {
    if (!isJsonContentType(payload.contentType)) return identity === undefined ? NO_KEYS : withoutIdentity(identity);
    const keys = keysOf({ context, topic, payload: payload.bytes }, matcher);
    return withIdentities(keys, watched, payload.bytes);
  } catch (error) {
    if (error instanceof MadeleineError) return { keys: [], problem: error };
    throw error;
  }
}

function withIdentities(
  keys: readonly WaitKey[],
  { identity, nextIdentity }: TopicShapes,
  payload: Uint8Array,
): PushMatch {
  if (identity === undefined && nextIdentity === undefined) return { keys };
  // An event that is stored has no identity by other paths where its payload gives none.
  const next = nextIdentity?.describeIfItCan(payload);
  if (identity === undefined) return { keys, nextIdentity: next };
  return { keys, identity: identity.describe(payload, 'event.payload'), nextIdentity: next };
}

/** The values that the JSON payload has for the shapes of its topic. */
export function keysOf(
  { context, topic, payload }: { readonly context: string; readonly topic: string; readonly payload: Uint8Array },
  matcher: ShapeMatcher<WatchedShape>,
): readonly WaitKey[] {
  return matcher.match(payload).map((match) => waitKey({ context, topic }, match.shape, match));
}

function withoutIdentity({ pointers }: DescriptionPaths): never {
  throw fieldInvalid('event.payload', `is not JSON: the events of its topic are identified by ${pointers.join(', ')}`);
}

function waitKey(
  { context, topic }: { context: string; topic: string },
  shape: WatchedShape,
  { hash, values }: { hash: Buffer; values: string },
): WaitKey {
  return { context, topic, shapeId: shape.id, hash, values, text: waitKeyText(shape.id, hash) };
}

/** Shapes are numbered across topics, so that the number stands for the topic too. */
export function waitKeyText(shapeId: number, hash: Uint8Array): string {
  return `${shapeId}:${asBuffer(hash).toString('latin1')}`;
}

/** Whether the wait is for exactly these values: hashes may be equal for others. */
export function isFor(wait: Wait, key: WaitKey): boolean {
  return loadDescription(wait.description).values === key.values;
}

/** The find of a push without a payload. */
export function findOf({ match, terms }: Push): Find {
  const key = match?.keys[0];
  if (key === undefined || terms === undefined) throw bug('a description without its terms');
  return { key, since: terms.since, after: terms.after, text: `${key.text}@${terms.since}:${terms.after}` };
}

/** What the units need to be read. */
export function needsOf(units: readonly GroupUnit[], rerun: boolean): GroupNeeds {
  const streams = new Map<string, { context: string; name: string }>();
  const messageIds: { context: string; messageId: string }[] = [];
  const waits = new WaitNeedsGatherer();
  const parked: ReplacedPlace[] = [];
  const consumers: ConsumerChange[] = [];
  const addStream = (context: string, name: string) => streams.set(scopedKey(context, name), { context, name });
  const addPush = (push: Push) => {
    const { draft, messageId, digest, replaces } = push;
    const { context, stream } = draft;
    if (stream !== '') addStream(context, stream);
    if (digest !== undefined || rerun) messageIds.push({ context, messageId });
    if (push.match !== undefined || draft.description !== undefined) waits.addPush(push);
    if (replaces !== undefined) parked.push(replaces);
  };
  const addTransfer = ({ context, stream, messageId }: TransferUnit) => {
    addStream(context, stream);
    if (rerun) messageIds.push({ context, messageId });
  };
  for (const unit of units) {
    pushesOf(unit).forEach(addPush);
    if (unit.kind === 'manage') consumers.push(unit.change);
    else if (unit.kind === 'transfer') addTransfer(unit);
    else if (unit.kind === 'truncate') addStream(unit.context, unit.stream);
    else if (unit.kind !== 'push' && unit.kind !== 'erase') waits.addUnit(unit);
  }
  // Ids of pushes that leave no entry are not guarded by the log's unique key.
  const lookUpFirst = rerun || waits.hasLedgered;
  return {
    ...{ streams: [...streams.values()], messageIds, lookUpFirst, waits: waits.needs() },
    parked: parked.length === 0 ? undefined : parked,
    consumers: consumers.length === 0 ? undefined : consumers,
  };
}

class WaitNeedsGatherer {
  readonly #keys = new Map<string, WaitKey>();
  readonly #finds = new Map<string, Find>();
  readonly #identities = new Map<string, Identity>();
  readonly #eventIds = new Set<number>();
  readonly #shapeIds = new Set<number>();
  hasLedgered = false;

  addPush(push: Push): void {
    const { draft, match, digest } = push;
    if (match?.unregistered !== undefined) {
      // It leaves no entry, whose unique key would find a retry.
      if (match.unregistered === 'discard' && digest !== undefined) this.hasLedgered = true;
      return;
    }
    for (const key of match?.keys ?? []) this.#keys.set(key.text, key);
    if (draft.payload === undefined) {
      if (digest !== undefined) this.hasLedgered = true;
      if (match?.isUnindexed === true) return;
      const find = findOf(push);
      this.#finds.set(find.text, find);
    } else if (match?.problem === undefined) {
      for (const identity of identitiesOf(push)) this.#identities.set(identity.text, identity);
    }
  }

  addUnit(unit: Exclude<GroupUnit, { kind: 'push' | 'transfer' | 'truncate' | 'manage' | 'erase' }>): void {
    if (unit.kind === 'blank') for (const id of unit.waitIds) this.#eventIds.add(id);
    if (unit.kind === 'expire' || unit.kind === 'blank') for (const id of unit.eventIds) this.#eventIds.add(id);
    else if (unit.kind === 'observe' || unit.kind === 'invalidate') this.#eventIds.add(unit.eventId);
    else if (unit.kind === 'drop') for (const id of unit.shapeIds) this.#shapeIds.add(id);
  }

  needs(): WaitNeeds | undefined {
    const needs = {
      keys: [...this.#keys.values()],
      finds: [...this.#finds.values()],
      identities: [...this.#identities.values()],
      eventIds: [...this.#eventIds],
      shapeIds: [...this.#shapeIds],
    };
    return Object.values(needs).every((list) => list.length === 0) ? undefined : needs;
  }
}
