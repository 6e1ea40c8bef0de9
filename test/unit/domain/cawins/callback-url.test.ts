import { describe, expect, it } from 'vitest';
import { assertCallbackHeaders, isReservedHeader } from '../../../../src/domain/cawins/callback-headers.js';
import { MAX_CALLBACK_URL_BYTES, parseCallbackUrl } from '../../../../src/domain/cawins/callback-url.js';

describe('a callback URL', () => {
  it.each([
    ['https://Example.ORG/hooks?a=b', 'https', 'example.org', 443, 'https://example.org', '/hooks?a=b'],
    ['http://example.org.:8080', 'http', 'example.org', 8080, 'http://example.org:8080', '/'],
    ['HTTPS://example.org:443/', 'https', 'example.org', 443, 'https://example.org', '/'],
    ['https://bücher.example/ü', 'https', 'xn--bcher-kva.example', 443, 'https://xn--bcher-kva.example', '/%C3%BC'],
    ['http://[2001:DB8:0::1]:81/', 'http', '2001:db8::1', 81, 'http://[2001:db8::1]:81', '/'],
  ])('%s is read', (text, scheme, host, port, origin, path) => {
    expect(parseCallbackUrl(text)).toMatchObject({ scheme, host, port, origin, path });
  });

  it.each([
    ['127.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0x7f000001', '127.0.0.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['１２７.0.0.1', '127.0.0.1'],
    ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
    ['[0:0:0:0:0:0:0:1]', '::1'],
  ])('with host %s means %s, by HTTP and gRPC', (host, address) => {
    expect(parseCallbackUrl(`http://${host}:9000/`)).toMatchObject({ host: address, port: 9000 });
    expect(parseCallbackUrl(`grpc://${host}:9000`)).toMatchObject({ host: address, port: 9000 });
  });

  it.each([
    ['grpc://Example.org:50051', 'grpc', 'example.org', 50051, 'grpc://example.org:50051'],
    ['grpcs://example.org:443/', 'grpcs', 'example.org', 443, 'grpcs://example.org:443'],
    ['grpc://example.org:80', 'grpc', 'example.org', 80, 'grpc://example.org:80'],
    ['grpc://[::1]:50051', 'grpc', '::1', 50051, 'grpc://[::1]:50051'],
  ])('%s is read', (text, scheme, host, port, origin) => {
    expect(parseCallbackUrl(text)).toEqual({ scheme, host, port, origin });
  });

  it.each([
    ['amqp:events/payment.done', 'events', 'payment.done', 'amqp:events/payment.done'],
    ['amqp:/orders', '', 'orders', 'amqp:/orders'],
    ['amqp:fan/', 'fan', '', 'amqp:fan/'],
    ['amqp:a%2Fb/c/d%20e', 'a/b', 'c/d e', 'amqp:a%2Fb/c/d%20e'],
  ])('%s is read', (text, exchange, routingKey, origin) => {
    expect(parseCallbackUrl(text)).toEqual({ scheme: 'amqp', exchange, routingKey, origin });
  });

  it.each([
    ['', 'is required'],
    ['example.org/hooks', 'has to begin with https://'],
    ['ftp://example.org/', 'has to begin with https://'],
    ['file:///etc/passwd', 'has to begin with https://'],
    ['javascript:alert(1)', 'has to begin with https://'],
    ['http:example.org', 'has to begin with http://'],
    ['http:///example.org', 'has to begin with http://'],
    ['http://', 'is not a URL'],
    ['http://./', 'is not a URL with a host'],
    ['http://a..b/', 'is not a URL with a host'],
    ['http://exa mple.org/', 'a space'],
    [' http://example.org/', 'a space'],
    ['http://example.org/\r\nHost: internal', 'a control character'],
    ['http://example.org\\@internal/', 'a backslash'],
    ['http://user@example.org/', 'a user or password'],
    ['http://:hunter2@example.org/', 'a user or password'],
    ['http://example.org/#top', 'a fragment'],
    ['http://example.org:0/', 'port 0'],
    ['http://example.org:65536/', 'is not a URL'],
    ['http://999.1.1.1/', 'is not a URL'],
    ['http://[::1%25eth0]/', 'is not a URL'],
    [`http://example.org/${'x'.repeat(MAX_CALLBACK_URL_BYTES)}`, 'more than 2048 bytes'],
    [`http://example.org/${'ü'.repeat(1020)}`, 'more than 2048 bytes'],
    ['grpc://example.org', 'has to be grpc://host:port'],
    ['grpcs://example.org:443/service', 'has to be grpcs://host:port'],
    ['grpc://example.org:443?a', 'has to be grpc://host:port'],
    ['grpc://user:secret@example.org:443', 'a user or password'],
    ['amqp://broker/events', 'has to be amqp:exchange/routing.key'],
    ['amqp:events', 'has to be amqp:exchange/routing.key'],
    ['amqp:/', 'has to be amqp:exchange/routing.key'],
    ['amqp:e/k?x', 'has to be amqp:exchange/routing.key'],
    ['amqp:e%/k', 'a percent sign'],
    ['amqp:e%0a/k', 'exchange or routing key'],
    [`amqp:e/${'k'.repeat(256)}`, 'exchange or routing key'],
  ])('%j is refused', (text, problem) => {
    expect(() => parseCallbackUrl(text, 'cawin.callback.url')).toThrow(problem);
    expect(() => parseCallbackUrl(text, 'cawin.callback.url')).toThrow(/^cawin\.callback\.url: /);
    expect(() => parseCallbackUrl(text)).not.toThrow(/hunter2|secret/);
  });
});

describe('headers of a callback', () => {
  it('may be what every protocol carries', () => {
    expect(() => assertCallbackHeaders({ Authorization: 'Bearer abc', 'X-Tenant.id_1': 'a b', k: '!' })).not.toThrow();
    expect(() => assertCallbackHeaders({})).not.toThrow();
  });

  it.each<[Record<string, string>, string]>([
    [{ '': 'x' }, 'a name has to be'],
    [{ 'a b': 'x' }, 'a name has to be'],
    [{ ':authority': 'x' }, 'a name has to be'],
    [{ 'a\r\nb': 'x' }, 'a name has to be'],
    [{ ü: 'x' }, 'a name has to be'],
    [{ ['n'.repeat(129)]: 'x' }, 'a name has to be'],
    [{ Host: 'x' }, 'is set by the server'],
    [{ 'Content-Length': '0' }, 'is set by the server'],
    [{ 'transfer-encoding': 'chunked' }, 'is set by the server'],
    [{ Connection: 'close' }, 'is set by the server'],
    [{ 'Webhook-Signature': 'v1,x' }, 'is set by the server'],
    [{ 'ce-id': 'x' }, 'is set by the server'],
    [{ 'grpc-timeout': '1S' }, 'is set by the server'],
    [{ 'data-bin': 'AA' }, 'is set by the server'],
    [{ key: '' }, 'printable ASCII'],
    [{ key: 'a\r\nSet-Cookie: b' }, 'printable ASCII'],
    [{ key: 'a\u0000' }, 'printable ASCII'],
    [{ key: ' a' }, 'printable ASCII'],
    [{ key: 'ü' }, 'printable ASCII'],
    [{ key: 'x'.repeat(4097) }, 'printable ASCII'],
    [{ key: 'a', KEY: 'b' }, 'is there twice'],
    [{ a: 'x'.repeat(4096), b: 'x'.repeat(4096) }, 'more than 8192 bytes'],
    [Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`h${index}`, 'x'])), 'more than 32 members'],
  ])('are refused: case %#', (headers, problem) => {
    expect(() => assertCallbackHeaders(headers)).toThrow(problem);
  });

  it('are named in the error, their values never', () => {
    expect(() => assertCallbackHeaders({ 'X-Key': 'hunter2\n' })).toThrow(/^callback\.headers\[X-Key\]: has to be/);
    expect(() => assertCallbackHeaders({ 'X-Key': 'hunter2\n' })).not.toThrow(/hunter2/);
    expect(isReservedHeader('X-Key')).toBe(false);
  });
});
