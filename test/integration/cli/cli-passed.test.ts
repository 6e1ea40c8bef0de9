// Consumers of a stream, those that have passed an event, and events with those that passed them, on the command line.

import { describe, expect, it } from 'vitest';
import { jsonPayload, newEvent } from '../../support/events/builders.js';
import { useServer } from '../../support/server/suite.js';
import { ndjson, runToEnd } from './cli-run.js';

const suite = useServer();

describe('the command line about passed events', () => {
  const cli = (...argv: string[]) => runToEnd(argv, { server: suite.server.address });

  it('lists consumers of a stream and of an event, and events with those that passed them', async () => {
    const context = 'passed';
    const { consumers, events } = suite.client;
    const event = newEvent({ context, stream: 's', payload: jsonPayload({ n: 1 }) });
    const id = (await events.pushEvent({ event })).event?.id ?? 0n;
    await consumers.createConsumer({ context, name: 'other', settings: { filter: { streams: ['t'] } } });
    const { deliveries } = await consumers.fetch({ context, consumer: 'mailer', limit: 1 });
    const acknowledgements = deliveries.map(({ event: taken, lease }) => ({ position: taken?.position ?? 0n, lease }));
    await consumers.acknowledge({ context, consumer: 'mailer', acknowledgements });
    const ofStream = await cli('consumers', 'list', '--context', context, '--stream', 's', '--json');
    expect(ndjson(ofStream.stdout).map(({ name }) => name)).toContain('mailer');
    expect(ofStream.stdout).not.toContain('"other"');
    expect((await cli('consumers', 'list', '--context', context, '--passed', String(id))).stdout).toMatch(/ mailer /);
    expect(await cli('consumers', 'list', '--passed', '987654321')).toMatchObject({ code: 1 });
    const { stdout } = await cli(
      'events',
      'list',
      '--topic',
      'orders',
      '--context',
      context,
      '--since',
      '1h',
      '--with-consumers',
    );
    expect(stdout).toMatch(
      /^POSITION +EVENT +CREATED AT +TOPIC +STREAM +ISSUER +PASSED BY\n.* orders +s#1 +shop +mailer\n$/,
    );
    const json = await cli(
      'events',
      'list',
      '--topic',
      'orders',
      '--context',
      context,
      '--with-consumers',
      '--newest-first',
      '--json',
    );
    expect(ndjson(json.stdout)).toMatchObject([
      { id: String(id), payload: { json: { n: 1 } }, passedBy: { consumers: [{ context, name: 'mailer' }] } },
    ]);
    const plain = await cli('events', 'list', '--topic', 'orders', '--context', context, '--until', '2000-01-01');
    expect(plain).toMatchObject({ code: 0, stdout: 'POSITION  EVENT  CREATED AT  TOPIC  STREAM  ISSUER\n' });
  });
});
