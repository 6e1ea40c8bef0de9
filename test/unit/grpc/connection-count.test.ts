// How many connections one address may have: half of what the server takes, so that others find a place.

import { expect, it } from 'vitest';
import { ConnectionCount, MAX_CONNECTIONS } from '../../../src/grpc/server/http2-server.js';

it('one address takes half of the places at most, and gives them back', () => {
  const count = new ConnectionCount();
  const take = (address: string) => {
    let taken = 0;
    while (count.add(address)) taken += 1;
    return taken;
  };
  expect(take('127.0.0.2')).toBe(MAX_CONNECTIONS.address);
  expect(take('127.0.0.1')).toBe(MAX_CONNECTIONS.all - MAX_CONNECTIONS.address);
  expect(take('127.0.0.3')).toBe(0);
  for (let n = 0; n < 10; n += 1) count.remove('127.0.0.2');
  expect(take('127.0.0.3')).toBe(10);
});
