// Names of consumers that are for the server: no call creates one, and one of before goes on.

import { createConnection } from 'mysql2/promise';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { inspectServerSide } from '../../../src/app/migrate-and-doctor.js';
import { readConfig } from '../../../src/config.js';
import { useScenes } from '../../support/consumers/consumer-scene.js';
import { refusalOf } from '../../support/contract/refusals.js';
import { useServer } from '../../support/server/suite.js';

const suite = useServer();
const scene = useScenes(suite);
const NAME = 'route:orders';

/** Gives a consumer a name that it could have when there were no reserved ones. */
async function rename(from: string, to: string): Promise<void> {
  const connection = await createConnection(suite.database.adminUrl);
  await connection.query('UPDATE consumer SET name = ? WHERE name = ?', [to, from]);
  await connection.end();
}

const named = async () =>
  (
    await inspectServerSide({
      config: readConfig({ databaseUrl: suite.database.url, httpListen: '127.0.0.1:9' }, {}),
      logger: pino({ level: 'silent' }),
      nowMs: Date.now,
    })
  ).find(({ check }) => check === 'consumer names');

describe('a consumer whose name begins with route:', () => {
  it('is created by no call', async () => {
    const { refused, fetch } = scene();
    const refusal = (field: string) => ({ status: 'INVALID_ARGUMENT', reason: 'FIELD_INVALID', fields: [field] });
    expect(await refused({ consumer: NAME })).toMatchObject(refusal('consumer'));
    expect(await refusalOf(fetch({ consumer: NAME }))).toMatchObject(refusal('consumer'));
    expect(await refusalOf(suite.client.consumers.createConsumer({ name: NAME }))).toMatchObject(refusal('name'));
    expect(await refusalOf(suite.client.consumers.getConsumer({ name: NAME }))).toMatchObject({
      reason: 'CONSUMER_UNKNOWN',
    });
    expect(await named()).toBeUndefined();
  });

  it('goes on if it was there before, and doctor names it', async () => {
    const { consumer, settings, push, fetch } = scene();
    await suite.client.consumers.createConsumer({ name: consumer, settings });
    await push(1);
    await rename(consumer, NAME);
    expect((await fetch({ consumer: NAME })).deliveries).toHaveLength(1);
    await suite.client.consumers.createConsumer({ name: NAME, settings });
    expect(await named()).toMatchObject({ state: 'warning', detail: expect.stringContaining(`default/${NAME}`) });
    await suite.client.consumers.deleteConsumer({ name: NAME });
    expect(await named()).toBeUndefined();
    expect(await refusalOf(suite.client.consumers.createConsumer({ name: NAME }))).toMatchObject({ fields: ['name'] });
  });
});
