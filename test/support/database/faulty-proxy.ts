// A TCP proxy between a server and its database that does harm at a chosen statement: the worst is a statement that is executed
// and whose answer is lost.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { AnswerTracker, errorPacket, type Packet, PacketSplitter } from './mysql-packets.js';

export interface Statement {
  readonly command: 'query' | 'prepare' | 'execute';
  /** As sent; of an execution, that of the prepared statement. */
  readonly text: string;
  /** Number of the connection, in the order in which they were made. */
  readonly connection: number;
  /** Whether its connection is one of those that commit groups. */
  readonly group: boolean;
}

/**
 * `cut before`: the connection ends, the statement never arrives. `cut after`: it is executed, its answer is lost and the
 * connection ends. `hang`: from here on nothing arrives and nothing comes back, as if a cable had been cut. `delay`: it arrives later. `error`: it never
 * arrives and is answered with this number.
 */
export type Harm =
  | { readonly kind: 'cut before' | 'cut after' | 'hang' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'error'; readonly errno: number };

export interface Fault {
  readonly harm: Harm;
  readonly when: (statement: Statement) => boolean;
  /** Matching statements that pass first; 0 unless told. */
  readonly skip?: number;
  /** How often it acts; once unless told. */
  readonly times?: number;
}

/** A fault that waits for its statements. */
export interface Injection {
  /** How often it has acted. */
  readonly hits: number;
  /** It acts no more. */
  end(): void;
}

class ActiveFault implements Injection {
  readonly #fault: Fault;
  #skip: number;
  #left: number;
  hits = 0;

  constructor(fault: Fault) {
    this.#fault = fault;
    this.#skip = fault.skip ?? 0;
    this.#left = fault.times ?? 1;
  }

  end(): void {
    this.#left = 0;
  }

  /** What to do at the statement, if anything; counts. */
  harmAt(statement: Statement): Harm | undefined {
    if (this.#left === 0 || !this.#fault.when(statement)) return undefined;
    if (this.#skip > 0) {
      this.#skip -= 1;
      return undefined;
    }
    this.#left -= 1;
    this.hits += 1;
    return this.#fault.harm;
  }
}

export class FaultyProxy {
  readonly #target: URL;
  readonly #server: Server;
  readonly #conversations = new Set<Conversation>();
  readonly #faults: ActiveFault[] = [];
  #connections = 0;
  #refusing = false;
  /** Statements since the last `forget`. */
  readonly statements: Statement[] = [];

  constructor(databaseUrl: string) {
    this.#target = new URL(databaseUrl);
    this.#server = createServer({ noDelay: true }, (client) => this.#accept(client));
  }

  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** The database's URL, through this proxy. */
  get url(): string {
    const url = new URL(this.#target);
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return url.href;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#conversations.size;
  }

  inject(fault: Fault): Injection {
    const active = new ActiveFault(fault);
    this.#faults.push(active);
    return active;
  }

  /** Ends all faults, forgets the statements, lets connections through again. */
  forget(): void {
    this.#faults.length = 0;
    this.statements.length = 0;
    this.#refusing = false;
  }

  /** Cuts everything and lets nobody in until `forget`. */
  refuse(): void {
    this.#refusing = true;
    for (const conversation of this.#conversations) conversation.cut();
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const conversation of this.#conversations) conversation.cut();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    client.on('error', () => {});
    if (this.#refusing) return void client.destroy();
    const database = new Socket();
    database.setNoDelay(true).connect(Number(this.#target.port), this.#target.hostname);
    this.#connections += 1;
    const conversation = new Conversation({
      client,
      database,
      number: this.#connections,
      onEnd: () => this.#conversations.delete(conversation),
      harmAt: (statement) => this.#harmAt(statement),
    });
    this.#conversations.add(conversation);
  }

  #harmAt(statement: Statement): Harm | undefined {
    this.statements.push(statement);
    for (const fault of this.#faults) {
      const harm = fault.harmAt(statement);
      if (harm !== undefined) return harm;
    }
    return undefined;
  }
}

interface ConversationOptions {
  readonly client: Socket;
  readonly database: Socket;
  readonly number: number;
  readonly onEnd: () => void;
  readonly harmAt: (statement: Statement) => Harm | undefined;
}

const QUERY = 0x03;
const PREPARE = 0x16;
const EXECUTE = 0x17;
/** What the connections of groups alone ask for when they log in. */
const MULTI_STATEMENTS = 0x10000;

/** One connection through the proxy. */
class Conversation {
  readonly #options: ConversationOptions;
  readonly #requests = new PacketSplitter();
  readonly #answers = new PacketSplitter();
  readonly #prepared = new Map<number, string>();
  #loggedIn = false;
  #group = false;
  #silent = false;
  /** Client packets wait for a delayed one before them. */
  #queue: Promise<void> = Promise.resolve();
  #current: { tracker: AnswerTracker; text: string; swallowed: boolean } | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { client, database } = options;
    client.on('data', (chunk: Buffer) => {
      for (const packet of this.#requests.add(chunk)) this.#queue = this.#queue.then(() => this.#request(packet));
    });
    database.on('data', (chunk: Buffer) => {
      for (const packet of this.#answers.add(chunk)) this.#answer(packet);
    });
    for (const socket of [client, database]) socket.on('error', () => {});
    client.on('close', () => this.cut());
    // Of a silent connection the client learns nothing, not even its end.
    database.on('close', () => this.#silent || this.cut());
  }

  cut(): void {
    this.#options.client.destroy();
    this.#options.database.destroy();
    this.#options.onEnd();
  }

  async #request(packet: Packet): Promise<void> {
    const statement = this.#loggedIn && packet.sequence === 0 ? this.#read(packet.payload) : undefined;
    const harm = statement === undefined ? undefined : this.#options.harmAt(statement);
    if (harm?.kind === 'hang') this.#silent = true;
    if (this.#silent) return;
    if (!this.#loggedIn && packet.sequence === 1)
      this.#group = (packet.payload.readUInt32LE(0) & MULTI_STATEMENTS) !== 0;
    if (harm?.kind === 'cut before') return this.cut();
    if (harm?.kind === 'error') return void this.#options.client.write(errorPacket(1, harm.errno, 'injected'));
    if (harm?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, harm.ms));
    if (statement !== undefined) {
      const tracker = new AnswerTracker(statement.command === 'prepare');
      this.#current = { tracker, text: statement.text, swallowed: harm?.kind === 'cut after' };
    }
    this.#options.database.write(packet.bytes);
  }

  #read(payload: Buffer): Statement | undefined {
    // MySQL takes attributes before the text; our driver sends their number, none, where the server knows them.
    const text = () => payload.toString('utf8', payload[0] === QUERY && payload[1] === 0 ? 3 : 1);
    const { number: connection } = this.#options;
    const about = { connection, group: this.#group };
    if (payload[0] === QUERY) return { command: 'query', text: text(), ...about };
    if (payload[0] === PREPARE) return { command: 'prepare', text: text(), ...about };
    if (payload[0] !== EXECUTE) return undefined;
    return { command: 'execute', text: this.#prepared.get(payload.readUInt32LE(1)) ?? '', ...about };
  }

  #answer(packet: Packet): void {
    const current = this.#current;
    if (!this.#loggedIn && packet.sequence > 0 && packet.payload[0] === 0x00) this.#loggedIn = true;
    else if (current?.tracker.ends(packet)) {
      const { statementId } = current.tracker;
      if (statementId !== undefined) this.#prepared.set(statementId, current.text);
      this.#current = undefined;
      if (current.swallowed) this.cut();
    }
    if (current?.swallowed !== true && !this.#silent) this.#options.client.write(packet.bytes);
  }
}
