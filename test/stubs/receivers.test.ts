// Receivers of gRPC callbacks in generated code of several languages: each verifies the signature of what the server sends, and refuses
// what was changed on the way.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { credentials, Metadata, makeGenericClientConstructor } from '@grpc/grpc-js';
import { type CallContext, createServer, ServerError, Status } from 'nice-grpc';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallbackServiceDefinition, OnEventRequest } from '../../generated/madeleine/v1/callback_service.js';
import { EventStatus } from '../../generated/madeleine/v1/event.js';
import { callbackAttempt, logEntry, SECRET } from '../support/cawins/callback-attempt.js';
import { callbackScene } from '../support/cawins/callback-scene.js';
import { GrpcReceiver } from '../support/cawins/grpc-receiver.js';
import { waitUntil } from '../support/wait-until.js';
import { find, generate, javaClassPath, LANGUAGES, missing, pythonWithGrpc, ROOT, run } from './tools.js';

const never = new AbortController().signal;
/** A map of several members: languages write its members in different orders. */
const ENTRY = logEntry({
  rest: {
    properties: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`key ${index}`, `value ${index}`])),
    description: '{"order":17,"state":"paid"}',
  },
});
const OTHER_SECRET = `whsec_${Buffer.alloc(32, 'x').toString('base64')}`;
const TOLD = 'dlv_5_1 EVENT_STATUS_OCCURRED {"order":17,"amount":12.50} 20';

interface Receiver {
  readonly port: number;
  /** What it says that it was told, a line each. */
  told(): readonly string[];
  stop(): void;
}

/** A receiver that is a program: it prints its port, and then what it is told. */
class Program implements Receiver {
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #output = '';
  #errors = '';
  port = 0;

  constructor(program: string, argv: readonly string[], environment: NodeJS.ProcessEnv = {}) {
    const env = { ...process.env, ...environment };
    this.#child = spawn(program, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  async start(): Promise<this> {
    const port = await waitUntil(
      () => {
        if (this.#child.exitCode !== null) throw new Error(`the receiver ended: ${this.#errors}`);
        return /^(\d+)\n/.exec(this.#output)?.[1];
      },
      { what: 'the receiver prints its port', timeoutMs: 30_000 },
    );
    this.port = Number(port);
    return this;
  }

  told(): readonly string[] {
    return this.#output.trimEnd().split('\n').slice(1);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

/** As docs/callbacks.md has it. */
class NodeReceiver implements Receiver {
  readonly #server = createServer();
  readonly #told: string[] = [];
  port = 0;

  async start(): Promise<this> {
    this.#server.add(CallbackServiceDefinition, { onEvent: async (request, context) => this.#take(request, context) });
    this.port = await this.#server.listen('127.0.0.1:0');
    return this;
  }

  told(): readonly string[] {
    return this.#told;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  #take(request: OnEventRequest, { metadata }: CallContext): object {
    const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
    const headers = Object.fromEntries(names.map((name) => [name, String(metadata.get(name))]));
    const signed = Buffer.from(request.signed);
    try {
      new Webhook(SECRET).verify(signed.toString('base64'), headers, { jsonParse: false });
    } catch {
      throw new ServerError(Status.UNAUTHENTICATED, 'not signed with our secret');
    }
    const { deliveryId, outcome, event } = OnEventRequest.decode(signed);
    const body = event?.payload?.body;
    const payload = body?.$case === 'data' ? Buffer.from(body.value).toString() : '';
    this.#told.push([deliveryId, EventStatus[outcome], payload, Object.keys(event?.properties ?? {}).length].join(' '));
    return {};
  }
}

let directory: string;

/** Each language with what starts its receiver, or why it cannot be. */
const RECEIVERS: readonly { name: string; lacks: readonly string[]; start: () => Promise<Receiver> }[] = [
  { name: 'TypeScript', lacks: [], start: () => new NodeReceiver().start() },
  {
    name: 'Python',
    lacks: [...missing(LANGUAGES.python), ...(pythonWithGrpc() === undefined ? ['python3-grpcio'] : [])],
    start: async () => {
      const folder = await generate(LANGUAGES.python, directory);
      const script = join(ROOT, 'test/stubs/python/receiver.py');
      return new Program(pythonWithGrpc() ?? '', [script, SECRET], { PYTHONPATH: folder }).start();
    },
  },
  {
    name: 'Go',
    lacks: missing(LANGUAGES.go),
    start: async () => {
      const folder = await generate(LANGUAGES.go, directory);
      await cp(join(ROOT, 'test/stubs/go'), folder, { recursive: true });
      await run(find('go') ?? 'go', ['build', '-o', 'receiver', '.'], { cwd: folder });
      return new Program(join(folder, 'receiver'), [SECRET]).start();
    },
  },
  {
    name: 'Java',
    lacks: [...missing(LANGUAGES.java), ...(javaClassPath() === undefined ? ['libgrpc-java'] : [])],
    start: async () => {
      const folder = await generate(LANGUAGES.java, directory);
      const entries = await readdir(folder, { recursive: true });
      const sources = entries.filter((name) => name.endsWith('.java')).map((name) => join(folder, name));
      const own = join(ROOT, 'test/stubs/java/Receiver.java');
      const classPath = `${folder}:${javaClassPath()}`;
      await run(find('javac') ?? 'javac', ['-nowarn', '-cp', classPath, '-d', folder, own, ...sources]);
      return new Program(find('java') ?? 'java', ['-cp', classPath, 'Receiver', SECRET]).start();
    },
  },
];

/** Sends these bytes with this metadata, as somebody on the way would. */
async function forward(port: number, bytes: Buffer, metadata: Readonly<Record<string, string>>): Promise<unknown> {
  const asIs = (value: Buffer) => value;
  const path = '/madeleine.v1.CallbackService/OnEvent';
  const Client = makeGenericClientConstructor({}, 'CallbackService');
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const fields = new Metadata();
  for (const [name, value] of Object.entries(metadata)) if (!/^(user-agent|grpc-)/.test(name)) fields.set(name, value);
  try {
    return await promisify((done: (error: Error | null) => void) =>
      client.makeUnaryRequest(path, asIs, asIs, bytes, fields, {}, (error) => done(error)),
    )().catch((error: unknown) => error);
  } finally {
    client.close();
  }
}

describe.each(RECEIVERS)('a receiver in $name', ({ lacks, start }) => {
  const scene = callbackScene();
  let receiver: Receiver | undefined;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'madeleine-receivers-'));
    if (lacks.length === 0) receiver = await start();
  }, 300_000);
  afterAll(async () => {
    receiver?.stop();
    await scene.callbacks.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const send = (secrets: readonly string[], port = receiver?.port) => {
    const attempt = callbackAttempt(`grpc://127.0.0.1:${port}`, {
      secrets,
      event: { entry: ENTRY, cawinId: 5, awaitedId: 7 },
    });
    return scene.callbacks.send({ ...attempt, timeoutMs: 10_000 }, never);
  };
  /** What it prints comes by a pipe, perhaps later than its answer. */
  const expectTold = async (times: number) => {
    await waitUntil(() => (receiver?.told().length ?? 0) >= times, { what: `it says ${times} times what it was told` });
    expect(receiver?.told()).toEqual(Array(times).fill(TOLD));
  };
  const unless = lacks.length === 0 ? '' : ` (no ${lacks.join(', ')} here)`;

  it.skipIf(lacks.length > 0)(`verifies what it is told${unless}`, async () => {
    expect(await send([SECRET])).toMatchObject({ outcome: 'delivered', status: 'OK' });
    await expectTold(1);
  });

  it.skipIf(lacks.length > 0)(`verifies while one secret replaces the other${unless}`, async () => {
    expect(await send([OTHER_SECRET, SECRET])).toMatchObject({ outcome: 'delivered' });
    await expectTold(2);
  });

  it.skipIf(lacks.length > 0)(`refuses another secret's signature, and none${unless}`, async () => {
    expect(await send([OTHER_SECRET])).toMatchObject({ outcome: 'rejected', status: 'UNAUTHENTICATED' });
    await expectTold(2);
  });

  it.skipIf(lacks.length > 0)(`refuses what was changed on the way${unless}`, async () => {
    const spy = new GrpcReceiver();
    await spy.start();
    await send([SECRET], spy.port);
    spy.stop();
    const { bytes, metadata, request } = spy.received[0]!;
    const other = { ...OnEventRequest.decode(request.signed), deliveryId: 'dlv_6_1' };
    const forged = { ...request, signed: Buffer.from(OnEventRequest.encode(other).finish()) };
    expect(
      await forward(receiver?.port ?? 0, Buffer.from(OnEventRequest.encode(forged).finish()), metadata),
    ).toMatchObject({
      code: Status.UNAUTHENTICATED,
    });
    // What stands beside the signed bytes does not count.
    const beside = Buffer.from(OnEventRequest.encode({ ...request, deliveryId: 'dlv_6_1' }).finish());
    expect(await forward(receiver?.port ?? 0, beside, metadata)).toBeUndefined();
    expect(await forward(receiver?.port ?? 0, bytes, metadata)).toBeUndefined();
    await expectTold(4);
  });
});
