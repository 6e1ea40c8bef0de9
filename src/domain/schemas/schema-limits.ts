// Bounds of schemas and of what a check may cost.

export const limits = {
  /** Bytes that the text of a schema has at most. */
  schemaBytes: 64 * 1024,
  /** Levels of JSON that a schema may nest. */
  schemaDepth: 48,
  /** Schemas within a schema, itself too. */
  subschemas: 2_000,
  patternBytes: 1_024,
  /** Instructions that a pattern becomes. */
  patternSize: 500,
  /** Patterns of one schema. */
  patterns: 100,
  /** Schemas that a topic may ever get. */
  versions: 1_000,
  /** What a check of one payload may cost: a schema that is held against a value is a step or some. About 20 milliseconds. */
  steps: 500_000,
  /** Levels on which a schema may refer on while one payload is checked. */
  references: 100,
  /** Violations that a refusal names. */
  violations: 20,
} as const;
