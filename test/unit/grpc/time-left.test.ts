// How long a call works that answers with what it has: until its caller still gets the answer.

import { expect, it } from 'vitest';
import { TIME_LEFT_KEY, workingMs } from '../../../src/grpc/wire/time-left.js';

const left = (text: string | undefined) => workingMs({ get: (key) => (key === TIME_LEFT_KEY ? text : undefined) });

it.each([
  [undefined, undefined],
  ['30000', 29_500],
  ['1000', 500],
  ['600', 300],
  ['0', 0],
])('of a call with %s ms left it is %s', (text, expected) => {
  expect(left(text)).toBe(expected);
});
