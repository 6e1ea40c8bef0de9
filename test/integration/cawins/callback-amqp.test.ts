import { once } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { type Channel, type ChannelModel, connect, type GetMessage } from 'amqplib';
import { HTTP } from 'cloudevents';
import { Webhook as Verifier } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { callbackAttempt, logEntry, SECRET } from '../../support/cawins/callback-attempt.js';
import { type CallbackScene, callbackScene } from '../../support/cawins/callback-scene.js';
import { PrivateRabbitmq } from '../../support/cawins/private-rabbitmq.js';
import { RawReceiver, writeForever } from '../../support/cawins/raw-receiver.js';
import { freePort } from '../../support/database/private-database.js';
import { waitUntil } from '../../support/wait-until.js';

const never = new AbortController().signal;
const broker = new PrivateRabbitmq();
let model: ChannelModel;
let channel: Channel;
let scene: CallbackScene;

async function prepare(): Promise<void> {
  model = await connect(broker.url);
  // A broker that is killed is part of a test.
  model.on('error', () => {});
  channel = await model.createChannel();
  await channel.assertExchange('events', 'topic', { durable: true });
  await channel.assertQueue('payments', { durable: true });
  await channel.bindQueue('payments', 'events', 'payment.#');
}

beforeAll(async () => {
  await broker.start();
  await prepare();
}, 60_000);

afterAll(async () => {
  await model.close().catch(() => {});
  await broker.stop();
});

beforeEach(() => {
  scene = callbackScene({ amqpUrl: broker.url });
});

afterEach(async () => {
  await scene.callbacks.stop();
});

function send(url: string, changes: Parameters<typeof callbackAttempt>[1] = {}, own = scene) {
  return own.callbacks.send(callbackAttempt(url, changes), never);
}

async function taken(queue = 'payments'): Promise<GetMessage> {
  return waitUntil(() => channel.get(queue, { noAck: true }), { what: `a message in ${queue}` });
}

describe('a callback over AMQP', () => {
  it('is a persistent CloudEvent, confirmed and signed', async () => {
    const result = await send('amqp:events/payment.done', { headers: { 'X-Tenant': 'acme' }, attemptNumber: 2 });
    expect(result).toMatchObject({ outcome: 'delivered', reason: 'answered', status: 'CONFIRMED', firstBytes: '' });
    const { content, properties, fields } = await taken();
    expect(fields.routingKey).toBe('payment.done');
    expect(properties).toMatchObject({
      messageId: 'dlv_5_1',
      contentType: 'application/cloudevents+json; charset=utf-8',
      deliveryMode: 2,
      appId: 'madeleine',
      headers: { 'X-Tenant': 'acme', 'madeleine-attempt': 2 },
    });
    const event = HTTP.toEvent({ headers: { 'content-type': properties.contentType }, body: content.toString() });
    expect(event).toMatchObject({ id: 'dlv_5_1', type: 'payment.occurred' });
    expect(content.toString()).toContain('"amount":12.50}');
    expect(new Verifier(SECRET).verify(content, properties.headers as Record<string, string>)).toBeDefined();
  });

  it('goes to a queue by the default exchange', async () => {
    expect(await send('amqp:/payments')).toMatchObject({ outcome: 'delivered' });
    await taken();
  });

  it('has failed when no queue takes it, while others go through', async () => {
    const urls = Array.from(
      { length: 40 },
      (_, index) => `amqp:events/${index % 2 === 0 ? 'payment.x' : 'nobody.listens'}`,
    );
    const results = await Promise.all(urls.map((url, index) => send(url, { deliveryId: `d${index}` })));
    results.forEach((result, index) => {
      if (index % 2 === 0) expect(result).toMatchObject({ outcome: 'delivered' });
      else expect(result).toMatchObject({ outcome: 'failed', reason: 'unroutable', status: 'NO_ROUTE' });
    });
    for (let count = 0; count < 20; count += 1) await taken();
  });

  it('to an exchange that does not exist has failed, and disturbs no other', async () => {
    const good = Array.from({ length: 50 }, (_, index) => send('amqp:events/payment.x', { deliveryId: `d${index}` }));
    const bad = await send('amqp:nowhere/key');
    expect(bad).toMatchObject({
      outcome: 'failed',
      reason: 'broker',
      error: expect.stringContaining("no exchange 'nowhere'"),
    });
    for (const result of await Promise.all(good)) expect(result.outcome).toBe('delivered');
    await channel.purgeQueue('payments');
    // Once somebody declares it, it works, without a restart.
    await channel.assertExchange('nowhere', 'fanout', { durable: false, autoDelete: true });
    await channel.bindQueue('payments', 'nowhere', '');
    expect(await send('amqp:nowhere/key')).toMatchObject({ outcome: 'delivered' });
    await taken();
    await channel.unbindQueue('payments', 'nowhere', '');
  });

  it('that the broker refuses has failed', async () => {
    await channel.assertQueue('full', { durable: false, maxLength: 1, arguments: { 'x-overflow': 'reject-publish' } });
    expect(await send('amqp:/full')).toMatchObject({ outcome: 'delivered' });
    expect(await send('amqp:/full')).toMatchObject({ outcome: 'failed', reason: 'broker', status: 'NACK' });
  });

  it('waits for at most so many confirmations', async () => {
    const narrow = callbackScene({ amqpUrl: broker.url, maxOutstanding: 3 });
    expect((await send('amqp:events/payment.x', {}, narrow)).outcome).toBe('delivered');
    const results = await Promise.all(Array.from({ length: 10 }, () => send('amqp:events/payment.x', {}, narrow)));
    const refused = results.filter(({ outcome }) => outcome === 'failed');
    expect(results.filter(({ outcome }) => outcome === 'delivered').length).toBeGreaterThanOrEqual(3);
    for (const result of refused) expect(result.error).toContain('too many messages');
    expect(refused.length).toBeGreaterThan(0);
    await narrow.callbacks.stop();
    await channel.purgeQueue('payments');
  });

  it('is not possible without a broker', async () => {
    const none = callbackScene();
    expect(none.callbacks.refusalOf('amqp:events/key')).toContain('MADELEINE_AMQP_URL');
    expect(scene.callbacks.refusalOf('amqp:events/key')).toBeUndefined();
    expect(await send('amqp:events/key', {}, none)).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    await none.callbacks.stop();
  });

  it('opens channels for many exchanges, a bounded number at a time', async () => {
    for (let index = 0; index < 80; index += 1) {
      await channel.assertExchange(`many${index}`, 'fanout', { durable: false });
      await channel.bindQueue('payments', `many${index}`, '');
    }
    const results = await Promise.all(
      Array.from({ length: 160 }, (_, index) => send(`amqp:many${index % 80}/x`, { deliveryId: `d${index}` })),
    );
    expect(results.filter(({ outcome }) => outcome !== 'delivered')).toEqual([]);
    for (let index = 0; index < 80; index += 1) await channel.deleteExchange(`many${index}`);
    await channel.purgeQueue('payments');
  });
});

describe('a broker', () => {
  const proxied = (port: number, credentials = 'guest:guest') =>
    callbackScene({ amqpUrl: `amqp://${credentials}@127.0.0.1:${port}` });
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = new TcpProxy(broker.port);
    await proxy.start();
  });

  afterEach(() => proxy.stop());

  it('that never confirms makes a failed attempt, and no later confirmation counts for another', async () => {
    const own = proxied(proxy.port);
    expect(await send('amqp:events/payment.x', {}, own)).toMatchObject({ outcome: 'delivered' });
    proxy.freeze();
    const startedMs = performance.now();
    const lost = await send('amqp:events/payment.x', { timeoutMs: 300 }, own);
    expect(lost).toMatchObject({ outcome: 'failed', reason: 'timeout', error: 'no answer within 300 ms' });
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    proxy.thaw();
    expect(await send('amqp:events/nobody.listens', {}, own)).toMatchObject({ reason: 'unroutable' });
    expect(await send('amqp:events/payment.x', {}, own)).toMatchObject({ outcome: 'delivered' });
    await own.callbacks.stop();
    await channel.purgeQueue('payments');
  });

  it('that sends without an end is left, and found again', async () => {
    const own = proxied(proxy.port);
    expect(await send('amqp:events/payment.x', {}, own)).toMatchObject({ outcome: 'delivered' });
    // A heartbeat: the one frame that nobody asks for and everybody takes.
    const flooded = proxy.flood(Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]));
    expect(await flooded, 'bytes that were taken').toBeLessThan(16 * 1024 * 1024);
    await waitUntil(() => own.logged.some((line) => line.includes('more than anybody asked for')), {
      what: 'the log says why',
    });
    await waitUntil(async () => (await send('amqp:events/payment.x', {}, own)).outcome === 'delivered', {
      what: 'a new connection',
    });
    await own.callbacks.stop();
    await channel.purgeQueue('payments');
  });

  it('may return what it was sent, as large as it is', async () => {
    const payload = { contentType: '', bytes: Buffer.from(JSON.stringify('x'.repeat(900_000))) };
    const event = { entry: logEntry({ payload }), cawinId: 5, awaitedId: 7 };
    const results = await Promise.all(
      Array.from({ length: 8 }, () => send('amqp:events/nobody.listens', { event, timeoutMs: 10_000 })),
    );
    for (const result of results) expect(result).toMatchObject({ reason: 'unroutable' });
    expect(await send('amqp:events/payment.x')).toMatchObject({ outcome: 'delivered' });
    await channel.purgeQueue('payments');
  });

  it('is found at whichever of its addresses answers', async () => {
    // Nothing listens at ::1.
    const own = callbackScene({ amqpUrl: `amqp://guest:guest@localhost:${broker.port}` });
    expect(await send('amqp:events/payment.x', {}, own)).toMatchObject({ outcome: 'delivered' });
    await own.callbacks.stop();
    await channel.purgeQueue('payments');
  });

  it('that says something for ever before it is ready costs an attempt no more than its time', async () => {
    const endless = new RawReceiver((socket) => writeForever(socket, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce])));
    await endless.start();
    const own = proxied(endless.port);
    const startedMs = performance.now();
    expect(await send('amqp:events/payment.x', { timeoutMs: 30_000 }, own)).toMatchObject({ reason: 'broker' });
    expect(performance.now() - startedMs).toBeLessThan(8_000);
    await waitUntil(() => endless.sockets.size === 0, { what: 'the connection is closed' });
    await own.callbacks.stop();
    await endless.stop();
  });

  it('whose connection breaks fails what was not confirmed, and is found again', async () => {
    const own = proxied(proxy.port);
    await send('amqp:events/payment.x', {}, own);
    proxy.freeze();
    const pending = [
      send('amqp:events/payment.x', { timeoutMs: 10_000 }, own),
      send('amqp:events/payment.y', { timeoutMs: 10_000 }, own),
    ];
    await waitUntil(() => proxy.held > 0, { what: 'the messages are on their way' });
    proxy.cut();
    for (const result of await Promise.all(pending))
      expect(result).toMatchObject({ outcome: 'failed', reason: 'broker' });
    proxy.thaw();
    await waitUntil(async () => (await send('amqp:events/payment.x', {}, own)).outcome === 'delivered', {
      what: 'a new connection',
    });
    await own.callbacks.stop();
    await channel.purgeQueue('payments');
  });

  it('that is away is asked again after a while, not at each attempt', async () => {
    const port = await freePort();
    const own = proxied(port, 'guest:hunter2');
    const results = [];
    for (let index = 0; index < 20; index += 1) results.push(await send('amqp:events/payment.x', {}, own));
    for (const result of results) expect(result).toMatchObject({ outcome: 'failed', reason: 'broker' });
    expect(own.logged.length).toBeLessThan(10);
    expect(JSON.stringify([results, own.logged])).not.toContain('hunter2');
    await own.callbacks.stop();
  });

  it('that refuses the password is a failed attempt, and the password stays here', async () => {
    const own = proxied(broker.port, 'guest:hunter2');
    const result = await send('amqp:events/payment.x', {}, own);
    expect(result).toMatchObject({ outcome: 'failed', reason: 'broker', error: expect.stringContaining('ACCESS') });
    expect(JSON.stringify([result, own.logged])).not.toContain('hunter2');
    await own.callbacks.stop();
  });

  it('that accepts and says nothing costs an attempt no more than its time', async () => {
    proxy.freeze();
    const own = proxied(proxy.port);
    const startedMs = performance.now();
    expect(await send('amqp:events/payment.x', { timeoutMs: 300 }, own)).toMatchObject({ reason: 'timeout' });
    await own.callbacks.stop();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  it('that is frozen delays the end of the server by two seconds at most', async () => {
    const own = proxied(proxy.port);
    await send('amqp:events/payment.x', {}, own);
    proxy.freeze();
    const startedMs = performance.now();
    await own.callbacks.stop();
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    expect(await send('amqp:events/payment.x', {}, own)).toMatchObject({ outcome: 'failed' });
    await channel.purgeQueue('payments');
  });

  it('without memory takes no messages: attempts fail at once until it has some', async () => {
    expect((await send('amqp:events/payment.x')).outcome).toBe('delivered');
    await broker.control('set_vm_memory_high_watermark', '0.000001');
    // The broker blocks a connection when it publishes.
    await waitUntil(
      async () => (await send('amqp:events/payment.x', { timeoutMs: 500 })).error?.includes('takes no messages'),
      {
        what: 'the broker tells that it is blocked',
      },
    );
    await broker.control('set_vm_memory_high_watermark', '0.4');
    await waitUntil(async () => (await send('amqp:events/payment.x')).outcome === 'delivered', {
      what: 'the broker takes messages',
    });
    await channel.purgeQueue('payments');
  });

  it('that is killed and comes back is found again', { timeout: 60_000 }, async () => {
    expect((await send('amqp:events/payment.x')).outcome).toBe('delivered');
    await broker.kill();
    expect(await send('amqp:events/payment.x')).toMatchObject({ outcome: 'failed', reason: 'broker' });
    await broker.run();
    await prepare();
    await waitUntil(async () => (await send('amqp:events/payment.x')).outcome === 'delivered', {
      what: 'a new connection',
      timeoutMs: 20_000,
    });
  });
});

/** Between us and the broker: can hold all bytes back, and cut connections. */
class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #frozen = false;
  port = 0;
  /** Bytes that wait while it is frozen. */
  held = 0;

  constructor(targetPort: number) {
    this.#server = createServer((inner) => {
      const outer = dial(targetPort, '127.0.0.1');
      const pair = [inner, outer] as const;
      this.#pairs.add(pair);
      for (const [from, to] of [pair, [outer, inner] as const]) {
        from.on('error', () => {});
        from.on('close', () => {
          to.destroy();
          this.#pairs.delete(pair);
        });
        from.on('data', (chunk: Buffer) => void this.#pass(to, chunk));
      }
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as { port: number }).port;
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    for (const release of this.#waiting.splice(0)) release();
    this.held = 0;
  }

  /** Sends the bytes to us again and again until the connection is closed; how many of them were taken. */
  async flood(bytes: Buffer): Promise<number> {
    const [pair] = this.#pairs;
    if (pair === undefined) return 0;
    const [inner] = pair;
    const before = inner.bytesWritten;
    writeForever(inner, bytes);
    // Not `once`, which an error would end: it is broken off.
    await new Promise((resolve) => inner.on('close', resolve));
    return inner.bytesWritten - before;
  }

  cut(): void {
    this.#waiting.length = 0;
    for (const [inner, outer] of this.#pairs) {
      inner.destroy();
      outer.destroy();
    }
  }

  stop(): void {
    this.cut();
    this.#server.close();
  }

  readonly #waiting: (() => void)[] = [];

  #pass(to: Socket, chunk: Buffer): void {
    if (!this.#frozen) {
      to.write(chunk);
      return;
    }
    this.held += chunk.length;
    this.#waiting.push(() => to.write(chunk));
  }
}
