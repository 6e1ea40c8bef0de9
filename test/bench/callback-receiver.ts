// A receiver of callbacks, a process of its own: takes every call and counts. Prints its address; any message is answered with
// what came since the one before. Ends with its parent.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Calls {
  readonly count: number;
  /** Milliseconds from the first call to the last. */
  readonly ms: number;
  /** Of the body that came last. */
  readonly bodyBytes: number;
}

let count = 0;
let firstAt = 0;
let lastAt = 0;
let bodyBytes = 0;

const server = createServer((request, response) => {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('end', () => {
    lastAt = performance.now();
    if (count === 0) firstAt = lastAt;
    count += 1;
    bodyBytes = bytes;
    response.writeHead(204).end();
  });
});

process.on('message', (message) => {
  process.send?.({ count, ms: lastAt - firstAt, bodyBytes } satisfies Calls);
  if (message === 'begin') count = 0;
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ msg: 'listening', http: `127.0.0.1:${port}` })}\n`);
});
