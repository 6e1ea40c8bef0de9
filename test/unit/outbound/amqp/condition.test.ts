// How the way to the broker is told: not needed yet, and down with the cause and without its password.

import { pino } from 'pino';
import { expect, it } from 'vitest';
import { systemClock } from '../../../../src/lib/clock.js';
import { Amqp } from '../../../../src/outbound/amqp/amqp.js';
import { AmqpConnection } from '../../../../src/outbound/amqp/amqp-connection.js';
import { freePort } from '../../../support/database/private-database.js';

it('is idle until somebody needs it, and down once nobody was there', async () => {
  const url = `amqp://user:secret-word@127.0.0.1:${await freePort()}/`;
  const options = { url, clock: systemClock, random: () => 0, logger: pino({ level: 'silent' }) };
  expect(new Amqp(options).condition).toEqual({ state: 'idle', detail: 'no callback has needed it' });
  const connection = new AmqpConnection(options);
  await expect(connection.use('exchange', 1, new AbortController().signal, async () => {})).rejects.toThrow('broker');
  expect(connection.condition).toEqual({ state: 'down', detail: expect.stringContaining('ECONNREFUSED') });
  expect(connection.condition.detail).not.toContain('secret-word');
});
