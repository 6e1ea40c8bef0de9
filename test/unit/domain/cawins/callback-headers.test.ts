import { describe, expect, it } from 'vitest';
import {
  assertCallbackHeaders,
  isHeaderValue,
  isReservedHeader,
} from '../../../../src/domain/cawins/callback-headers.js';

describe('a header of a cawin', () => {
  it.each([
    ...['Authorization', 'X-Tenant', 'x-api-key', 'Cookie', 'X-Request-Id', 'priority', 'x-delayed', 'accept-language'],
  ])('may be %s', (name) => {
    expect(() => assertCallbackHeaders({ [name]: 'x' })).not.toThrow();
  });

  it.each([
    // The server's own.
    ...['Host', 'content-length', 'Content-MD5', 'content-disposition', 'user-agent', 'traceparent', 'webhook-id'],
    // From hop to hop, of proxies, and of conditions and methods.
    ...['Connection', 'Keep-Alive', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'HTTP2-Settings', 'Via'],
    ...['proxy-authenticate', 'Proxy-Authorization', 'Max-Forwards', 'X-Forwarded-For', 'Forwarded'],
    ...['If-None-Match', 'if-match', 'Range', 'Expect', 'X-HTTP-Method-Override', 'x-method-override'],
    // gRPC's.
    ...['grpc-timeout', 'grpc-status', 'grpc-encoding', 'token-bin'],
    // Orders to a broker.
    ...['CC', 'BCC', 'cc', 'Bcc', 'x-delay', 'X-Delay', 'x-death', 'x-first-death-queue', 'x-last-death-reason'],
    ...['x-match', 'x-deduplication-header', 'x-stream-filter-value', 'x-opt-delivery-delay', 'x-received-from'],
  ])('may not be %s, whatever the protocol', (name) => {
    expect(() => assertCallbackHeaders({ [name]: 'x' })).toThrow('is set by the server, or has a meaning of its own');
    expect(isReservedHeader(name)).toBe(true);
  });

  it.each([':authority', ':path', 'a b', 'x\n', 'é', ''])('may not be named %j', (name) => {
    expect(() => assertCallbackHeaders({ [name]: 'x' })).toThrow('a name has to be');
  });

  it.each(['', ' x', 'x ', 'a\nb', 'a\u0000b', 'vendor=’', '\ud800', 'a\tb', 'x'.repeat(4_097)])(
    'has no value %j',
    (value) => {
      expect(isHeaderValue(value)).toBe(false);
      expect(() => assertCallbackHeaders({ 'x-own': value })).toThrow('printable ASCII');
    },
  );
});
