import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { mintCallbackSecret, parseCallbackSecret } from '../../../../src/domain/cawins/callback-secret.js';
import { signatureHeaders } from '../../../../src/outbound/attempt/signature.js';

const nowMs = Date.now();
const body = Buffer.from('{"name":"Zoë"}');

describe('the signature of a callback', () => {
  it('is the one of the published example', () => {
    const headers = signatureHeaders({
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      bodies: [Buffer.from('{"test": 2432232314}')],
      secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      nowMs: 1_614_265_330_999,
    });
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it('is verified with each of two secrets while one replaces the other, and with no other', () => {
    const [former, next, other] = [randomBytes, randomBytes, randomBytes].map(mintCallbackSecret) as [
      string,
      string,
      string,
    ];
    const headers = signatureHeaders({ id: 'd', bodies: [body], secrets: [former, next], nowMs });
    expect(headers['webhook-signature']).toMatch(/^v1,[A-Za-z0-9+/]{43}= v1,[A-Za-z0-9+/]{43}=$/);
    for (const secret of [former, next]) expect(new Webhook(secret).verify(body, headers)).toEqual({ name: 'Zoë' });
    expect(() => new Webhook(other).verify(body, headers)).toThrow('No matching signature');
    expect(() => new Webhook(next).verify(Buffer.from('{"name":"Zoe"}'), headers)).toThrow('No matching signature');
    expect(() => new Webhook(next).verify(body, { ...headers, 'webhook-id': 'e' })).toThrow('No matching signature');
  });

  it('is made of each form of the body by itself', () => {
    const secrets = [mintCallbackSecret(randomBytes), mintCallbackSecret(randomBytes)];
    const forms = [Buffer.from('{"form":1}'), Buffer.from('{"form":2}')];
    const headers = signatureHeaders({ id: 'd', bodies: forms, secrets, nowMs });
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(4);
    for (const secret of secrets)
      for (const form of forms) expect(() => new Webhook(secret).verify(form, headers)).not.toThrow();
    expect(() => new Webhook(secrets[0] ?? '').verify(Buffer.concat(forms), headers)).toThrow('No matching signature');
  });

  it('is left out without a secret', () => {
    expect(signatureHeaders({ id: 'd', bodies: [body], secrets: [], nowMs: 5_000 })).toEqual({
      'webhook-id': 'd',
      'webhook-timestamp': '5',
    });
  });
});

describe('a secret of callbacks', () => {
  it('may lack its prefix, as in other libraries', () => {
    const secret = mintCallbackSecret(randomBytes);
    expect(parseCallbackSecret(secret)).toEqual(parseCallbackSecret(secret.slice(6)));
    expect(parseCallbackSecret(secret)).toHaveLength(32);
  });

  it.each([
    ['', 'empty'],
    ['whsec_', 'only a prefix'],
    [`whsec_${randomBytes(23).toString('base64')}`, 'too short'],
    [`whsec_${randomBytes(65).toString('base64')}`, 'too long'],
    [`whsec_${'A'.repeat(31)}-`, 'not base64'],
    [`whsec_${'A'.repeat(31)} `, 'with a space'],
    [`whsec_${'A'.repeat(41)}B`, 'with bits left over'],
  ])('%j is refused: %s', (secret) => {
    expect(() => parseCallbackSecret(secret)).toThrow(
      /^callback\.secret: has to be whsec_ and 24 to 64 bytes in base64$/,
    );
  });
});
