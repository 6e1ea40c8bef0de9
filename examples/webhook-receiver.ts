// A receiver of madeleine's webhooks as a service would write it: an HTTP server that verifies the signature after Standard
// Webhooks, parses the CloudEvent, passes over what it has taken already, and answers.
//
// Run by itself, `npx tsx examples/webhook-receiver.ts`, it prints what it is called with until Ctrl-C: see docs/waits.md. PORT is where
// it listens, 4000 unless set.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';

/** What became of a call. */
export interface ReceivedCall {
  /** `webhook-id`: the same in every attempt of one delivery. */
  readonly deliveryId: string;
  readonly status: number;
  /** Undefined if the signature is not right. */
  readonly event: CloudEvent<unknown> | undefined;
}

export interface WebhookReceiverOptions {
  /** The secret that madeleine signs with: `whsec_…`. */
  readonly secret: string;
  /** Does what the event asks for; what it throws is answered with 500, and called again later. */
  readonly handle: (event: CloudEvent<unknown>) => Promise<void> | void;
  /** Told of every call once it is decided. */
  readonly onCall?: (call: ReceivedCall) => void;
}

export class WebhookReceiver {
  readonly #verifier: Webhook;
  readonly #options: WebhookReceiverOptions;
  readonly #server = createServer((request, response) => void this.#take(request, response));
  /** Deliveries that were handled. A service keeps them where its effects are. */
  readonly #taken = new Set<string>();
  /** Every call, in order. */
  readonly calls: ReceivedCall[] = [];

  constructor(options: WebhookReceiverOptions) {
    this.#verifier = new Webhook(options.secret);
    this.#options = options;
  }

  /** Listens on loopback: on the port, or on a free one. */
  async start(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`;
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
      const call = await this.#answer(headers, Buffer.concat(chunks).toString());
      this.calls.push(call);
      this.#options.onCall?.(call);
      response.writeHead(call.status).end();
    } catch {
      // The caller broke off: it will call again.
      response.destroy();
    }
  }

  async #answer(headers: Record<string, string>, body: string): Promise<ReceivedCall> {
    const deliveryId = headers['webhook-id'] ?? '';
    const event = this.#verified(headers, body);
    if (event === undefined) return { deliveryId, status: 401, event };
    if (this.#taken.has(deliveryId)) return { deliveryId, status: 200, event };
    try {
      await this.#options.handle(event);
    } catch {
      return { deliveryId, status: 500, event };
    }
    this.#taken.add(deliveryId);
    return { deliveryId, status: 200, event };
  }

  /** The event, if it comes from whoever has the secret, just now, and as it was sent. */
  #verified(headers: Record<string, string>, body: string): CloudEvent<unknown> | undefined {
    try {
      this.#verifier.verify(body, headers);
    } catch {
      return undefined;
    }
    return HTTP.toEvent({ headers, body }) as CloudEvent<unknown>;
  }
}

/** Where the program keeps its secret, for `madeleine cawins … --secret-file`. */
const SECRET_FILE = 'webhook.secret';

/** The secret in the file, which is made if there is none. */
function secretOf(file: string): string {
  if (!existsSync(file)) writeFileSync(file, `whsec_${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

async function main(): Promise<void> {
  const say = (text: string) => void process.stdout.write(`${text}\n`);
  const receiver = new WebhookReceiver({
    secret: secretOf(SECRET_FILE),
    handle: ({ type, data, ...event }) => {
      say(`${type}: ${data === undefined ? `description ${event['description']}` : JSON.stringify(data)}`);
    },
    onCall: ({ status, event }) => {
      if (event === undefined) say(`refused with ${status}: not signed with the secret in ${SECRET_FILE}`);
    },
  });
  await receiver.start(Number(process.env.PORT ?? 4000));
  say(`receiving at ${receiver.url}, signed with the secret in ${SECRET_FILE}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void receiver.stop());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
