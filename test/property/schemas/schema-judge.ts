// Another implementation of JSON Schema, which says what is valid.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { Json, JsonObject } from '../../../src/domain/schemas/json.js';

/** Tells of values whether they are valid by the schema. */
export function judge(schema: JsonObject): (value: Json) => boolean {
  const ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    ownProperties: true,
    unicodeRegExp: true,
    logger: false,
    validateSchema: false,
  });
  const validate: ValidateFunction = ajv.compile(schema);
  return (value) => validate(value);
}

/**
 * The schema of the same values without members that it does not speak of, wherever their objects lie: of those that others than
 * strict readers count as written.
 */
export function withoutUnnamed(schema: Json): Json {
  if (typeof schema === 'boolean') return schema;
  return {
    allOf: [inPlace(schema as JsonObject)],
    unevaluatedProperties: false,
    $defs: (schema as JsonObject)['$defs'] ?? {},
  };
}

function inPlace(schema: Json): Json {
  if (typeof schema === 'boolean') return schema;
  const { additionalProperties, $defs: _, ...others } = schema as JsonObject;
  const made: Record<string, Json> = { ...others };
  for (const [keyword, value] of Object.entries(made)) made[keyword] = part(keyword, value);
  const isOpen = additionalProperties === true || isEmpty(additionalProperties);
  if (additionalProperties !== undefined && !isOpen)
    made['additionalProperties'] = withoutUnnamed(additionalProperties);
  return made;
}

function isEmpty(value: Json | undefined): boolean {
  return (
    typeof value === 'object' && value !== null && Object.keys(value).filter((key) => key !== '$defs').length === 0
  );
}

function part(keyword: string, value: Json): Json {
  switch (keyword) {
    case 'allOf':
    case 'anyOf':
    case 'oneOf':
      return (value as readonly Json[]).map(inPlace);
    case 'prefixItems':
      return (value as readonly Json[]).map(withoutUnnamed);
    case 'items':
      return withoutUnnamed(value);
    case 'properties':
    case 'patternProperties':
      return Object.fromEntries(Object.entries(value as JsonObject).map(([name, one]) => [name, withoutUnnamed(one)]));
    default:
      return value;
  }
}
