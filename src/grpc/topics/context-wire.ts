// Contexts and what was discarded in them, from and to the wire.

import {
  type UpdateContextRequest,
  type Context as WireContext,
  type DiscardedSample as WireSample,
  UnregisteredTopics as WireUnregistered,
} from '../../../generated/madeleine/v1/topic_service.js';
import { fieldInvalid } from '../../domain/errors.js';
import type { ContextSettings, UnregisteredTopics } from '../../domain/topics/context-settings.js';
import type { ToldContext } from '../../engine/topics/contexts.js';
import type { DiscardedSample } from '../../storage/ports/topic-storage.js';
import { filterValues, toTimestamp } from '../wire/wire.js';

const UNREGISTERED = {
  accept: WireUnregistered.UNREGISTERED_TOPICS_ACCEPT,
  discard: WireUnregistered.UNREGISTERED_TOPICS_DISCARD,
  reject: WireUnregistered.UNREGISTERED_TOPICS_REJECT,
} as const satisfies Record<UnregisteredTopics, WireUnregistered>;

/** What an update changes: the settings that the mask names, those that are not given to what they are unset. */
export function contextPatch({ settings, updateMask: mask }: UpdateContextRequest): Partial<ContextSettings> {
  if (mask === undefined || mask.length === 0) throw fieldInvalid('update_mask', 'is required');
  for (const [index, path] of filterValues('update_mask.paths', mask).entries()) {
    if (path !== 'unregistered_topics') throw fieldInvalid(`update_mask.paths[${index}]`, `is not a setting: ${path}`);
  }
  const value = settings?.unregisteredTopics ?? WireUnregistered.UNREGISTERED_TOPICS_UNSPECIFIED;
  if (value === WireUnregistered.UNREGISTERED_TOPICS_UNSPECIFIED) return { unregisteredTopics: undefined };
  const names = Object.keys(UNREGISTERED) as UnregisteredTopics[];
  const unregisteredTopics = names.find((name) => UNREGISTERED[name] === value);
  if (unregisteredTopics === undefined) {
    throw fieldInvalid('settings.unregistered_topics', 'has to be one of ACCEPT, DISCARD and REJECT');
  }
  return { unregisteredTopics };
}

export function contextToWire({ name, settings, inForce }: ToldContext): WireContext {
  const { unregisteredTopics } = settings;
  const own =
    unregisteredTopics === undefined
      ? WireUnregistered.UNREGISTERED_TOPICS_UNSPECIFIED
      : UNREGISTERED[unregisteredTopics];
  return { name, settings: { unregisteredTopics: own }, unregisteredTopics: UNREGISTERED[inForce] };
}

export function sampleToWire(sample: DiscardedSample): WireSample {
  const { id, context, topic, issuer, messageId, contentType, payloadBytes, payload, description } = sample;
  return {
    id: BigInt(id),
    ...{ context, topic, issuer, messageId, contentType, payloadBytes },
    discardedAt: toTimestamp(sample.discardedAt),
    payload: Buffer.from(payload ?? []),
    description: description ?? '',
  };
}
