// A receiver of gRPC callbacks: a server that implements CallbackService, keeps what it was sent as it came, and answers as told.

import { promisify } from 'node:util';
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type status as Status,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { OnEventRequest, OnEventResponse } from '../../../generated/madeleine/v1/callback_service.js';
import type { Certificate } from './certificates.js';

export interface ReceivedEvent {
  readonly request: OnEventRequest;
  /** The request as it came: what the signature is over. */
  readonly bytes: Buffer;
  readonly metadata: Readonly<Record<string, string>>;
  readonly authority: string;
  readonly deadlineMs: number;
}

/** The status that is answered; undefined: OK. Never resolves: no answer. */
export type GrpcResponder = (received: ReceivedEvent) => Promise<GrpcAnswer | undefined> | GrpcAnswer | undefined;

export interface GrpcAnswer {
  readonly code: Status;
  readonly details?: string;
  readonly metadata?: Metadata;
}

export class GrpcReceiver {
  readonly #server = new Server();
  readonly #certificate: Certificate | undefined;
  readonly received: ReceivedEvent[] = [];
  /** Calls that the caller broke off. */
  cancelled = 0;
  respond: GrpcResponder = () => undefined;
  port = 0;

  constructor(options: { readonly certificate?: Certificate } = {}) {
    this.#certificate = options.certificate;
  }

  async start(port = 0): Promise<void> {
    const method = {
      path: '/madeleine.v1.CallbackService/OnEvent',
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes: Buffer) => bytes,
      requestDeserialize: (bytes: Buffer) => bytes,
      responseSerialize: (response: OnEventResponse) => Buffer.from(OnEventResponse.encode(response).finish()),
      responseDeserialize: (bytes: Buffer) => OnEventResponse.decode(bytes),
    } as const;
    this.#server.addService(
      { onEvent: method },
      {
        onEvent: (call: ServerUnaryCall<Buffer, OnEventResponse>, done: sendUnaryData<OnEventResponse>) =>
          void this.#take(call, done),
      },
    );
    const { key, cert } = this.#certificate ?? {};
    const credentials =
      key === undefined || cert === undefined
        ? ServerCredentials.createInsecure()
        : ServerCredentials.createSsl(null, [{ private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }]);
    const bind = promisify(this.#server.bindAsync.bind(this.#server));
    this.port = await bind(`127.0.0.1:${port}`, credentials);
  }

  url(host = '127.0.0.1'): string {
    return `${this.#certificate === undefined ? 'grpc' : 'grpcs'}://${host}:${this.port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  async #take(call: ServerUnaryCall<Buffer, OnEventResponse>, done: sendUnaryData<OnEventResponse>): Promise<void> {
    call.on('cancelled', () => {
      this.cancelled += 1;
    });
    const received = {
      request: OnEventRequest.decode(call.request),
      bytes: call.request,
      metadata: call.metadata.getMap() as Record<string, string>,
      authority: call.getHost(),
      deadlineMs: Number(call.getDeadline()),
    };
    this.received.push(received);
    const answer = await this.respond(received);
    if (answer === undefined) done(null, {});
    else done({ name: 'answer', message: '', details: '', ...answer });
  }
}
