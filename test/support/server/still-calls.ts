// Calls of a client that opens streams and reads nothing of them.

import { connect } from 'node:http2';

/** Calls of one connection whose answers nobody reads. */
export class StillCalls {
  readonly #session: ReturnType<typeof connect>;
  answered = 0;

  constructor(address: string) {
    this.#session = connect(`http://${address}`);
    this.#session.on('error', () => {});
  }

  open(path: string, request: Uint8Array): void {
    const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = this.#session.request(headers);
    stream.on('error', () => {});
    stream.on('response', () => {
      this.answered += 1;
    });
    stream.end(framed(request));
  }

  close(): void {
    this.#session.destroy();
  }
}

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}
