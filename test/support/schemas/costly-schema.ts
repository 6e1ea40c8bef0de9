// A schema that takes many steps for any payload, however small: about 500,000 are the most that a check may take.

import { ShapeCatalog } from '../../../src/domain/group/shape-catalog.js';
import { TopicSchema, TopicSchemas } from '../../../src/domain/schemas/topic-schema.js';
import { UNSET_SETTINGS } from '../../../src/domain/topics/topic-settings.js';

/** Schemas of which each refers to the next one twice. */
function costlySchema(title: string): string {
  const both = (to: number) => ({ allOf: [{ $ref: `#/$defs/d${to}` }, { $ref: `#/$defs/d${to}` }] });
  const $defs = Array.from({ length: 17 }, (_, n) => [`d${n}`, n === 16 ? { minimum: 0 } : both(n + 1)]);
  return JSON.stringify({ title, $ref: '#/$defs/d0', $defs: Object.fromEntries($defs) });
}

/** A catalogue in which the topic has that many such versions. */
export function costlyCatalog(topic: string, versions: number): ShapeCatalog {
  const ofTopic = { context: 'default', topic };
  const all = Array.from({ length: versions }, (_, n) => new TopicSchema(n + 1, costlySchema(`version ${n + 1}`)));
  const settings = { ...UNSET_SETTINGS, schema: all.at(-1)?.text ?? '' };
  const schemas = [{ ...ofTopic, schemas: new TopicSchemas(all) }];
  return ShapeCatalog.of(versions, [], [{ ...ofTopic, settings }], [], new Map(), schemas);
}
