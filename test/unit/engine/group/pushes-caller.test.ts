// For whom the index of a description is made: callers take turns, so the one who pushes has to be told.

import { expect, it } from 'vitest';
import { parseDescription } from '../../../../src/domain/descriptions/description.js';
import { BLANK_ENVELOPE } from '../../../../src/domain/events/envelope.js';
import { Pushes, type PushesOptions } from '../../../../src/engine/group/pushes.js';

it('a push has the index of its description made in the turn of its caller', async () => {
  const asked: unknown[] = [];
  const ensure = async (_topic: unknown, _shape: unknown, by: unknown) => void asked.push(by);
  const parts = {
    shapes: { ensure },
    discards: { note() {}, isUnregistered: () => false },
    lookBack: { from: async () => ({ since: 0, after: 0 }) },
    uuids: { next: () => '' },
  };
  const pushes = new Pushes(parts as unknown as PushesOptions);
  const description = parseDescription(Buffer.from('{"a":1}'), 'description');
  const draft = { ...BLANK_ENVELOPE, context: 'default', topic: 't', issuer: 'i', messageId: '', payload: undefined };
  const by = { caller: 'somebody', signal: new AbortController().signal };
  await pushes.prepare([{ draft: { ...draft, description }, expectedSequence: undefined }], by);
  expect(asked).toEqual([by]);
});
