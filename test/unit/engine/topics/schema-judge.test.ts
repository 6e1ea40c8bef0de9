// Whether a new schema is compatible with versions of which much cannot be told.

import { expect, it } from 'vitest';
import { JsonSchema } from '../../../../src/domain/schemas/json-schema.js';
import { TopicSchema, TopicSchemas } from '../../../../src/domain/schemas/topic-schema.js';
import { SchemaJudge } from '../../../../src/engine/topics/schema-judge.js';
import { LoopSlices } from '../../../../src/lib/loop-slices.js';

/** A schema of which nobody can tell whether another one of them breaks it, but by the last member. */
function schema(count: number, last: string): string {
  const opaque = (n: number) => ({ propertyNames: { pattern: `^q${count}${n}[a-z]{${count}}zq$` } });
  const members = Array.from({ length: 52 }, (_, n) => [`p${n}`, opaque(n)]);
  return JSON.stringify({ type: 'object', properties: { ...Object.fromEntries(members), last: { type: last } } });
}

it('looks at every version, however much of the newer ones is not proven', async () => {
  const texts = [schema(2, 'string'), ...[3, 4].map((count) => schema(count, 'number'))];
  const versions = new TopicSchemas(texts.map((text, at) => new TopicSchema(at + 1, text)));
  const judge = new SchemaJudge({ strict: false, slices: new LoopSlices() });
  const fresh = JsonSchema.parse(schema(5, 'number'), 'schema');
  const judging = { compatibility: 'BACKWARD_TRANSITIVE', caller: '' } as const;
  const { isCompatible, findings } = await judge.judge(fresh, versions, judging);
  expect(isCompatible).toBe(false);
  expect(findings).toHaveLength(100);
  expect(findings[0]).toMatchObject({ version: 1, path: '/last', keyword: 'type' });
});
