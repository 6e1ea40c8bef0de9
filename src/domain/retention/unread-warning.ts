// When it is told that events are about to go which a durable consumer has not passed, as a setting of their topic.

import { createHash } from 'node:crypto';
import type { Micros, Position } from '../../units.js';
import { fieldInvalid } from '../errors.js';
import { EMPTY_ENVELOPE } from '../events/envelope.js';
import type { EventDraft } from '../events/event.js';
import { Subject } from '../events/subject.js';
import { SERVER_ISSUER } from '../names.js';
import { parseTtl, ttlMicros } from './ttl.js';

/** The setting of who wants none. */
export const NO_WARNING = 'none';
export const DEFAULT_WARNING = '1day';

/** The topic of the warnings. */
export const RETENTION_TOPIC = 'madeleine.retention';
const DAY: Micros = 86_400_000_000;

/** Returns the setting in its normal form; the empty text is the default. FIELD_INVALID for what is no duration. */
export function parseWarning(text: string, field: string): string {
  const given = text.trim().toLowerCase();
  if (given === '') return DEFAULT_WARNING;
  if (given === NO_WARNING) return NO_WARNING;
  const normal = parseTtl(given, field);
  if (ttlMicros(normal) === undefined) throw fieldInvalid(field, 'is no duration, such as 24h or 3days, nor none');
  return normal;
}

/** Returns how long before; undefined: never. */
export function warningMicros(setting: string): Micros | undefined {
  return setting === NO_WARNING ? undefined : ttlMicros(setting);
}

/** A consumer that is about to lose events. */
export interface UnreadWarning {
  readonly consumerId: number;
  /** The generation of its offset: once that was moved it is told anew. */
  readonly generation: number;
  readonly context: string;
  readonly consumer: string;
  /** The context of the topic. */
  readonly topicContext: string;
  readonly topicId: number;
  readonly topic: string;
  /** How many of its events go within the time of the warning, or at least so many. */
  readonly events: number;
  readonly isMinimum: boolean;
  readonly firstPosition: Position;
  /** When the first one goes. */
  readonly goesAt: Micros;
  readonly now: Micros;
}

/** The event that tells it. Its message id is the same all day, unless the consumer is moved, so that it is stored once whoever finds it. */
export function warningDraft(warning: UnreadWarning): EventDraft {
  const { context, consumer, topic, topicContext, events, isMinimum, firstPosition, goesAt } = warning;
  const content = {
    ...{ consumer, consumer_context: context, topic, events, events_is_minimum: isMinimum },
    ...{ first_position: firstPosition, goes_at: new Date(goesAt / 1_000).toISOString() },
  };
  return {
    ...EMPTY_ENVELOPE,
    ...{ context: topicContext, topic: RETENTION_TOPIC, issuer: SERVER_ISSUER, subject: Subject.REPORT },
    ...{ tag: consumer, entityType: 'consumer', messageId: warningId(warning) },
    payload: { contentType: 'application/json', bytes: Buffer.from(JSON.stringify(content)) },
    description: undefined,
  };
}

/** A UUID of version 8, by consumer and its generation, topic and UTC day. */
function warningId({ consumerId, generation, topicId, now }: UnreadWarning): string {
  const day = Math.floor(now / DAY);
  const hash = createHash('sha256')
    .update(`unread ${consumerId} ${topicId} ${day} ${generation}`)
    .digest()
    .subarray(0, 16);
  hash[6] = ((hash[6] as number) & 0x0f) | 0x80;
  hash[8] = ((hash[8] as number) & 0x3f) | 0x80;
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
