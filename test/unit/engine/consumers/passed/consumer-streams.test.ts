// Which consumers get events of a stream.

import { expect, it } from 'vitest';
import { DEFAULT_SETTINGS } from '../../../../../src/domain/consumers/consumer.js';
import { getsStream } from '../../../../../src/engine/consumers/passed/consumer-streams.js';

it.each<[readonly string[] | undefined, boolean]>([
  [undefined, true],
  [[], true],
  [['s'], true],
  [['t', 's'], true],
  [['t'], false],
])('a consumer of the streams %j gets the stream s: %s', (streams, gets) => {
  const filter = { topics: ['whatever'], ...(streams === undefined ? {} : { streams }) };
  expect(getsStream({ context: 'default', name: 'mailer' }, { ...DEFAULT_SETTINGS, filter }, 's')).toBe(gets);
});
