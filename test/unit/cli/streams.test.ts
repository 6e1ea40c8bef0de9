// How the command line keeps streams going over lost connections: what is sent again, and what is not.

import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClientError, Status } from 'nice-grpc';
import { describe, expect, it } from 'vitest';
import { type PushEventStreamRequest, PushEventStreamResponse } from '../../../generated/madeleine/v1/event_service.js';
import { type Batch, BatchPusher } from '../../../src/cli/connection/batch-pusher.js';
import type { MadeleineClient } from '../../../src/cli/connection/client.js';
import { describeFailure, exitCodeOf, isTransient, UsageError } from '../../../src/cli/connection/failures.js';
import { lineBatches } from '../../../src/cli/connection/line-batches.js';
import { KeptStream } from '../../../src/cli/connection/reconnect.js';
import { ConfigError } from '../../../src/config.js';

const unavailable = () => new ClientError('/x', Status.UNAVAILABLE, 'Connection dropped');
const refused = () => new ClientError('/x', Status.INVALID_ARGUMENT, 'no');
const signal = new AbortController().signal;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function answerTo({ batchId, events }: PushEventStreamRequest): PushEventStreamResponse {
  const receipt = { id: batchId, position: batchId, outcome: 1 };
  return PushEventStreamResponse.fromPartial({
    batchId,
    results: events.map(() => ({ result: { $case: 'receipt', value: receipt } })),
  });
}

async function* batches(ids: readonly string[]): AsyncGenerator<Batch> {
  for (const messageId of ids) yield { events: [{ line: 1, event: { messageId } }], bytes: 1 };
}

/** A server that takes `take[n]` batches on its n-th stream, answers `answer[n]` of them, and then is gone. */
class FlakyServer {
  readonly received: string[][] = [];
  readonly #streams: readonly { readonly take: number; readonly answer: number }[];

  constructor(streams: readonly { readonly take: number; readonly answer: number }[]) {
    this.#streams = streams;
  }

  async *pushEventStream(requests: AsyncIterable<PushEventStreamRequest>): AsyncGenerator<PushEventStreamResponse> {
    const plan = this.#streams[this.received.length];
    const ids: string[] = [];
    this.received.push(ids);
    for await (const request of requests) {
      ids.push(...request.events.map(({ event }) => event?.messageId ?? ''));
      if (plan === undefined || ids.length <= plan.answer) yield answerTo(request);
      if (plan !== undefined && ids.length >= plan.take) throw unavailable();
    }
  }

  get client(): Pick<MadeleineClient, 'events'> {
    return { events: this } as unknown as MadeleineClient;
  }
}

async function pushThrough(
  server: FlakyServer,
  ids: readonly string[],
): Promise<{ answered: string[]; retries: number }> {
  const answered: string[] = [];
  let retries = 0;
  const pusher = new BatchPusher({
    client: server.client,
    signal,
    onRetry: () => {
      retries += 1;
    },
    onResults: async (batch) => {
      answered.push(...batch.events.map(({ event }) => event.messageId ?? ''));
    },
  });
  await pusher.run(batches(ids));
  return { answered, retries };
}

describe('bulk push', () => {
  it('has each batch answered once, in order', async () => {
    const ids = Array.from({ length: 40 }, (_, index) => String(index));
    const server = new FlakyServer([]);
    expect(await pushThrough(server, ids)).toEqual({ answered: ids, retries: 0 });
    expect(server.received).toEqual([ids]);
  });

  it('sends what was not answered again, with the same message ids, before what is new', async () => {
    const server = new FlakyServer([{ take: 3, answer: 1 }]);
    expect(await pushThrough(server, ['a', 'b', 'c', 'd', 'e'])).toEqual({
      answered: ['a', 'b', 'c', 'd', 'e'],
      retries: 1,
    });
    expect(server.received).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c', 'd', 'e'],
    ]);
  });

  it('survives several losses in a row, also after the last line', async () => {
    const server = new FlakyServer([
      { take: 2, answer: 0 },
      { take: 1, answer: 1 },
      { take: 1, answer: 0 },
    ]);
    const { answered } = await pushThrough(server, ['a', 'b']);
    expect(answered).toEqual(['a', 'b']);
    expect(server.received).toEqual([['a', 'b'], ['a'], ['b'], ['b']]);
  });

  it('never has more than eight batches unanswered', async () => {
    const server = new FlakyServer([]);
    let open = 0;
    let most = 0;
    const windowed = {
      async *pushEventStream(requests: AsyncIterable<PushEventStreamRequest>) {
        const waiting: PushEventStreamRequest[] = [];
        for await (const request of requests) {
          waiting.push(request);
          open += 1;
          most = Math.max(most, open);
          if (waiting.length < 8) continue;
          for (const one of waiting.splice(0)) {
            open -= 1;
            yield answerTo(one);
          }
        }
        yield* waiting.map(answerTo);
      },
    };
    Object.assign(server, windowed);
    const ids = Array.from({ length: 24 }, (_, index) => String(index));
    expect((await pushThrough(server, ids)).answered).toEqual(ids);
    expect(most).toBe(8);
  });

  it('ends with an error that a retry would not mend', async () => {
    const client = {
      events: {
        // biome-ignore lint/correctness/useYield: it fails before it answers
        async *pushEventStream() {
          throw refused();
        },
      },
    } as unknown as MadeleineClient;
    const pusher = new BatchPusher({ client, signal, onRetry: () => undefined, onResults: async () => undefined });
    await expect(pusher.run(batches(['a']))).rejects.toThrow('no');
  });

  it('gives up on a server that takes everything and answers nothing', async () => {
    let taken = 0;
    const client = {
      events: {
        async *pushEventStream(requests: AsyncIterable<PushEventStreamRequest>, options: { signal: AbortSignal }) {
          for await (const request of requests) {
            taken += 1;
            if (taken === 2) break;
            yield answerTo(request);
          }
          await once(options.signal, 'abort');
          options.signal.throwIfAborted();
        },
      },
    } as unknown as MadeleineClient;
    const rest = { signal, onRetry: () => undefined, onResults: async () => undefined };
    const pusher = new BatchPusher({ client, ...rest, giveUpMs: 100 });
    await expect(pusher.run(batches(['a', 'b', 'c']))).rejects.toThrow('gave up after 0.1 s without an answer');
    expect(taken).toBe(2);
  });
});

describe('lines of stdin', () => {
  async function batchesFrom(chunks: readonly string[], maxLines: number, maxBytes = 1000): Promise<string[][]> {
    const input = Readable.from(chunks.map((chunk) => Buffer.from(chunk, 'latin1')));
    const found: string[][] = [];
    for await (const lines of lineBatches({ input, maxLines, maxBytes, signal })) {
      found.push(lines.map(({ number, bytes }) => `${number}:${bytes}`));
    }
    return found;
  }

  it('are cut at \\n and \\r\\n wherever chunks end, with empty ones counted', async () => {
    expect(await batchesFrom(['a\nb', 'c\r', '\n\n', 'd'], 2)).toEqual([['1:a', '2:bc'], ['4:d']]);
  });

  it('keep characters that two chunks share', async () => {
    expect(await batchesFrom(['\xc3', '\xa9\n'], 2)).toEqual([['1:é']]);
  });

  it('are batched by their size as well, a long one alone', async () => {
    expect(await batchesFrom(['aaaa\nbbbb\ncc\ndddddddddddd\ne\n'], 9, 10)).toEqual([
      ['1:aaaa', '2:bbbb', '3:cc'],
      ['4:dddddddddddd'],
      ['5:e'],
    ]);
  });

  it('do not wait for a full batch while the pipe is quiet', async () => {
    const input = new PassThrough();
    const batchesOfLines = lineBatches({ input, maxLines: 100, maxBytes: 1000, signal });
    input.write('a\nb\nhalf');
    expect((await batchesOfLines.next()).value).toMatchObject([
      { bytes: Buffer.from('a') },
      { bytes: Buffer.from('b') },
    ]);
    input.end(' line\n');
    expect((await batchesOfLines.next()).value).toMatchObject([{ number: 3, bytes: Buffer.from('half line') }]);
    expect((await batchesOfLines.next()).done).toBe(true);
  });

  it('are kept no longer than they are used', async () => {
    const read: WeakRef<Buffer>[] = [];
    const input = Readable.from(
      (function* chunks() {
        for (let n = 0; n < 1_000; n += 1) {
          const chunk = Buffer.alloc(1_024, 'a\n');
          read.push(new WeakRef(chunk));
          yield chunk;
        }
      })(),
    );
    let kept = 0;
    for await (const _ of lineBatches({ input, maxLines: 600, maxBytes: 10_000, signal })) {
      if (read.length < 900) continue;
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
      kept = Math.max(kept, read.filter((chunk) => chunk.deref() !== undefined).length);
      break;
    }
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(100);
  });

  it('end with the signal', async () => {
    const controller = new AbortController();
    const reading = lineBatches({
      input: new PassThrough(),
      maxLines: 1,
      maxBytes: 1,
      signal: controller.signal,
    }).next();
    controller.abort();
    await expect(reading).rejects.toThrow(/abort/i);
  });
});

describe('a kept stream', () => {
  const notices: string[] = [];
  const output = { notice: (text: string) => void notices.push(text) };

  it('is opened again after a loss, which people are told once', async () => {
    const opened: number[] = [];
    const seen: number[] = [];
    const stream = new KeptStream<number>({
      open: async function* () {
        opened.push(opened.length);
        if (opened.length === 2) throw unavailable();
        yield opened.length;
        throw unavailable();
      },
      onFrame: async (frame) => {
        seen.push(frame);
        return seen.length === 2 ? 'done' : 'more';
      },
      endless: true,
      signal,
      output,
    });
    await stream.run();
    expect(seen).toEqual([1, 3]);
    expect(notices).toEqual([expect.stringContaining('Connection dropped; trying again'), 'connected again']);
  });

  it('with an end is over when it ends', async () => {
    let opened = 0;
    const open = async function* () {
      opened += 1;
      yield 1;
    };
    await new KeptStream<number>({ open, onFrame: async () => 'more', endless: false, signal, output }).run();
    expect(opened).toBe(1);
  });

  it('hands on what a retry would not mend', async () => {
    // biome-ignore lint/correctness/useYield: it fails before it answers
    const open = async function* (): AsyncGenerator<number> {
      throw refused();
    };
    const stream = new KeptStream<number>({ open, onFrame: async () => 'more', endless: true, signal, output });
    await expect(stream.run()).rejects.toThrow('no');
  });
});

describe('failures', () => {
  it('are transient when the server is away or the connection broke', () => {
    expect(isTransient(unavailable())).toBe(true);
    expect(isTransient(new ClientError('/x', Status.INTERNAL, 'Received RST_STREAM with code 2'))).toBe(true);
    expect(isTransient(new ClientError('/x', Status.INTERNAL, 'internal error, id 7'))).toBe(false);
    expect(isTransient(refused())).toBe(false);
    expect(isTransient(new Error('connection'))).toBe(false);
  });

  it('read as one sentence with the status where there is no reason', () => {
    expect(describeFailure(refused())).toBe('INVALID_ARGUMENT: no');
    expect(describeFailure(new Error('port 1 is in use'))).toBe('port 1 is in use');
  });

  it('end with 2 when the command line or a setting is at fault, else with 1', () => {
    expect([new UsageError('x'), new ConfigError('x'), refused(), new Error('x')].map(exitCodeOf)).toEqual([
      2, 2, 1, 1,
    ]);
  });
});
