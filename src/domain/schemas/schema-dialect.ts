// The two dialects of JSON Schema that are understood, and how each says what it means.

export type Dialect = '2020-12' | 'draft-07';

const DIALECTS: ReadonlyMap<string, Dialect> = new Map([
  ['https://json-schema.org/draft/2020-12/schema', '2020-12'],
  ['http://json-schema.org/draft-07/schema', 'draft-07'],
]);

/** The dialect that `$schema` names; undefined: another one. */
export function dialectOf(uri: string): Dialect | undefined {
  return DIALECTS.get(
    uri.replace(/#$/, '').replace(/^https?:\/\/json-schema\.org\/draft-07\//, 'http://json-schema.org/draft-07/'),
  );
}

/** Keywords that say something to people and programs, and nothing of what is valid. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  ...['$schema', '$comment', '$vocabulary', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly'],
  ...['writeOnly', 'format', 'contentEncoding', 'contentMediaType', 'contentSchema'],
]);
