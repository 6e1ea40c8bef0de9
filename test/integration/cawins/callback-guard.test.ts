import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callbackAttempt } from '../../support/cawins/callback-attempt.js';
import { type CallbackScene, callbackScene } from '../../support/cawins/callback-scene.js';
import { TestAuthority } from '../../support/cawins/certificates.js';
import { GrpcReceiver } from '../../support/cawins/grpc-receiver.js';
import { HttpReceiver } from '../../support/cawins/http-receiver.js';
import { NameServer } from '../../support/cawins/name-server.js';
import { SlowHost } from '../../support/cawins/slow-host.js';

// Two machines behind one port: 127.0.0.1, which callbacks may reach, and 127.0.0.2, which they may not.
const OPEN = '127.0.0.1';
const INNER = '127.0.0.2';
const never = new AbortController().signal;

let open: HttpReceiver;
let inner: HttpReceiver;
let names: NameServer;
let scene: CallbackScene;

beforeEach(async () => {
  open = new HttpReceiver({ host: OPEN });
  await open.start();
  inner = new HttpReceiver({ host: INNER });
  await inner.start(open.port);
  names = new NameServer();
  await names.start();
  scene = callbackScene({ allow: OPEN, nameServer: names.address });
});

afterEach(async () => {
  await scene.callbacks.stop();
  await Promise.all([open.stop(), inner.stop()]);
  names.stop();
});

function send(host: string, timeoutMs = 2_000, scheme = 'http') {
  return scene.callbacks.send(callbackAttempt(`${scheme}://${host}:${open.port}`, { timeoutMs }), never);
}

describe('the address guard of callbacks', () => {
  it('connects to the address that it checked, whatever the name server says a moment later', async () => {
    names.set('rebind.test', [OPEN], [INNER]);
    expect(await send('rebind.test')).toMatchObject({ outcome: 'delivered' });
    expect(open.received).toHaveLength(1);
    // One look-up an attempt: there was no second one that could have been answered otherwise.
    expect(Object.fromEntries(names.questions)).toEqual({ 'rebind.test A': 1, 'rebind.test AAAA': 1 });
    expect(open.received[0]!.headers.host).toBe(`rebind.test:${open.port}`);
  });

  it('checks again at the next attempt, also where a connection was kept', async () => {
    names.set('rebind.test', [OPEN], [INNER]);
    await send('rebind.test');
    const second = await send('rebind.test');
    expect(second).toMatchObject({ outcome: 'failed', reason: 'not_allowed', firstBytes: '' });
    expect(second.error).toContain(`rebind.test:${open.port} is not a public address`);
    expect(second.error).not.toContain(INNER);
    expect(inner.connections).toBe(0);
  });

  it('refuses a name if one of its addresses is not allowed', async () => {
    names.set('mixed.test', [OPEN, INNER]);
    expect(await send('mixed.test')).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    names.set('mixed6.test', [OPEN, '::1']);
    expect(await send('mixed6.test')).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    expect(open.connections + inner.connections).toBe(0);
  });

  it('holds for gRPC too', async () => {
    names.set('rebind.test', [INNER]);
    expect(await send('rebind.test', 2_000, 'grpc')).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    expect(await send(INNER, 2_000, 'grpc')).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    expect(inner.connections).toBe(0);
  });

  it.each([
    '127.0.0.2',
    '127.2',
    '0x7f.2',
    '2130706434',
    '0177.0.0.2',
    '[::ffff:127.0.0.2]',
    '[::1]',
    '0.0.0.0',
    '169.254.169.254',
  ])('refuses %s without asking anyone', async (host) => {
    const url = `http://${host}:${open.port}/`;
    expect(scene.callbacks.refusalOf(url)).toContain('is not a public address');
    expect(await send(host)).toMatchObject({ outcome: 'failed', reason: 'not_allowed' });
    expect(inner.connections).toBe(0);
    expect(names.questions.size).toBe(0);
  });

  it.each([
    'localhost',
    'LOCALHOST.',
    'api.localhost',
    'localhost.localdomain',
    'ip6-localhost',
    'x.invalid',
    'x.onion',
  ])('refuses %s without asking anyone, as no name server knows it', async (host) => {
    expect(scene.callbacks.refusalOf(`http://${host}:${open.port}/`)).toContain('is not a public address');
    expect(scene.callbacks.refusalOf(`grpc://${host}:${open.port}`)).toContain('MADELEINE_CALLBACK_ALLOW=');
    const allowing = callbackScene({ allow: host.replace(/\.$/, '') });
    expect(allowing.callbacks.refusalOf(`http://${host}:${open.port}/`)).toBeUndefined();
    await allowing.callbacks.stop();
    expect(names.questions.size).toBe(0);
  });

  it('refuses a port at once where no address is allowed on it', async () => {
    const strict = callbackScene({ allow: '10.0.0.0/8:8080 named.test:22' });
    for (const [url, isRefused] of [
      ['http://hooks.test:22/', true],
      ['grpc://hooks.test:25', true],
      ['http://hooks.test:8080/', false],
      ['https://hooks.test/', false],
      ['http://named.test:22/', false],
    ] as const) {
      expect(strict.callbacks.refusalOf(url) !== undefined, url).toBe(isRefused);
    }
    await strict.callbacks.stop();
  });

  it('does not know names of the hosts file unless they are allowed', async () => {
    expect(await send('localhost')).toMatchObject({ outcome: 'failed', reason: 'name' });
    const allowing = callbackScene({ allow: `localhost:${open.port}`, nameServer: names.address });
    const attempt = callbackAttempt(open.url('/', 'localhost'));
    expect(await allowing.callbacks.send(attempt, never)).toMatchObject({ outcome: 'delivered' });
    await allowing.callbacks.stop();
  });

  it('tries again later when a name has no address or no name server answers', async () => {
    expect(await send('unknown.test')).toMatchObject({
      outcome: 'failed',
      reason: 'name',
      error: 'the name of the host has no address',
    });
    names.silent.add('silent.test');
    expect(await send('silent.test', 200)).toMatchObject({ outcome: 'failed', reason: 'timeout' });
  });

  it('waits for a slow name server for as long as the call has time', async () => {
    names.set('late.test', [OPEN]);
    names.delayMs = 5_000;
    const attempt = callbackAttempt(`http://late.test:${open.port}`, { timeoutMs: 25_000 });
    expect(await scene.callbacks.send(attempt, never)).toMatchObject({ outcome: 'delivered' });
  }, 30_000);

  it.each(['A', 'AAAA'])('does not wait for an answer to the question for %s that never comes', async (type) => {
    const own = callbackScene({ allow: `${OPEN} [::1]`, nameServer: names.address });
    names.set('half.test', [OPEN, '::1']);
    names.silent.add(`half.test ${type}`);
    const startedMs = performance.now();
    const attempt = callbackAttempt(`http://half.test:${open.port}`, { timeoutMs: 4_000 });
    const expected = type === 'A' ? { outcome: 'failed', reason: 'connection' } : { outcome: 'delivered' };
    expect(await own.callbacks.send(attempt, never)).toMatchObject(expected);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    await own.callbacks.stop();
  });

  it('is not led astray by a proxy of the environment', async () => {
    process.env['http_proxy'] = inner.url();
    process.env['grpc_proxy'] = inner.url();
    try {
      names.set('direct.test', [OPEN]);
      expect(await send('direct.test')).toMatchObject({ outcome: 'delivered' });
      // The receiver speaks no gRPC: that it was reached is what counts.
      expect(await send('direct.test', 500, 'grpc')).toMatchObject({ outcome: 'failed' });
      expect(open.connections).toBeGreaterThan(1);
      expect(inner.connections).toBe(0);
    } finally {
      delete process.env['http_proxy'];
      delete process.env['grpc_proxy'];
    }
  });

  it('keeps the name for TLS: the certificate has to be for it, not for the address', async () => {
    const authority = new TestAuthority();
    await authority.start();
    for (const [certificateOf, outcome] of [
      ['DNS:secure.test', 'delivered'],
      ['IP:127.0.0.1', 'failed'],
    ] as const) {
      const secure = new HttpReceiver({ certificate: await authority.issue(certificateOf) });
      await secure.start();
      const own = callbackScene({ ca: authority.ca, allow: OPEN, nameServer: names.address });
      names.set('secure.test', [OPEN]);
      const result = await own.callbacks.send(callbackAttempt(secure.url('/', 'secure.test')), never);
      expect(result.outcome).toBe(outcome);
      if (outcome === 'delivered') expect(secure.received[0]!.serverName).toBe('secure.test');
      else expect(result.reason).toBe('tls');
      await own.callbacks.stop();
      await secure.stop();
    }
    await authority.stop();
  });
});

describe('a host with several addresses', () => {
  it.each([
    ['http', '::1', { outcome: 'delivered', statusCode: 200 }],
    ['http', '127.0.0.3', { outcome: 'delivered', statusCode: 200 }],
    ['grpc', '::1', { outcome: 'delivered', status: 'OK' }],
  ])(
    'is called by %s at the one whose handshake takes seconds, where nobody listens at %s',
    async (scheme, other, expected) => {
      const slow = new SlowHost();
      await slow.start(scheme);
      const own = callbackScene({ allow: `${OPEN} [::1] 127.0.0.3`, nameServer: names.address });
      names.set('slow.test', [OPEN, other]);
      await slow.standStill(1_500);
      const attempt = callbackAttempt(`${scheme}://slow.test:${slow.port}`, { timeoutMs: 20_000 });
      const result = await own.callbacks.send(attempt, never);
      expect(result).toMatchObject(expected);
      expect(result.latencyMs).toBeGreaterThan(500);
      await own.callbacks.stop();
      await slow.stop();
    },
    30_000,
  );

  it('is called at the second family where nobody listens at the first', async () => {
    const own = callbackScene({ allow: '127.0.0.0/8 [::1]', nameServer: names.address });
    names.set('both.test', ['127.0.0.9', '127.0.0.8', '::1', OPEN]);
    const at = (scheme: string, port: number) =>
      own.callbacks.send(callbackAttempt(`${scheme}://both.test:${port}`, { timeoutMs: 5_000 }), never);
    expect(await at('http', open.port)).toMatchObject({ outcome: 'delivered' });
    const receiver = new GrpcReceiver();
    await receiver.start();
    expect(await at('grpc', receiver.port)).toMatchObject({ outcome: 'delivered' });
    receiver.stop();
    await own.callbacks.stop();
  });
});
