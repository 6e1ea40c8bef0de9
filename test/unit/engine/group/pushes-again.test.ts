// What is sent again when the index of a description was given back in between: looks, but no call that also stores, as it would
// come behind what its stream has pushed since.

import { expect, it } from 'vitest';
import { MadeleineError } from '../../../../src/domain/errors.js';
import type { PushOutcome } from '../../../../src/domain/group/group-outcomes.js';
import { type Prepared, Pushes, type PushesOptions } from '../../../../src/engine/group/pushes.js';

const UNINDEXED: PushOutcome = {
  kind: 'refused',
  error: new MadeleineError('SEARCH_TOO_WIDE', 'the index of this description is being made anew'),
  fault: 0,
  isUnindexed: true,
};

function pushOf(draft: object): Prepared {
  return { push: { draft: { description: undefined, ...draft }, messageId: 'id' } } as unknown as Prepared;
}

const STORES = pushOf({ payload: { bytes: new Uint8Array() } });
const LOOKS = pushOf({ payload: undefined });

async function submissions(prepared: readonly Prepared[], atomic: boolean): Promise<number> {
  let submitted = 0;
  const groupCommit = {
    submit: async ({ pushes }: { readonly pushes: readonly unknown[] }) => {
      submitted += 1;
      return { pushes: pushes.map(() => UNINDEXED) };
    },
  };
  const parts = { groupCommit, metrics: { pushes: { inc() {} } } };
  const pushes = new Pushes(parts as unknown as PushesOptions);
  const results = await pushes.pushPrepared(prepared, atomic);
  expect(results.map(({ kind }) => kind)).toEqual(prepared.map(() => 'refused'));
  return submitted;
}

it.each([
  ['looks, three times at most', [LOOKS, LOOKS], false, 3],
  ['looks of one unit', [LOOKS, LOOKS], true, 3],
  ['looks beside what is stored on its own', [STORES, LOOKS], false, 3],
])('sends %s again', async (_, prepared, atomic, times) => {
  expect(await submissions(prepared, atomic)).toBe(times);
});

it('sends a unit that also stores once', async () => {
  expect(await submissions([STORES, LOOKS], true)).toBe(1);
});
