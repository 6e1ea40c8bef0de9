// A name server for tests, over UDP as resolvers ask: what it answers can change from one question to the next.

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIP } from 'node:net';

/** Answers to the questions for a name, in turn: addresses of both families; the last one is repeated. */
export type Answers = readonly (readonly string[])[];

const TYPE_A = 1;
const TYPE_AAAA = 28;
const NAME_ERROR = 3;

export class NameServer {
  readonly #socket: Socket = createSocket('udp4');
  readonly #names = new Map<string, Answers>();
  /** How often each name was asked for, by type: `hooks.test A`. */
  readonly questions = new Map<string, number>();
  /** Asked, but never answers: names, or questions by name and type: `hooks.test AAAA`. */
  readonly silent = new Set<string>();
  #isStopped = false;
  /** Milliseconds that every answer takes. */
  delayMs = 0;
  #port = 0;

  async start(): Promise<void> {
    this.#socket.on('message', (question, { port, address }) => {
      const answer = this.#answer(question);
      if (answer !== undefined) setTimeout(() => this.#send(answer, port, address), this.delayMs);
    });
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
    this.#port = this.#socket.address().port;
  }

  /** For `setServers`. */
  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  set(name: string, ...answers: Answers): void {
    this.#names.set(name, answers);
  }

  stop(): void {
    this.#isStopped = true;
    this.#socket.close();
  }

  #send(answer: Buffer, port: number, address: string): void {
    if (!this.#isStopped) this.#socket.send(answer, port, address);
  }

  #answer(question: Buffer): Buffer | undefined {
    const { name, type, end } = readQuestion(question);
    const key = `${name} ${type === TYPE_A ? 'A' : 'AAAA'}`;
    const times = this.questions.get(key) ?? 0;
    this.questions.set(key, times + 1);
    if (this.silent.has(name) || this.silent.has(key)) return undefined;
    const answers = this.#names.get(name);
    const addresses = answers?.[Math.min(times, answers.length - 1)] ?? [];
    const fitting = addresses.filter(
      (address) => isIP(address) === (type === TYPE_A ? 4 : type === TYPE_AAAA ? 6 : -1),
    );
    const header = Buffer.from(question.subarray(0, 12));
    // An answer, authoritative, recursion available; no additional records, which the question may have had.
    header.writeUInt16BE(0x8580 | (answers === undefined ? NAME_ERROR : 0), 2);
    header.writeUInt16BE(fitting.length, 6);
    header.writeUInt16BE(0, 8);
    header.writeUInt16BE(0, 10);
    return Buffer.concat([header, question.subarray(12, end), ...fitting.map((address) => record(type, address))]);
  }
}

function readQuestion(message: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message.readUInt8(at); length > 0; length = message.readUInt8(at)) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at + 1), end: at + 5 };
}

function record(type: number, address: string): Buffer {
  const data = type === TYPE_A ? Buffer.from(address.split('.').map(Number)) : v6Bytes(address);
  const head = Buffer.alloc(12);
  // The name of the question; class IN; a time to live of zero, as rebinding name servers have.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(0, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

/** Of an address without dots. */
export function v6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const words = (text: string) => (text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16)));
  const [before, after] = [words(head), words(tail ?? '')];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  const bytes = Buffer.alloc(16);
  [...before, ...zeros, ...after].forEach((word, index) => {
    bytes.writeUInt16BE(word, index * 2);
  });
  return bytes;
}
