// Topics from and to the wire: checks of requests, and the messages that answer them.

import {
  type UpdateTopicRequest,
  type IdentityBuild as WireBuild,
  type SettingChange as WireChange,
  TopicSettings as WireSettings,
  type StoredEvents as WireStored,
  type Topic as WireTopic,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import { reservedTopicProblem } from '../../domain/names.js';
import type { IdentityBuild } from '../../domain/topics/identity-build.js';
import type { StoredTopic } from '../../domain/topics/stored-topic.js';
import type { ToldTopic } from '../../domain/topics/topic.js';
import {
  type SettingDifference,
  settingFields,
  settingFrom,
  type TopicSettings,
} from '../../domain/topics/topic-settings.js';
import { filterValues, ownContext, requiredName, toTimestamp } from '../wire/wire.js';

/** The topic that a request registers or changes: none of the server's own. */
export function ownTopic(request: { readonly context: string; readonly name: string }) {
  const context = ownContext('context', request.context);
  const name = requiredName('name', request.name);
  const problem = reservedTopicProblem(name);
  if (problem !== undefined) throw fieldInvalid('name', problem);
  return { context, name };
}

/** What an update changes: the settings that the mask names, those that are not given to what they are unset. */
export function patchFromWire({ settings, updateMask: mask }: UpdateTopicRequest): Partial<TopicSettings> {
  if (mask === undefined || mask.length === 0) throw fieldInvalid('update_mask', 'is required');
  const given = settings ?? WireSettings.create();
  const parts = filterValues('update_mask.paths', mask).map((path, index) => {
    const part = settingFrom(path, given, 'settings');
    if (part === undefined) throw fieldInvalid(`update_mask.paths[${index}]`, `is not a setting: ${path}`);
    return part;
  });
  return Object.assign({}, ...parts);
}

export function topicToWire({ context, name, registration, stored: held }: ToldTopic): WireTopic {
  const stored = held && storedToWire(held);
  if (registration === undefined) {
    const none = { registeredAt: undefined, settings: undefined, identityBuild: undefined };
    return { context, name, registered: false, ...none, stored };
  }
  const { registeredAt, settings, build } = registration;
  return {
    context,
    name,
    registered: true,
    stored,
    // 0: it only would be registered.
    registeredAt: registeredAt === 0 ? undefined : toTimestamp(registeredAt),
    settings: settingFields(settings),
    identityBuild: build && buildToWire(build),
  };
}

function buildToWire(build: IdentityBuild): WireBuild {
  return {
    formerDescriptionPaths: build.endedAt === undefined ? [...build.inForce] : [],
    builtTo: BigInt(build.builtTo),
    buildUpTo: BigInt(build.watchedAfter),
    identified: BigInt(build.identified),
    withoutIdentity: BigInt(build.unidentified),
    repeated: BigInt(build.repeated),
    repeatedEventIds: build.repeatedIds.map(BigInt),
    startedAt: toTimestamp(build.startedAt),
    endedAt: build.endedAt === undefined ? undefined : toTimestamp(build.endedAt),
  };
}

function storedToWire(stored: StoredTopic): WireStored {
  const { events, bytes, countedTo, countedAt, oldest, newest, eventsPerSecond } = stored;
  return {
    events: BigInt(events),
    bytes: BigInt(bytes),
    asOfPosition: BigInt(countedTo),
    asOf: countedAt === 0 ? undefined : toTimestamp(countedAt),
    oldestPosition: BigInt(oldest?.position ?? 0),
    oldestAt: oldest && toTimestamp(oldest.createdAt),
    newestPosition: BigInt(newest?.position ?? 0),
    newestAt: newest && toTimestamp(newest.createdAt),
    eventsPerSecond,
  };
}

export function changesToWire(changes: readonly SettingDifference[]): WireChange[] {
  return changes.map(({ name, before, after }) => ({
    path: `settings.${name}`,
    before: JSON.stringify(before),
    after: JSON.stringify(after),
  }));
}
