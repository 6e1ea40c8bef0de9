// The URLs in settings: each part is decoded when the settings are read, and what is wrong is said without any secret.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, OPTIONS, type OptionName, readConfig } from '../../../src/config.js';
import { parseBrokerUrl } from '../../../src/settings/broker-url.js';
import { parseDatabaseUrl } from '../../../src/settings/database-url.js';
import { type Certificate, TestAuthority } from '../../support/cawins/certificates.js';

const SECRET = 'geheim';

function refusal(name: OptionName, text: string): string {
  try {
    readConfig({ [name]: text }, {});
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  return '(taken)';
}

describe('URLs in settings', () => {
  it.each<[name: OptionName, text: string, what: RegExp]>([
    ['databaseUrl', `mysql://user:${SECRET}%@db/madeleine`, /password that is not percent-encoded: write % as %25/],
    ['databaseUrl', `mysql://us%er:${SECRET}@db/madeleine`, /user that is not percent-encoded/],
    ['databaseUrl', `mysql://user:${SECRET}%ff@db/madeleine`, /password that is not percent-encoded/],
    ['databaseUrl', `mysql://user:${SECRET}%00@db/madeleine`, /control character in its password/],
    ['databaseUrl', `mysql://user:${SECRET}\t1@db/madeleine`, /holds a control character/],
    ['databaseUrl', `mysql://user:${SECRET}@d%zzb/madeleine`, /host that is not percent-encoded/],
    ['databaseUrl', `mysql://user:${SECRET}@db/made%leine`, /path that is not percent-encoded/],
    ['databaseUrl', `mysql://user:${SECRET}@db1,db2/madeleine`, /has to name one host/],
    ['databaseUrl', `mysql://user:${SECRET}@db:0/madeleine`, /port that is not from 1 to 65535/],
    ['databaseUrl', `mysql://user:${SECRET}@db:70000/madeleine`, /is not a URL/],
    ['databaseUrl', `mysql://user:${SECRET}#x@db/madeleine`, /is not a URL; write it as .*# as %23/],
    ['databaseUrl', `mysql://user:${SECRET}@db/madeleine#x`, /has a part after #/],
    ['databaseUrl', `mysql://user:${SECRET}@db`, /names no database/],
    ['databaseUrl', `mysql://user:${SECRET}@db/a/b`, /names a database that cannot be one/],
    ['databaseUrl', `mysql://user:${SECRET}@/madeleine`, /is not a URL|names no host/],
    ['databaseUrl', `postgres://user:${SECRET}@db/madeleine`, /has to begin with mysql:\/\//],
    ['databaseUrl', SECRET, /is not a URL/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl=true`, /parameter ssl, which is none of ssl-mode, ssl-ca/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?charset=latin1`, /parameter charset, which is none of/],
    ['databaseUrl', `mysql://db/m?${SECRET}!@x`, /has a parameter that is none of/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=REQUIRED&ssl-mode=DISABLED`, /ssl-mode twice/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=on`, /ssl-mode that is not DISABLED, REQUIRED/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=PREFERRED`, /PREFERRED.*write REQUIRED/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=%zz`, /parameter ssl-mode that is not percent-encoded/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-ca=/nowhere/ca.pem`, /ssl-ca that cannot be read.*ENOENT/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-ca=/etc/passwd`, /ssl-ca that holds no certificate in PEM/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=DISABLED&ssl-ca=/etc/ca`, /beside ssl-mode=DISABLED/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-mode=REQUIRED&ssl-ca=/etc/ca`, /looks at no authority/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-cert=/etc/cert`, /ssl-cert and ssl-key together/],
    ['databaseUrl', `mysql://user:${SECRET}@db/m?ssl-key=/etc/key`, /ssl-cert and ssl-key together/],
    ['amqpUrl', `amqp://user:${SECRET}%@broker`, /password that is not percent-encoded: write % as %25/],
    ['amqpUrl', `amqp://us%er:${SECRET}@broker`, /user that is not percent-encoded/],
    ['amqpUrl', `amqp://user:${SECRET}@broker/v%host`, /path that is not percent-encoded/],
    ['amqpUrl', `http://user:${SECRET}@broker`, /has to begin with amqp:\/\/ or amqps:\/\//],
    ['amqpUrl', `amqp://user:${SECRET}@broker?heartbeats=5`, /parameter heartbeats, which is none of heartbeat/],
    ['amqpUrl', `amqp://user:${SECRET}@broker?heartbeat=5s`, /heartbeat that is not a whole number from 0 to 65535/],
    ['amqpUrl', `amqp://user:${SECRET}@broker?frameMax=1`, /frameMax that is not a whole number from 4096/],
    ['amqpUrl', SECRET, /is not a URL/],
    ['secretKey', SECRET, /32 bytes in hex or base64/],
    ['secretKey', `${'00'.repeat(32)},${SECRET}`, /32 bytes in hex or base64/],
  ])('refuses %s = "%s", naming the setting and no secret', (name, text, what) => {
    const message = refusal(name, text);
    expect(message).toMatch(what);
    expect(message.startsWith(`${OPTIONS[name].variable} (${OPTIONS[name].flag}) `)).toBe(true);
    expect(message).not.toContain(SECRET);
  });

  it.each(['here', 'here:0', ':1', 'here:70000', 'http://here:1'])('refuses to be told to others as "%s"', (text) => {
    expect(refusal('advertise', text)).toContain('MADELEINE_PEER_ADVERTISE (--peer-advertise) has to be host:port');
  });

  it('decodes every part of a database URL', () => {
    const text = 'mysql://us%40er:p%25%3A%2F%3F%23%20%C3%A4+@[::1]:3307/my%20base';
    expect(parseDatabaseUrl(text)).toEqual({
      ...{ host: '::1', port: 3307, user: 'us@er', password: 'p%:/?# ä+', database: 'my base' },
      tls: undefined,
    });
    expect(parseDatabaseUrl('mariadb://u@db.internal/m')).toMatchObject({ port: 3306, user: 'u', password: '' });
  });

  it('decodes every part of a broker URL', () => {
    expect(parseBrokerUrl('amqps://u%40:p%25@[::1]/a%2Fb?heartbeat=5&channelMax=7&frameMax=8192')).toEqual({
      ...{ protocol: 'amqps', hostname: '::1', port: 5671, username: 'u@', password: 'p%', vhost: 'a%2Fb' },
      ...{ heartbeat: 5, channelMax: 7, frameMax: 8192 },
    });
    expect(parseBrokerUrl('amqp://broker')).toMatchObject({
      port: 5672,
      username: 'guest',
      vhost: '%2F',
      heartbeat: 10,
    });
    expect(parseBrokerUrl('amqp://broker/')).toMatchObject({ vhost: '%2F' });
  });

  describe('with files', () => {
    const authority = new TestAuthority();
    let directory: string;
    let certificate: Certificate;
    const file = (name: string) => join(directory, name);

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'madeleine-urls-'));
      await authority.start();
      certificate = await authority.issue('DNS:db.test');
      await writeFile(file('c+a &%.pem'), authority.ca);
      await writeFile(file('cert.pem'), certificate.cert);
      await writeFile(file('key.pem'), certificate.key);
    });

    afterAll(async () => {
      await authority.stop();
      await rm(directory, { recursive: true });
    });

    it('reads authority, certificate and key, whatever their paths are called', () => {
      const ca = file('c+a &%.pem').replaceAll('%', '%25').replaceAll('&', '%26');
      const files = `ssl-ca=${ca}&ssl-cert=${file('cert.pem')}&ssl-key=${file('key.pem')}`;
      const { tls } = parseDatabaseUrl(`mysql://db/m?${files}&ssl-mode=verify_identity`);
      expect(tls).toEqual({ mode: 'VERIFY_IDENTITY', ca: authority.ca, ...certificate });
    });

    it('takes an authority alone for VERIFY_CA, and a certificate alone for REQUIRED', () => {
      const own = `ssl-cert=${file('cert.pem')}&ssl-key=${file('key.pem')}`;
      expect(parseDatabaseUrl(`mysql://db/m?ssl-ca=${file('cert.pem')}`).tls?.mode).toBe('VERIFY_CA');
      expect(parseDatabaseUrl(`mysql://db/m?${own}`).tls?.mode).toBe('REQUIRED');
      expect(parseDatabaseUrl('mysql://db/m?ssl-mode=DISABLED').tls).toBeUndefined();
    });

    it('refuses a certificate where a key belongs', () => {
      const both = `ssl-cert=${file('cert.pem')}&ssl-key=${file('cert.pem')}`;
      expect(() => parseDatabaseUrl(`mysql://db/m?${both}`)).toThrow(/ssl-key that holds no private key/);
    });
  });
});
