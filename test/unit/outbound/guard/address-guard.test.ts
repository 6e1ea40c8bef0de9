import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressGuard } from '../../../../src/outbound/guard/address-guard.js';
import { AddressSet, isPublicAddress } from '../../../../src/outbound/guard/address-ranges.js';
import { CallbackAllow } from '../../../../src/outbound/guard/callback-allow.js';
import { v6Bytes } from '../../../support/cawins/name-server.js';
import { propertyParameters } from '../../../support/property.js';

describe('a public address', () => {
  it.each([
    ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '100.100.100.200'],
    ...['127.0.0.1', '127.255.255.254', '169.254.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
    ...['192.0.0.1', '192.0.0.192', '192.0.2.1', '192.88.99.1', '192.168.0.1', '198.18.0.1', '198.19.255.255'],
    ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
    ...['::', '::1', '::2', '::7f00:1', '::10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '::ffff:8.8.8.8'],
    ...['::ffff:0:8.8.8.8', '64:ff9b::127.0.0.1', '64:ff9b::808:808', '64:ff9b:1::a00:1', '100::1', '2001::1'],
    ...['2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001:10::1', '2001:1ff:ffff::1', '2001:db8::1', '2002:7f00:1::'],
    ...['2002:808:808::1', '3fff::1', '3fff:fff:ffff::1', '4000::1', '5f00::1', 'fc00::1', 'fd00:ec2::254', 'fe80::1'],
    ...[
      'fe80::1%eth0',
      '2606:4700::1%eth0',
      'fec0::1',
      'ff02::1',
      '',
      'localhost',
      '1.2.3',
      '0x7f.0.0.1',
      '1.2.3.4/32',
    ],
  ])('%j is none', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    ...[
      '1.1.1.1',
      '8.8.8.8',
      '9.255.255.255',
      '11.0.0.0',
      '100.63.255.255',
      '100.128.0.0',
      '126.255.255.255',
      '128.0.0.0',
    ],
    ...[
      '169.253.255.255',
      '169.255.0.0',
      '172.15.255.255',
      '172.32.0.0',
      '192.0.1.0',
      '192.167.255.255',
      '192.169.0.0',
    ],
    ...[
      '198.17.255.255',
      '198.20.0.0',
      '223.255.255.255',
      '2001:200::1',
      '2001:4860:4860::8888',
      '2003::1',
      '2606:4700::1',
    ],
    ...['2001:db7:ffff::1', '2001:db9::1', '3ffe::1', '3fff:1000::1'],
  ])('%j is one', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('a set of networks', () => {
  const v4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }));
  const words = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 });
  const v6 = fc.tuple(words, fc.integer({ min: 0, max: 128 }));
  const same = (a: bigint, b: bigint, bits: number, length: number) =>
    a >> BigInt(bits - length) === b >> BigInt(bits - length);
  const number4 = (address: string) => address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const number6 = (address: string) => BigInt(`0x${v6Bytes(address).toString('hex')}`);
  const text6 = (parts: readonly number[]) => parts.map((part) => part.toString(16)).join(':');

  it('has the IPv4 addresses that share the prefix', () => {
    fc.assert(
      fc.property(v4, fc.ipV4(), fc.integer({ min: 0, max: 32 }), ([network, length], other, flipped) => {
        const set = new AddressSet([`${network}/${length}`]);
        // A random address shares nothing; one bit off is where mistakes are.
        const near = number4(network) ^ (flipped === 32 ? 0n : 1n << BigInt(flipped));
        const nearText = [24n, 16n, 8n, 0n].map((shift) => (near >> shift) & 255n).join('.');
        for (const address of [other, nearText]) {
          expect(set.has(address)).toBe(same(number4(address), number4(network), 32, length));
        }
      }),
      propertyParameters(),
    );
  });

  it('has the IPv6 addresses that share the prefix', () => {
    fc.assert(
      fc.property(v6, words, fc.integer({ min: 0, max: 127 }), ([network, length], other, flipped) => {
        const set = new AddressSet([`${text6(network)}/${length}`]);
        const near = network.map((part, index) => (index === flipped >> 4 ? part ^ (1 << (flipped & 15)) : part));
        for (const address of [text6(other), text6(near), text6(network)]) {
          expect(set.has(address)).toBe(same(number6(address), number6(text6(network)), 128, length));
        }
      }),
      propertyParameters(),
    );
  });
});

describe('what the operator allows', () => {
  const allow = new CallbackAllow(
    '10.0.0.0/8, Hooks.Internal:8443 localhost,[fd00::/8]:443 [::1] 192.168.1.7:25 fe80::/10',
  );

  it.each([
    ['10.1.2.3', 1, true],
    ['11.1.2.3', 1, false],
    ['192.168.1.7', 25, true],
    ['192.168.1.7', 26, false],
    ['::1', 80, true],
    ['fd12::1', 443, true],
    ['fd12::1', 444, false],
    ['fe80::1', 9, true],
    // IPv4 in IPv6 clothes is still the network that was meant.
    ['::ffff:10.1.2.3', 1, true],
    ['::ffff:11.1.2.3', 1, false],
  ])('address %s with port %i: %s', (address, port, allowed) => {
    expect(allow.allowsAddress(address, port)).toBe(allowed);
  });

  it.each([
    ['hooks.internal', 8443, true],
    ['hooks.internal', 443, false],
    ['localhost', 1, true],
    ['sub.localhost', 1, false],
    ['10.0.0.0', 1, false],
  ])('host %s with port %i: %s', (host, port, allowed) => {
    expect(allow.allowsHost(host, port)).toBe(allowed);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0/8',
    'fd00::/129',
    'host:99999',
    'host:0',
    'http://host',
    'user@host',
    'a/b',
    '0x7f.1',
    '[host]',
    '::1/64/2',
    'fe80::1%eth0/64',
    ':80',
  ])('%j is no entry', (entry) => {
    expect(() => new CallbackAllow(`localhost ${entry}`)).toThrow(`MADELEINE_CALLBACK_ALLOW: "${entry}" is not`);
  });

  it('may be nothing', () => {
    for (const setting of ['', ' ', ',']) expect(new CallbackAllow(setting).allowsHost('localhost', 80)).toBe(false);
  });
});

describe('address guard', () => {
  const nobody = { resolve: () => Promise.reject(new Error('nobody may be asked')) };
  const named = (...addresses: string[]) => ({ resolve: () => Promise.resolve(addresses) });
  const signal = new AbortController().signal;
  const guardOf = (
    setting: string,
    resolver = nobody as { resolve(): Promise<string[]> },
    allowedResolver = resolver,
  ) => new AddressGuard({ allow: new CallbackAllow(setting), resolver, allowedResolver });

  it('knows at once what no name server can change', () => {
    const guard = guardOf('10.0.0.0/8:8080 db.internal:25');
    expect(guard.refusalOf({ host: '8.8.8.8', port: 443 })).toBeUndefined();
    expect(guard.refusalOf({ host: '10.0.0.1', port: 8080 })).toBeUndefined();
    expect(guard.refusalOf({ host: '10.0.0.1', port: 80 })).toContain('10.0.0.1:80 is not a public address');
    expect(guard.refusalOf({ host: '::1', port: 443 })).toContain('[::1]:443 is not a public address');
    expect(guard.refusalOf({ host: '8.8.8.8', port: 22 })).toContain('8.8.8.8:22');
    expect(guard.refusalOf({ host: 'example.org', port: 443 })).toBeUndefined();
    expect(guard.refusalOf({ host: 'db.internal', port: 25 })).toBeUndefined();
  });

  it('checks every address of a name, and takes all of them or none', async () => {
    const target = { host: 'example.org', port: 443 };
    const pinned = await guardOf('', named('8.8.8.8', '2606:4700::1')).resolve(target, signal);
    expect(pinned).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
    for (const bad of [
      '127.0.0.1',
      '::ffff:8.8.8.8',
      '64:ff9b::808:808',
      '169.254.169.254',
      'fe80::1%eth0',
      'nonsense',
    ]) {
      const guard = guardOf('', named('8.8.8.8', bad));
      await expect(guard.resolve(target, signal)).rejects.toMatchObject({ reason: 'not_allowed', outcome: 'failed' });
      // The caller is not told what it resolved to.
      await expect(guard.resolve(target, signal)).rejects.not.toThrow(bad);
    }
  });

  it('asks nobody about an address', async () => {
    expect(await guardOf('').resolve({ host: '8.8.8.8', port: 443 }, signal)).toEqual([
      { address: '8.8.8.8', family: 4 },
    ]);
    await expect(guardOf('').resolve({ host: '127.0.0.1', port: 443 }, signal)).rejects.toMatchObject({
      outcome: 'failed',
    });
  });

  it('asks the system about names that the operator allowed, and takes what they mean', async () => {
    const guard = guardOf('hooks.internal:80', nobody, named('192.168.0.9'));
    expect(await guard.resolve({ host: 'hooks.internal', port: 80 }, signal)).toEqual([
      { address: '192.168.0.9', family: 4 },
    ]);
    await expect(guard.resolve({ host: 'hooks.internal', port: 81 }, signal)).rejects.toThrow('nobody may be asked');
  });

  it('calls ports of the machine only where the operator says so', async () => {
    const target = { host: 'example.org', port: 25 };
    await expect(guardOf('', named('8.8.8.8')).resolve(target, signal)).rejects.toMatchObject({
      reason: 'not_allowed',
    });
    await expect(guardOf('8.8.8.8:25', named('8.8.8.8')).resolve(target, signal)).resolves.toHaveLength(1);
  });

  it('stops waiting for a name server when the time is over', async () => {
    const controller = new AbortController();
    const guard = guardOf('', { resolve: () => new Promise<string[]>(() => {}) });
    const resolving = guard.resolve({ host: 'example.org', port: 443 }, controller.signal);
    controller.abort(new Error('time is over'));
    await expect(resolving).rejects.toThrow('time is over');
  });
});
