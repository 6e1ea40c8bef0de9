// Schemas to the wire.

import type {
  CheckSchemaResponse,
  SchemaFinding as WireFinding,
  RefusedEvent as WireRefused,
  Schema as WireSchema,
  SchemaShadow as WireShadow,
} from '../../../generated/madeleine/v1/topic_service.js';
import type { SchemaFinding } from '../../domain/schemas/compatibility/compatibility.js';
import type { JsonSchema } from '../../domain/schemas/json-schema.js';
import { TOPIC_SETTINGS } from '../../domain/topics/topic-settings.js';
import type { RefusedEvent, ShadowResult } from '../../engine/topics/schema-shadow.js';
import type { CheckedSchema, ToldSchema } from '../../engine/topics/schemas.js';
import { toTimestamp } from '../wire/wire.js';

/** Pointers to unknown keywords that are told. */
const MAX_UNKNOWN = 100;

export function schemaToWire(
  { context, name }: { readonly context: string; readonly name: string },
  { version, createdAt, text, bytes, isInForce }: ToldSchema,
): WireSchema {
  return { context, topic: name, version, createdAt: toTimestamp(createdAt), schema: text, bytes, inForce: isInForce };
}

export function checkToWire(checked: CheckedSchema, { unknown }: JsonSchema): CheckSchemaResponse {
  const { isCompatible, compatibility, latestVersion, isSame, findings, shadow } = checked;
  return {
    compatible: isCompatible,
    compatibility: TOPIC_SETTINGS.compatibility.write(compatibility),
    latestVersion,
    same: isSame,
    findings: findings.map(findingToWire),
    unknownKeywords: unknown.slice(0, MAX_UNKNOWN),
    shadow: shadow && shadowToWire(shadow),
  };
}

function findingToWire({ direction, example = '', ...finding }: SchemaFinding): WireFinding {
  return { ...finding, backward: direction === 'backward', example };
}

function shadowToWire({ examined, refused, bytes, samples, lookedDownTo, isComplete }: ShadowResult): WireShadow {
  return {
    examined,
    refused,
    bytes: BigInt(bytes),
    samples: samples.map(refusedToWire),
    complete: isComplete,
    lookedDownTo: BigInt(lookedDownTo),
  };
}

function refusedToWire({ entry, mismatches }: RefusedEvent): WireRefused {
  const { eventId, position, createdAt, version } = entry;
  return {
    eventId: BigInt(eventId),
    position: BigInt(position),
    createdAt: toTimestamp(createdAt),
    version,
    mismatches: mismatches.map(({ path, what, rule }) => ({ path, description: what, rule })),
  };
}
