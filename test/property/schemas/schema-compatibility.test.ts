// What is told of two versions of a schema is held against another implementation, which judges documents: what counts as proven has
// no document that says otherwise, and each example is one. Ten thousand pairs: RUNS=10000 SEED=…

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findingsBetween,
  isBreak,
  type SchemaFinding,
} from '../../../src/domain/schemas/compatibility/compatibility.js';
import type { Json, JsonObject } from '../../../src/domain/schemas/json.js';
import { JsonSchema } from '../../../src/domain/schemas/json-schema.js';
import { PROPERTY_TIMEOUT_MS, propertyParameters } from '../../support/property.js';
import { anyDocument, anyPair, anySchema } from '../../support/schemas/arbitrary-schemas.js';
import { judge, withoutUnnamed } from './schema-judge.js';

const RUNS = 1_000;
const DOCUMENTS = 40;

const documents = fc.array(anyDocument, { minLength: DOCUMENTS, maxLength: DOCUMENTS });

function read(schema: JsonObject): JsonSchema {
  return JsonSchema.parse(JSON.stringify(schema), 'schema');
}

/** What stands between two versions for who reads with the later one. */
function findings([former, fresh]: readonly [JsonObject, JsonObject], strict: boolean): readonly SchemaFinding[] {
  return findingsBetween(read(fresh), { version: 1, schema: read(former) }, 'backward', strict);
}

describe.each([
  ['keywords that are decided', false],
  ['all keywords', true],
])('schemas of %s', (_, others) => {
  it(
    'take what another implementation takes',
    () => {
      fc.assert(
        fc.property(anySchema({ others }), documents, (schema, some) => {
          const isValid = judge(schema);
          const ours = read(schema);
          for (const document of some) {
            const found = ours.mismatches(document);
            expect({ document, valid: found.length === 0 }).toEqual({ document, valid: isValid(document) });
            expect(ours.isValid(document)).toBe(found.length === 0);
          }
        }),
        propertyParameters(RUNS),
      );
    },
    PROPERTY_TIMEOUT_MS,
  );

  it(
    'are compatible where nothing is found, and not where an example is shown',
    () => {
      fc.assert(
        fc.property(anyPair({ others }), documents, (pair, some) => {
          const found = findings(pair, true);
          const [isWritten, isRead] = pair.map(judge) as [(value: Json) => boolean, (value: Json) => boolean];
          if (found.length === 0) {
            for (const document of some) {
              if (isWritten(document))
                expect({ document, isRead: isRead(document) }).toEqual({ document, isRead: true });
            }
          }
          for (const { example } of found.filter(isBreak)) {
            const document = JSON.parse(example ?? '') as Json;
            expect({ document, isWritten: isWritten(document), isRead: isRead(document) }).toEqual({
              document,
              isWritten: true,
              isRead: false,
            });
          }
        }),
        propertyParameters(RUNS),
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});

describe('without strictness', () => {
  it(
    'versions are compatible for documents whose members their writer names',
    () => {
      fc.assert(
        fc.property(anyPair({ others: false }), documents, (pair, some) => {
          const found = findings(pair, false);
          const [isWritten, isRead] = pair.map(judge) as [(value: Json) => boolean, (value: Json) => boolean];
          const isNamed = judge(withoutUnnamed(pair[0]) as JsonObject);
          for (const document of found.length === 0 ? some : []) {
            if (isNamed(document) && isWritten(document))
              expect({ document, isRead: isRead(document) }).toEqual({ document, isRead: true });
          }
          for (const { example } of found.filter(isBreak)) {
            const document = JSON.parse(example ?? '') as Json;
            expect({ document, isWritten: isWritten(document), isRead: isRead(document) }).toEqual({
              document,
              isWritten: true,
              isRead: false,
            });
          }
        }),
        propertyParameters(RUNS),
      );
    },
    PROPERTY_TIMEOUT_MS,
  );
});
