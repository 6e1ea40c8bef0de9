// The connection of a command to a server: channel options, deadlines, and patience while the server is away.

import {
  type CallOptions,
  type Channel,
  type Client,
  ClientError,
  type CompatServiceDefinition,
  createChannel,
  createClientFactory,
  Metadata,
  Status,
  waitForChannelReady,
} from 'nice-grpc';
import { errorDetailsClientMiddleware } from 'nice-grpc-error-details';
import { AdminServiceDefinition } from '../../../generated/madeleine/v1/admin_service.js';
import { CawinServiceDefinition } from '../../../generated/madeleine/v1/cawin_service.js';
import { ConsumerServiceDefinition } from '../../../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../../../generated/madeleine/v1/event_service.js';
import { StreamServiceDefinition } from '../../../generated/madeleine/v1/stream_service.js';
import { TopicServiceDefinition } from '../../../generated/madeleine/v1/topic_service.js';
import { orAbort } from '../../lib/or-abort.js';
import type { Millis } from '../../units.js';
import { Backoff } from './backoff.js';
import { CommandFailed, describeFailure, isTransient, refusalOf } from './failures.js';

/** How long a command waits for a server that does not answer yet. */
const CONNECT_MS = 10_000;
/** Deadline of one unary call. */
const CALL_MS = 30_000;
/** What eight digits can say. */
const MAX_GRPC_MS = 99_999_999;
/** How long nothing is said while a server does not answer. */
const SILENCE_MS = 2_000;
/** How long a unary call that is safe to repeat is repeated while the server is unavailable. */
const RETRY_MS = 10_000;

/** The channel's options; why these: docs/decisions and the README's section on clients. */
export const CHANNEL_OPTIONS = {
  // The default window of 64 KiB halves the rate of catching up.
  'grpc-node.flow_control_window': 8 * 1024 * 1024,
  // A server that is gone without a word is noticed after 40 s.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.keepalive_permit_without_calls': 1,
  // Retries are ours: those of grpc-js buffer what long streams sent.
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  // A page may hold 3 MiB of payload, which is more as a Value.
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
} as const;

export interface OnceOptions {
  /** Stands in for the connection's own. */
  readonly signal?: AbortSignal;
  /** The deadline; 30 s, unless told. */
  readonly timeoutMs?: Millis | undefined;
}

export interface ClientSurroundings {
  readonly address: string;
  /** Ends every wait and call, as Ctrl-C does. */
  readonly signal: AbortSignal;
  /** Tells people what takes so long. */
  readonly notice?: (text: string) => void;
}

/** The services of a server, and the channel to it. */
export class MadeleineClient {
  readonly address: string;
  readonly events: Client<typeof EventServiceDefinition>;
  readonly streams: Client<typeof StreamServiceDefinition>;
  readonly topics: Client<typeof TopicServiceDefinition>;
  readonly consumers: Client<typeof ConsumerServiceDefinition>;
  readonly cawins: Client<typeof CawinServiceDefinition>;
  readonly admin: Client<typeof AdminServiceDefinition>;
  /** Ends every wait and call. */
  readonly signal: AbortSignal;
  readonly #factory = createClientFactory().use(errorDetailsClientMiddleware);
  readonly #channel: Channel;
  readonly #notice: (text: string) => void;

  /** Opens no connection yet. */
  constructor(options: ClientSurroundings) {
    this.address = options.address;
    this.signal = options.signal;
    this.#notice = options.notice ?? (() => {});
    this.#channel = createChannel(options.address, undefined, CHANNEL_OPTIONS);
    this.events = this.of(EventServiceDefinition);
    this.streams = this.of(StreamServiceDefinition);
    this.topics = this.of(TopicServiceDefinition);
    this.consumers = this.of(ConsumerServiceDefinition);
    this.cawins = this.of(CawinServiceDefinition);
    this.admin = this.of(AdminServiceDefinition);
  }

  /** The methods of a service. */
  of<Service extends CompatServiceDefinition>(definition: Service): Client<Service> {
    return this.#factory.create(definition, this.#channel);
  }

  /** Waits for the connection, a few seconds at most. Throws CommandFailed when nobody answers. */
  async connect(): Promise<void> {
    const ready = waitForChannelReady(this.#channel, new Date(Date.now() + CONNECT_MS));
    try {
      const why = () => `nobody answers at ${this.address} yet, still trying to connect`;
      await this.#unlessSilent(why, () => orAbort(ready, this.signal));
    } catch (cause) {
      if (this.signal.aborted) throw cause;
      const hint = 'is it running (madeleine serve), and is the address right (--server, MADELEINE_SERVER)?';
      throw new CommandFailed(`no server answers at ${this.address}: ${hint}`, { cause });
    }
  }

  /**
   * Makes a unary call that is safe to repeat, with a deadline; repeats it for some seconds while the server is
   * unavailable, at the pace that the server asks for.
   */
  async call<T>(invoke: (options: CallOptions) => Promise<T>): Promise<T> {
    let why = this.#unanswered;
    return this.#unlessSilent(
      () => why,
      async () => {
        const giveUpAt = Date.now() + RETRY_MS;
        const backoff = new Backoff({ signal: this.signal });
        for (;;) {
          try {
            return await this.#once(invoke);
          } catch (error) {
            if (this.signal.aborted || !isTransient(error) || Date.now() > giveUpAt) throw error;
            why = `${describeFailure(error)}; trying again`;
            await backoff.wait(error instanceof ClientError ? refusalOf(error).retryAfterMs : undefined);
          }
        }
      },
    );
  }

  /** Makes a unary call once, with a deadline. */
  async callOnce<T>(invoke: (options: CallOptions) => Promise<T>, options: OnceOptions = {}): Promise<T> {
    return this.#unlessSilent(
      () => this.#unanswered,
      () => this.#once(invoke, options),
    );
  }

  get #unanswered(): string {
    return `${this.address} has not answered yet, still waiting`;
  }

  /** Works; says once what it waits for where that takes long. */
  async #unlessSilent<T>(why: () => string, work: () => Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#notice(why()), SILENCE_MS);
    try {
      return await work();
    } finally {
      clearTimeout(timer);
    }
  }

  async #once<T>(invoke: (options: CallOptions) => Promise<T>, options: OnceOptions = {}): Promise<T> {
    const { signal = this.signal, timeoutMs = CALL_MS } = options;
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      return await invoke({
        signal: AbortSignal.any([signal, deadline]),
        // The server learns of the deadline too; nice-grpc itself sends none.
        metadata: Metadata({ 'grpc-timeout': `${Math.min(Math.ceil(timeoutMs), MAX_GRPC_MS)}m` }),
      });
    } catch (error) {
      if (!deadline.aborted) throw error;
      throw new CommandFailed(`${this.address} did not answer within ${timeoutMs / 1000} s`, { cause: error });
    }
  }

  close(): void {
    this.#channel.close();
  }
}

/** Whether an error only says that the command was ended from here: by Ctrl-C, or because nobody reads its output. */
export function isAborted(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (error instanceof ClientError) return error.code === Status.CANCELLED;
  const { name, code } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || code === 'EPIPE';
}
