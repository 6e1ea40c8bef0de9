import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { fromBinary } from '@bufbuild/protobuf';
import { type FileDescriptorProto, FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, status } from '@grpc/grpc-js';
import {
  HealthDefinition,
  HealthCheckResponse_ServingStatus as Serving,
} from 'nice-grpc-server-health/lib/proto/grpc/health/v1/health.js';
import { ServerReflectionService } from 'nice-grpc-server-reflection';
import {
  ServerReflectionRequest,
  type ServerReflectionResponse,
} from 'nice-grpc-server-reflection/lib/proto/grpc/reflection/v1/reflection_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { refusalOf, take } from '../../support/contract/refusals.js';
import { PrivateDatabase } from '../../support/database/private-database.js';
import { newEvent } from '../../support/events/builders.js';
import { startServer, TestClient, type TestServer } from '../../support/server/server.js';
import { useServer } from '../../support/server/suite.js';
import { waitUntil } from '../../support/wait-until.js';

const suite = useServer();
const SERVICES = [
  '',
  ...['Event', 'Stream', 'Topic', 'Consumer', 'Cawin', 'Admin'].map((service) => `madeleine.v1.${service}Service`),
];
const run = promisify(execFile);

async function* only<T>(item: T): AsyncGenerator<T> {
  yield item;
}

describe('health', () => {
  it('is SERVING overall and for each service', async () => {
    for (const service of SERVICES) {
      const { status } = await suite.client.of(HealthDefinition).check({ service });
      expect(status).toBe(Serving.SERVING);
    }
  });
});

describe('reflection', () => {
  it('lists every method to tools', async () => {
    const address = `http://${suite.server.address}`;
    const options = ['--protocol', 'grpc', '--http2-prior-knowledge', '--list-methods'];
    const { stdout } = await run('node_modules/.bin/buf', ['curl', ...options, address]);
    const methods = stdout.trim().split('\n');
    expect(methods).toEqual(
      expect.arrayContaining(['madeleine.v1.EventService/PushEvent', 'grpc.health.v1.Health/Check']),
    );
    expect(methods.filter((method) => method.startsWith('madeleine.'))).toHaveLength(66);
  });

  async function fileOf(symbol: string): Promise<FileDescriptorProto> {
    const request = new ServerReflectionRequest().setFileContainingSymbol(symbol);
    const call = suite.client.of(ServerReflectionService).serverReflectionInfo(only(request));
    for await (const answer of call as AsyncIterable<ServerReflectionResponse>) {
      expect(answer.getOriginalRequest()?.getFileContainingSymbol()).toBe(symbol);
      const [bytes] = answer.getFileDescriptorResponse()?.getFileDescriptorProtoList_asU8() ?? [];
      if (bytes === undefined) throw new Error(`${symbol}: ${answer.getErrorResponse()?.getErrorMessage()}`);
      return fromBinary(FileDescriptorProtoSchema, bytes);
    }
    throw new Error('no answer');
  }

  it.each([
    ['madeleine.v1.EventService', 'madeleine/v1/event_service.proto'],
    ['madeleine.v1.EventService.PushEvent', 'madeleine/v1/event_service.proto'],
    ['madeleine.v1.Event.created_at', 'madeleine/v1/event.proto'],
    ['madeleine.v1.Payload.body', 'madeleine/v1/event.proto'],
    ['madeleine.v1.EVENT_STATUS_AWAITED', 'madeleine/v1/event.proto'],
    ['madeleine.v1.EventStatus.EVENT_STATUS_AWAITED', 'madeleine/v1/event.proto'],
    ['madeleine.v1.CallbackService', 'madeleine/v1/callback_service.proto'],
    ['google.rpc.Status', 'google/rpc/status.proto'],
    ['google.rpc.ErrorInfo', 'google/rpc/error_details.proto'],
    ['google.rpc.BadRequest.FieldViolation', 'google/rpc/error_details.proto'],
    ['google.rpc.RetryInfo.retry_delay', 'google/rpc/error_details.proto'],
    ['google.protobuf.Any', 'google/protobuf/any.proto'],
    ['grpc.health.v1.Health', 'health/v1/health.proto'],
  ])('finds the file of %s, with its comments', async (symbol, name) => {
    const file = await fileOf(symbol);
    expect(file.name).toBe(name);
    const comments = file.sourceCodeInfo?.location.filter(({ leadingComments }) => leadingComments !== '') ?? [];
    expect(comments.length).toBeGreaterThan(0);
  });

  it('knows nothing of what is not there', async () => {
    for (const symbol of ['madeleine.v1.Event.nothing', 'madeleine.v1.EventStatus.NOTHING', ''])
      await expect(fileOf(symbol)).rejects.toThrow(`Symbol not found: ${symbol}`);
  });

  it('answers under its former name as well', async () => {
    const client = new Client(suite.server.address, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    const path = '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo';
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity);
    // ServerReflectionRequest { list_services: "" }
    call.write(Buffer.from([0x3a, 0]));
    const answer = await new Promise<Buffer>((resolve, reject) => call.on('data', resolve).on('error', reject));
    call.end();
    client.close();
    for (const service of SERVICES) expect(answer.includes(service)).toBe(true);
  });
});

describe('HTTP', () => {
  const get = (path: string) => fetch(`http://${suite.server.httpAddress}${path}`);

  it('says that it lives and is ready', async () => {
    expect((await get('/livez')).status).toBe(200);
    const ready = await get('/readyz');
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, reasons: [] });
  });

  it('counts calls, pushes, groups, the tail and consumers', async () => {
    await suite.client.events.pushEvent({ event: newEvent({ topic: 'metrics', stream: 'say "hi"' }) });
    await suite.client.consumers.fetch({ consumer: 'metered', limit: 1 });
    const patterns = [
      /^grpc_server_handled_total\{.*grpc_method="PushEvent".*grpc_code="OK"\} \d+$/,
      /^madeleine_pushes_total\{outcome="occurred"\} [1-9]\d*$/,
      /^madeleine_topic_events_total\{context="default",topic="metrics"\} 1$/,
      /^madeleine_stream_events_total\{context="default",stream="say \\"hi\\""\} 1$/,
      /^madeleine_group_events_count [1-9]\d*$/,
      /^madeleine_group_commit_seconds_sum \d/,
      /^madeleine_tail_position [1-9]\d*$/,
      /^madeleine_consumer_offset\{context="default",consumer="metered"\} \d+$/,
      /^madeleine_consumer_lag\{context="default",consumer="metered"\} \d+$/,
      /^madeleine_consumer_in_flight\{context="default",consumer="metered"\} 1$/,
    ];
    // Those of consumers are brought up to date once a second.
    await waitUntil(
      async () => {
        const lines = (await (await get('/metrics')).text()).split('\n');
        return patterns.every((pattern) => lines.some((line) => pattern.test(line)));
      },
      { what: 'every metric is there' },
    );
  });
});

describe('limits', () => {
  it('answers a request above 4 MiB with RESOURCE_EXHAUSTED and goes on', async () => {
    const huge = newEvent({
      payload: { contentType: 'a/b', body: { $case: 'data', value: Buffer.alloc(5 * 1024 * 1024) } },
    });
    expect((await refusalOf(suite.client.events.pushEvent({ event: huge }))).status).toBe('RESOURCE_EXHAUSTED');
    await suite.client.events.pushEvent({ event: newEvent() });
  });

  it.each([
    'EventService/PushEvent',
    'EventService/PushEvents',
    'EventService/PushEventStream',
    'EventService/GetEvent',
    'EventService/ReadEvents',
    'ConsumerService/Subscribe',
    'ConsumerService/Acknowledge',
    'StreamService/ListStreams',
  ])('answers bytes that are no request of %s with INVALID_ARGUMENT', async (method) => {
    const client = new Client(suite.server.address, credentials.createInsecure());
    const identity = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(`/madeleine.v1.${method}`, identity, identity);
    call.write(Buffer.from([0x0a, 0xff, 0xff]));
    call.end();
    const error = await new Promise<{ code: number; details: string }>((resolve) =>
      call.on('data', () => {}).on('error', resolve as never),
    );
    client.close();
    expect(error).toMatchObject({ code: 3, details: expect.stringContaining('cannot be decoded') });
  });

  it('honours a deadline that is over', async () => {
    const call = suite.client.events.pushEvent({ event: newEvent() }, { signal: AbortSignal.abort() });
    await expect(call).rejects.toThrow();
  });

  it('tells the id by which a refused call is found in the log', async () => {
    let trailer = '';
    const call = suite.client.events.getEvent(
      {},
      {
        onTrailer: (found) => {
          trailer = found.get('x-request-id') ?? '';
        },
      },
    );
    await refusalOf(call);
    expect(trailer).toMatch(/^[0-9a-f-]{36}$/);
  });
});

/** A stream of reflection that asks once and stays. */
function reflectionEnd(address: string): { began: Promise<unknown>; ended: Promise<unknown> } {
  const client = new Client(address, credentials.createInsecure());
  const identity = (bytes: Buffer) => bytes;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, identity, identity);
  const began = once(call, 'data');
  const ended = new Promise((resolve) => call.on('error', resolve)).finally(() => client.close());
  // ServerReflectionRequest { list_services: "" }
  call.write(Buffer.from([0x3a, 0]));
  return { began, ended };
}

describe('a server that stops', () => {
  it('says good-bye to open streams, and refuses new work', async () => {
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '3000' });
    const client = new TestClient(server.address);
    const reading = client.events.readEvents({ follow: true, context: 'drained' })[Symbol.asyncIterator]();
    const watching = client.events.watchEvents({ context: 'drained' })[Symbol.asyncIterator]();
    expect((await reading.next()).value?.frame?.$case).toBe('caughtUp');
    expect((await watching.next()).value?.frame?.$case).toBe('watching');
    const stopping = server.stop();
    for (const stream of [reading, watching]) {
      expect((await stream.next()).value?.frame?.$case).toBe('goingAway');
      expect(await refusalOf(stream.next())).toMatchObject({
        status: 'UNAVAILABLE',
        reason: 'DRAINING',
        retryable: true,
      });
    }
    await stopping;
    client.close();
  });

  it('ends every kind of stream at once, with the reason', async () => {
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '5000' });
    const client = new TestClient(server.address);
    const { event: awaited } = await client.events.pushEvent({
      event: newEvent({ payload: undefined, description: { never: 'comes' } }),
    });
    const never = new Promise<never>(() => {});
    const idle = async function* <T>(...messages: T[]) {
      yield* messages;
      await never;
    };
    const push = { batchId: 1n, events: [{ event: newEvent() }] };
    const streams = {
      // Of a context in which nothing is pushed: what it had in flight would be waited for.
      subscribe: client.consumers.subscribe({ context: 'quiet', consumer: 'drained' }),
      idlePush: client.events.pushEventStream(idle()),
      push: client.events.pushEventStream(idle(push)),
      wait: client.cawins.waitForEvent({ eventId: awaited?.id ?? 0n }),
      health: client.of(HealthDefinition).watch({ service: '' }),
    };
    const reflection = reflectionEnd(server.address);
    const ends = Object.entries(streams).map(async ([name, stream]) => {
      const messages: unknown[] = [];
      const read = async () => {
        for await (const message of stream as AsyncIterable<unknown>) {
          messages.push(message);
          if (messages.length === 1) began.push(name);
        }
      };
      const refusal = await refusalOf(read());
      return [name, { ...refusal, last: messages.at(-1) }] as const;
    });
    const began: string[] = ['idlePush'];
    await waitUntil(() => began.length === ends.length, { what: 'all streams are open' });
    await reflection.began;
    const startedAt = performance.now();
    const stopping = server.stop();
    const ended = Object.fromEntries(await Promise.all(ends));
    await stopping;
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    const reasons = Object.entries(ended).map(([name, refusal]) => `${name} ${refusal.status} ${refusal.reason}`);
    expect(reasons).toEqual(Object.keys(streams).map((name) => `${name} UNAVAILABLE DRAINING`));
    expect(ended.subscribe?.last).toMatchObject({ frame: { $case: 'goingAway' } });
    expect(ended.health?.last).toEqual({ status: Serving.NOT_SERVING });
    expect(await reflection.ended).toMatchObject({ code: status.UNAVAILABLE, details: 'the server is about to stop' });
    client.close();
  });

  it('answers what a stream of pushes sent before it says good-bye', async () => {
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '5000' });
    const client = new TestClient(server.address);
    const batches = 100;
    async function* requests() {
      for (let batch = 1; batch <= batches; batch += 1) {
        const events = Array.from({ length: 50 }, () => ({ event: newEvent({ context: 'answered' }) }));
        yield { batchId: BigInt(batch), events };
      }
      await new Promise(() => {});
    }
    const answered: bigint[] = [];
    const read = async () => {
      for await (const { batchId } of client.events.pushEventStream(requests())) answered.push(batchId);
    };
    const refusal = refusalOf(read());
    await waitUntil(() => answered.length > 0, { what: 'the first answer' });
    await server.stop();
    expect(await refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'DRAINING' });
    expect(answered).toEqual(answered.map((_, index) => BigInt(index + 1)));
    const count = async () => {
      const frames = await take(suite.client.events.readEvents({ context: 'answered' }), () => false);
      return frames.flatMap(({ events }) => events).length;
    };
    // Another instance learns of them by its next look at the log.
    await waitUntil(async () => (await count()) === 50 * answered.length, { what: 'what was answered is stored' });
    client.close();
  });

  it('ends in time although a client neither reads nor goes', async () => {
    const server = await startServer({ databaseUrl: suite.database.url, drainMs: '300' });
    const client = new TestClient(server.address);
    await client.events.pushEvents({
      events: Array.from({ length: 500 }, () => ({ event: newEvent({ context: 'stuck' }) })),
    });
    const stuck = client.events.readEvents({ context: 'stuck', follow: true, batchSize: 1 })[Symbol.asyncIterator]();
    await stuck.next();
    const startedAt = performance.now();
    await server.stop();
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    client.close();
  });
});

describe('a server whose database goes away', () => {
  const mariadb = new PrivateDatabase();
  let server: TestServer;
  let client: TestClient;

  beforeAll(async () => {
    await mariadb.start();
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(mariadb.adminUrl);
    await connection.query('CREATE DATABASE away');
    await connection.end();
    server = await startServer({ databaseUrl: `${mariadb.adminUrl}away` });
    client = new TestClient(server.address);
  });
  afterAll(async () => {
    client.close();
    await server.stop();
    await mariadb.stop();
  });

  const serving = async () => (await client.of(HealthDefinition).check({ service: SERVICES[1] ?? '' })).status;
  const ready = async () => (await fetch(`http://${server.httpAddress}/readyz`)).status;

  it('is not serving meanwhile, refuses with UNAVAILABLE, and recovers by itself', async () => {
    const { event } = await client.events.pushEvent({ event: newEvent() });
    await mariadb.kill();
    await waitUntil(async () => (await serving()) === Serving.NOT_SERVING, { what: 'health follows the database' });
    expect(await ready()).toBe(503);
    const refusal = await refusalOf(client.events.getEvent({ key: { $case: 'id', value: event?.id ?? 0n } }));
    expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: 'STORAGE_UNAVAILABLE', retryable: true });
    const pushed = client.events.pushEvent({ event: newEvent() });
    await mariadb.run();
    await waitUntil(async () => (await serving()) === Serving.SERVING, { what: 'health follows the database back' });
    expect(await ready()).toBe(200);
    expect((await pushed).event?.position).toBe(2n);
    const frames = await take(client.events.readEvents({}), () => false);
    expect(frames.flatMap(({ events }) => events)).toHaveLength(2);
  });
});

describe('a server that cannot start', () => {
  const refused = (settings: Parameters<typeof startServer>[0]) =>
    startServer({ databaseUrl: suite.database.url, ...settings }).then(
      async (server) => {
        await server.stop();
        return 'started';
      },
      (error: Error) => error.message,
    );

  it('names the port that is in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    const listen = `127.0.0.1:${port}`;
    expect(await refused({ listen })).toContain(`cannot listen on ${listen} for gRPC`);
    expect(await refused({ httpListen: listen })).toContain(`cannot listen on ${listen} for HTTP`);
    taken.close();
  });

  it('says what is wrong with the URL of the database', async () => {
    expect(await refused({ databaseUrl: 'postgres://127.0.0.1/x' })).toContain('has to begin with mysql://');
    expect(await refused({ databaseUrl: 'nonsense' })).toContain('is not a URL');
    expect(await refused({ databaseUrl: 'mysql://u:secret@127.0.0.1:1/db' })).toMatch(
      /the database at 127.0.0.1:1 cannot be used: .*ECONNREFUSED/,
    );
    const wrong = suite.database.url.replace(/:[^:@]*@/, ':wrong-password@');
    const message = await refused({ databaseUrl: wrong });
    expect(message).toContain('Access denied');
    expect(message).not.toContain('wrong-password');
  });

  it('refuses a database of a newer schema', async () => {
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(suite.database.url);
    await connection.query('UPDATE schema_info SET version = 900, min_app_version = 900');
    expect(await refused({})).toContain('needs a newer madeleine');
    await connection.query('UPDATE schema_info SET version = 900, min_app_version = 1');
    expect(await refused({})).toBe('started');
    await connection.end();
  });

  it('refuses a database that may lose commits, unless allowed', async () => {
    const mariadb = new PrivateDatabase({ arguments: ['--innodb-flush-log-at-trx-commit=2'] });
    await mariadb.start();
    const { createConnection } = await import('mysql2/promise');
    const connection = await createConnection(mariadb.adminUrl);
    await connection.query('CREATE DATABASE lossy');
    await connection.end();
    const databaseUrl = `${mariadb.adminUrl}lossy`;
    expect(await refused({ databaseUrl })).toContain('innodb_flush_log_at_trx_commit is 2');
    expect(await refused({ databaseUrl, allowLossy: 'true' })).toBe('started');
    await mariadb.stop();
  });
});
