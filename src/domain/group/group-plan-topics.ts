// What becomes of a registration: pure decisions on what the catalogue knows of the topic. Where its description paths change the identities
// of its events are built anew, and until that is done pushes obey the former ones.

import type { Micros, Position } from '../../units.js';
import { MadeleineError } from '../errors.js';
import { TopicSchema, type TopicSchemas } from '../schemas/topic-schema.js';
import { type SettingDifference, settingDifferences } from '../topics/topic-settings.js';
import type { Identified, Refused, Registered, Unregistered, Updated } from './group-outcomes.js';
import type { IdentifiedUnit, RegisterUnit, UnregisterUnit, UpdateUnit } from './group-plan-types.js';
import type { CatalogChange, RegisteredTopic } from './shape-catalog.js';

/** An outcome, and how the catalogue changes with it; undefined: it stays as it is. */
export interface Decided<Outcome> {
  readonly outcome: Outcome | Refused;
  readonly change?: CatalogChange;
}

/** The group that decides. */
interface Deciding {
  /** The versions of the topic's schema, in force or not. */
  readonly schemas: TopicSchemas;
  readonly time: Micros;
  /** Its position, and the version of the catalogue that it makes. */
  readonly position: Position;
  readonly version: number;
}

export function decideRegister(
  { context, topic, settings, latestSchema }: RegisterUnit,
  known: RegisteredTopic | undefined,
  { time, schemas }: Deciding,
): Decided<Registered> {
  if (known === undefined) {
    if (isOutdated(latestSchema, schemas)) return { outcome: { kind: 'refused', error: schemaChanged() } };
    const schema = nextSchema(settings, schemas);
    const change = { kind: 'registered', context, topic, settings, schema, registeredAt: time } as const;
    return { outcome: { kind: 'registered', created: true }, change };
  }
  const differences = settingDifferences(known.settings, settings);
  if (differences.length > 0) return { outcome: { kind: 'refused', error: topicDiffers(context, topic, differences) } };
  return { outcome: { kind: 'registered', created: false } };
}

/** Refused unless the topic is registered; `outdated` where it has other settings than the caller saw. */
export function decideUpdate(
  unit: UpdateUnit,
  known: RegisteredTopic | undefined,
  deciding: Deciding,
): Decided<Updated> {
  const { context, topic, expected, settings, latestSchema } = unit;
  const { schemas } = deciding;
  if (known === undefined) return { outcome: { kind: 'refused', error: topicUnregistered(context, topic) } };
  if (isOther(known, expected) || isOutdated(latestSchema, schemas)) {
    return { outcome: { kind: 'updated', effect: 'outdated' } };
  }
  const differences = settingDifferences(expected, settings);
  if (differences.length === 0) return { outcome: { kind: 'updated', effect: 'same' } };
  const pending = pendingAfter(known, settings, deciding);
  const change = {
    kind: 'updated',
    context,
    topic,
    former: known,
    settings,
    schema: nextSchema(settings, schemas),
    pending,
    at: deciding.time,
  } as const;
  return { outcome: { kind: 'updated', effect: 'changed' }, change };
}

export function decideUnregister(
  { context, topic, expected }: UnregisterUnit,
  known: RegisteredTopic | undefined,
): Decided<Unregistered> {
  if (known === undefined) return { outcome: { kind: 'refused', error: topicUnregistered(context, topic) } };
  if (isOther(known, expected)) return { outcome: { kind: 'unregistered', effect: 'outdated' } };
  return { outcome: { kind: 'unregistered', effect: 'changed' }, change: { kind: 'unregistered', context, topic } };
}

/** Does nothing for a build that is over, or that another one has taken the place of. */
export function decideIdentified(
  { context, topic, buildId }: IdentifiedUnit,
  known: RegisteredTopic | undefined,
  { time }: Deciding,
): Decided<Identified> {
  if (known?.pending?.buildId !== buildId) return { outcome: { kind: 'identified', isInForce: false } };
  const { descriptionPaths } = known.settings;
  const change = { kind: 'identified', context, topic, buildId, descriptionPaths, at: time } as const;
  return { outcome: { kind: 'identified', isInForce: true }, change };
}

/** What is to be built for the settings: nothing for paths that are in force, or for none. */
function pendingAfter(
  { settings: former, pending }: RegisteredTopic,
  { descriptionPaths }: UpdateUnit['settings'],
  { position, version }: Deciding,
): RegisteredTopic['pending'] {
  if (isSame(descriptionPaths, former.descriptionPaths)) return pending;
  const inForce = pending?.inForce ?? former.descriptionPaths;
  if (descriptionPaths.length === 0 || isSame(descriptionPaths, inForce)) return undefined;
  return { buildId: version, inForce, watchedAfter: position };
}

/** The version that the schema of the settings becomes, unless it is the latest one. */
function nextSchema({ schema }: UpdateUnit['settings'], { latest }: TopicSchemas): TopicSchema | undefined {
  if (schema === '' || schema === latest?.text) return undefined;
  return new TopicSchema((latest?.version ?? 0) + 1, schema);
}

/** Whether there is another version than the one that the new schema was compared with. */
function isOutdated(latestSchema: number | undefined, { latest }: TopicSchemas): boolean {
  return latestSchema !== undefined && latestSchema !== (latest?.version ?? 0);
}

/** Somebody else gave the topic a schema meanwhile: this one has to be compared with that. */
function schemaChanged(): MadeleineError {
  return new MadeleineError('OVERLOADED', 'others change the schema of the topic', { retryAfterMs: 250 });
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function isOther({ settings }: RegisteredTopic, expected: UpdateUnit['expected']): boolean {
  return settingDifferences(settings, expected).length > 0;
}

/** The topic has no settings that could be changed or taken away, or that a push to it could obey. */
export function topicUnregistered(context: string, topic: string): MadeleineError {
  return new MadeleineError('TOPIC_UNREGISTERED', `the topic "${topic}" is not registered`, {
    metadata: { context, topic },
  });
}

/** Characters of a value in a refusal, which has to stay short. */
const MAX_TOLD = 160;

/** Both values are told, so that the caller sees which of the two is wrong. */
function topicDiffers(context: string, topic: string, differences: readonly SettingDifference[]): MadeleineError {
  const names = differences.map(({ name }) => name).join(', ');
  const details = {
    violations: differences.map(({ name, before, after }) => ({
      field: `settings.${name}`,
      description: `is registered as ${toldText(before)}, asked for as ${toldText(after)}`,
    })),
    metadata: { context, topic, differing: differences.map(({ name }) => name).join(',') },
  };
  return new MadeleineError('TOPIC_DIFFERS', `the topic "${topic}" is registered with other ${names}`, details);
}

function toldText(value: SettingDifference['before']): string {
  const text = JSON.stringify(value);
  return text.length <= MAX_TOLD ? text : `${text.slice(0, MAX_TOLD)}…`;
}
