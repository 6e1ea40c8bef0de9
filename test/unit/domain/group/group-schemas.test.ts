// Pushes whose topic has got another version of its schema since they came.

import { expect, it } from 'vitest';
import { EMPTY_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { matchPushes } from '../../../../src/domain/group/group-plan-needs.js';
import type { Push } from '../../../../src/domain/group/group-plan-types.js';
import type { ShapeCatalog } from '../../../../src/domain/group/shape-catalog.js';
import { costlyCatalog } from '../../../support/schemas/costly-schema.js';

/** A push that met the schema of the catalogue as it came. */
function push(catalog: ShapeCatalog): Push {
  const payload = { contentType: '', bytes: Buffer.from('1') };
  const draft = { ...EMPTY_ENVELOPE, context: 'default', topic: 't', issuer: 'i', payload, description: undefined };
  const met = catalog.of('default', 't')?.schemas?.meet({ ...draft, messageId: '' });
  return { draft: { ...draft, messageId: '' }, messageId: '', digest: undefined, expectedSequence: undefined, met };
}

function reasons(pushes: readonly Push[], catalog: ShapeCatalog) {
  matchPushes([{ kind: 'push', atomic: false, pushes }], catalog);
  return pushes.map(({ match }) => match?.problem?.reason);
}

it('are held against it again, as many as that takes a bounded time for; the others may be pushed again', () => {
  const pushes = Array.from({ length: 20 }, () => push(costlyCatalog('t', 1)));
  const found = reasons(pushes, costlyCatalog('t', 2));
  const checked = found.indexOf('OVERLOADED');
  expect(checked).toBeGreaterThanOrEqual(4);
  expect(checked).toBeLessThanOrEqual(10);
  expect(found.slice(0, checked)).toEqual(Array(checked).fill(undefined));
  expect(found.slice(checked)).toEqual(Array(20 - checked).fill('OVERLOADED'));
});

it('are not where it is the same', () => {
  const catalog = costlyCatalog('t', 1);
  const pushes = Array.from({ length: 20 }, () => push(catalog));
  expect(reasons(pushes, catalog)).toEqual(Array(20).fill(undefined));
});
