// What many calls do together to the connection that they share: they may be cancelled, refused or malformed by the thousand, and
// whatever else is open on it goes on.

import { once, setMaxListeners } from 'node:events';
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { newEvent } from '../../support/events/builders.js';
import { openCalls } from '../../support/server/metrics.js';
import { TestClient } from '../../support/server/server.js';
import { useServer, useServerBeside } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const narrow = useServerBeside(suite, { maxStreams: '50' });
let rounds = 0;

/** A subscriber of its own consumer, and the positions that it got. */
class Listener {
  readonly positions: bigint[] = [];
  readonly #end = new AbortController();
  error: unknown;

  constructor({ consumers }: TestClient) {
    rounds += 1;
    const start = { at: { $case: 'latest' as const, value: {} } };
    const request = SubscribeRequest.fromPartial({ consumer: `listener ${rounds}`, start });
    void this.#listen(consumers.subscribe(request, { signal: this.#end.signal }));
  }

  end(): void {
    this.#end.abort();
  }

  async #listen(frames: AsyncIterable<{ deliveries: { event?: { position: bigint } | undefined }[] }>): Promise<void> {
    try {
      for await (const { deliveries } of frames) {
        for (const { event } of deliveries) this.positions.push(event?.position ?? 0n);
      }
    } catch (error) {
      if (!this.#end.signal.aborted) this.error = error;
    }
  }
}

const push = ({ events }: TestClient) => events.pushEvent({ event: newEvent({ topic: 'shared' }) });

/** Events are pushed over the client's connection, and the listener on it gets them. */
async function expectAlive(client: TestClient, listener: Listener): Promise<void> {
  const { event } = await push(client);
  await waitUntil(() => listener.error ?? listener.positions.includes(event?.position ?? 0n), {
    what: 'it is delivered',
  });
  expect(listener.error).toBeUndefined();
}

/** Resolves when the call is over, in whatever way. */
async function ended(answers: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of answers);
  } catch {}
}

/** Opens so many calls that wait, and returns what cancels them all at once. */
async function openWaits(client: TestClient, count: number, eventId: bigint): Promise<() => void> {
  const open = await openCalls(suite.server.httpAddress);
  const all = new AbortController();
  setMaxListeners(0, all.signal);
  for (let n = 0; n < count; n += 1) {
    void ended(client.cawins.waitForEvent({ eventId }, { signal: all.signal }));
  }
  await waitUntil(async () => (await openCalls(suite.server.httpAddress)) >= open + count, {
    what: `${count} calls are open`,
    timeoutMs: 30_000,
  });
  return () => all.abort();
}

async function awaitedId(client: TestClient): Promise<bigint> {
  const event = newEvent({ topic: 'never', payload: undefined, description: { never: true } });
  return (await client.events.pushEvent({ event })).event?.id ?? 0n;
}

describe('calls of one connection that are cancelled together', () => {
  it.each([
    ['1,500 at once', [1_500]],
    ['as many as one connection may have', [1_900]],
    ['wave after wave', [600, 600, 600, 600]],
  ])('%s leave its subscriber and the pushes in flight as they are', async (_, waves) => {
    const client = new TestClient(suite.server.address);
    const listener = new Listener(client);
    const eventId = await awaitedId(client);
    await expectAlive(client, listener);
    for (const count of waves) {
      const cancel = await openWaits(client, count, eventId);
      const pushes = Array.from({ length: 20 }, () => push(client));
      cancel();
      await expect(Promise.all(pushes)).resolves.toHaveLength(20);
      await expectAlive(client, listener);
    }
    listener.end();
    client.close();
  });

  it('one after the other, a deadline each, are no reason to end it either', async () => {
    const client = new TestClient(suite.server.address);
    const listener = new Listener(client);
    const eventId = await awaitedId(client);
    for (let round = 0; round < 30; round += 1) {
      const signal = AbortSignal.timeout(5);
      setMaxListeners(0, signal);
      const calls = Array.from({ length: 50 }, () => ended(client.cawins.waitForEvent({ eventId }, { signal })));
      await Promise.all(calls);
    }
    await expectAlive(client, listener);
    listener.end();
    client.close();
  });

  it('before they have sent all that they wanted are none', async () => {
    const client = new TestClient(suite.server.address);
    const listener = new Listener(client);
    for (let round = 0; round < 8; round += 1) {
      const calls = Array.from({ length: 100 }, async () => {
        const answers = client.events.pushEventStream(endless());
        for await (const _ of answers) break;
      });
      await Promise.all(calls);
    }
    await expectAlive(client, listener);
    listener.end();
    client.close();
  });
});

async function* endless() {
  for (; ; await sleep(5)) yield { batchId: 1n, events: [{ event: newEvent({ topic: '' }) }] };
}

const HEADERS = {
  ':method': 'POST',
  ':path': '/madeleine.v1.CawinService/WaitForEvent',
  'content-type': 'application/grpc',
  te: 'trailers',
};

describe('requests that are refused alone', () => {
  it('are those above what a connection may have, however many', async () => {
    const session = connect(`http://${narrow.server.address}`, { peerMaxConcurrentStreams: 10_000 });
    let refused = 0;
    let ended: unknown;
    session.on('error', (error) => {
      ended = error;
    });
    // Sent before the server has said how many it takes.
    for (let n = 0; n < 1_500; n += 1) {
      const call = session.request(HEADERS);
      call.on('error', () => {
        refused += 1;
      });
    }
    await waitUntil(() => ended ?? refused >= 1_450, { what: 'the others are refused', timeoutMs: 30_000 });
    expect(ended).toBeUndefined();
    await new Promise<void>((resolve, reject) => {
      session.ping((error) => (error === null ? resolve() : reject(error)));
    });
    session.destroy();
  });

  it('are those whose headers are no request, however many there were before', async () => {
    const wire = await RawConnection.open(narrow.server.address);
    for (let n = 0; n < 1_500; n += 1) {
      wire.sendMalformed();
      // One at a time, so that this is not about how many are open.
      if (n % 100 === 99) await wire.ping();
    }
    await wire.ping();
    wire.close();
  });
});

describe('calls that are cancelled after their answer, as their request has not ended', () => {
  it('are counted too: the connection is handed over before Node ends it', async () => {
    const wire = await RawConnection.open(suite.server.address);
    for (let sent = 50; sent <= 1_200 && wire.goneAway === undefined; sent += 50) {
      const first = wire.sendOpen(50);
      await waitUntil(() => wire.answers === sent, { what: 'all are answered' });
      wire.sendCancelled(first, 50);
      // With nothing open a connection that was handed over is at its end, and answers no more.
      if (wire.goneAway === undefined) await wire.ping();
    }
    expect(wire.goneAway).toBe(0);
    wire.close();
  });
});

/** A header of HPACK that is not to be indexed: its name by an index, its value as it is, and short. */
const header = (name: readonly number[], value: string) => Buffer.from([...name, value.length, ...Buffer.from(value)]);
/** The headers of a call that there is not: POST, http, its authority, path, and content type. */
const UNKNOWN_CALL = Buffer.concat([
  Buffer.from([0x83, 0x86]),
  header([0x01], 'madeleine'),
  header([0x04], '/madeleine.v1.EventService/None'),
  header([0x0f, 0x10], 'application/grpc'),
]);

/** Frames as no library sends them. */
class RawConnection {
  readonly #socket: ReturnType<typeof connectTcp>;
  #stream = 1;
  #received = Buffer.alloc(0);
  #pongs = 0;
  #ended = false;
  /** Headers that came: of calls that have one answer each, and no more to it. */
  answers = 0;
  /** The code with which the server told the client to go elsewhere. */
  goneAway: number | undefined;

  private constructor(socket: ReturnType<typeof connectTcp>) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('close', () => {
      this.#ended = true;
    });
    socket.on('error', () => {});
  }

  static async open(address: string): Promise<RawConnection> {
    const [host = '', port = ''] = address.split(':');
    const socket = connectTcp(Number(port), host);
    await once(socket, 'connect');
    const wire = new RawConnection(socket);
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    wire.#send(4, 0, 0, Buffer.alloc(0));
    return wire;
  }

  /** A request without a method: malformed, whatever else it says. */
  sendMalformed(): void {
    // Literal header without indexing: `:path: /`.
    this.#send(1, 0x5, this.#stream, Buffer.from([0x84]));
    this.#stream += 2;
  }

  /** Begins calls whose requests do not end; returns the first one's stream. */
  sendOpen(count: number): number {
    const first = this.#stream;
    for (let n = 0; n < count; n += 1) this.#send(1, 0x4, first + 2 * n, UNKNOWN_CALL);
    this.#stream += 2 * count;
    return first;
  }

  sendCancelled(first: number, count: number): void {
    for (let n = 0; n < count; n += 1) this.#send(3, 0, first + 2 * n, Buffer.from([0, 0, 0, 8]));
  }

  async ping(): Promise<void> {
    const before = this.#pongs;
    this.#send(6, 0, 0, Buffer.alloc(8, 1));
    await waitUntil(() => this.#ended || this.#pongs > before, { what: 'the ping is answered' });
    expect(this.#ended).toBe(false);
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(type: number, flags: number, stream: number, payload: Buffer): void {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.byteLength, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.byteLength >= 9) {
      const length = this.#received.readUIntBE(0, 3);
      if (this.#received.byteLength < 9 + length) return;
      const [type, flags] = [this.#received[3], this.#received[4] ?? 0];
      if (type === 1) this.answers += 1;
      if (type === 6 && (flags & 1) === 1) this.#pongs += 1;
      if (type === 7) this.goneAway ??= this.#received.readUInt32BE(13);
      this.#received = this.#received.subarray(9 + length);
    }
  }
}
