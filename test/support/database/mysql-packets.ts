// Just enough of the MySQL protocol to watch a conversation: packets out of bytes, and where the answer to a command ends.

const HEADER_BYTES = 4;
const OK = 0x00;
const EOF = 0xfe;
const ERROR = 0xff;
const MORE_RESULTS = 0x0008;

/** One packet with its header. Payloads of 16 MiB and more, which come in several packets, are not expected. */
export interface Packet {
  readonly bytes: Buffer;
  readonly sequence: number;
  readonly payload: Buffer;
}

/** Cuts a stream of bytes into packets. */
export class PacketSplitter {
  #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const packets: Packet[] = [];
    for (let next = this.#take(); next !== undefined; next = this.#take()) packets.push(next);
    return packets;
  }

  #take(): Packet | undefined {
    if (this.#size < HEADER_BYTES) return undefined;
    if ((this.#chunks[0] as Buffer).length < HEADER_BYTES) this.#join();
    const length = HEADER_BYTES + (this.#chunks[0] as Buffer).readUIntLE(0, 3);
    if (this.#size < length) return undefined;
    this.#join();
    const all = this.#chunks[0] as Buffer;
    const bytes = all.subarray(0, length);
    this.#chunks = [all.subarray(length)];
    this.#size -= length;
    return { bytes, sequence: bytes[3] as number, payload: bytes.subarray(HEADER_BYTES) };
  }

  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
  }
}

/** The packet of an error. */
export function errorPacket(sequence: number, errno: number, message: string): Buffer {
  const payload = Buffer.concat([Buffer.from([ERROR, errno & 0xff, errno >> 8]), Buffer.from(`#HY000${message}`)]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, payload]);
}

/** Follows the answer to one command, without CLIENT_DEPRECATE_EOF, which our driver does not ask for. */
export class AnswerTracker {
  readonly #prepare: boolean;
  #state: 'first' | 'columns' | 'rows' | 'definitions' | 'done' = 'first';
  /** Groups of definitions, each ended by an EOF packet, that follow the first packet of an answer to PREPARE. */
  #definitions = 0;
  /** The number that the server gave a prepared statement. */
  statementId: number | undefined;

  constructor(prepare: boolean) {
    this.#prepare = prepare;
  }

  /** True with the packet that ends the answer. */
  ends({ payload }: Packet): boolean {
    this.#state = this.#after(payload);
    return this.#state === 'done';
  }

  #after(payload: Buffer): 'first' | 'columns' | 'rows' | 'definitions' | 'done' {
    const isEof = payload[0] === EOF && payload.length < 9;
    if (payload[0] === ERROR) return 'done';
    switch (this.#state) {
      case 'first':
        if (this.#prepare) return this.#prepared(payload);
        if (payload[0] !== OK) return 'columns';
        return afterResult(okStatus(payload));
      case 'columns':
        return isEof ? 'rows' : 'columns';
      case 'rows':
        return isEof ? afterResult(payload.readUInt16LE(3)) : 'rows';
      case 'definitions':
        if (isEof) this.#definitions -= 1;
        return this.#definitions === 0 ? 'done' : 'definitions';
      case 'done':
        return 'done';
    }
  }

  #prepared(payload: Buffer): 'definitions' | 'done' {
    this.statementId = payload.readUInt32LE(1);
    this.#definitions = (payload.readUInt16LE(5) > 0 ? 1 : 0) + (payload.readUInt16LE(7) > 0 ? 1 : 0);
    return this.#definitions === 0 ? 'done' : 'definitions';
  }
}

function afterResult(status: number): 'first' | 'done' {
  return (status & MORE_RESULTS) === 0 ? 'done' : 'first';
}

/** An OK packet: 0x00, two length-encoded numbers, then the status. */
function okStatus(payload: Buffer): number {
  let at = 1;
  for (let skipped = 0; skipped < 2; skipped += 1) at += encodedLength(payload[at] as number);
  return payload.readUInt16LE(at);
}

function encodedLength(first: number): number {
  if (first === 0xfc) return 3;
  if (first === 0xfd) return 4;
  return first === 0xfe ? 9 : 1;
}
