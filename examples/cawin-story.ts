// The services of the cawin demo: each talks to the server by itself, and the ones that are called have a receiver of webhooks.

import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { CloudEvent } from 'cloudevents';
import { type Attempt, type Cawin, CawinState } from '../generated/madeleine/v1/cawin_service.js';
import type { Event } from '../generated/madeleine/v1/event.js';
import { Outcome } from '../generated/madeleine/v1/event_service.js';
import { MadeleineClient } from '../src/cli/connection/client.js';
import { WebhookReceiver } from './webhook-receiver.js';

export const TOPIC = 'payments';
const SETTLE_MS = 30_000;

/** A program of its own, as far as the server can tell: a name, and a connection. */
export class Service {
  readonly name: string;
  readonly client: MadeleineClient;
  readonly #stopped = new AbortController();

  constructor(name: string, address: string) {
    this.name = name;
    this.client = new MadeleineClient({ address, signal: this.#stopped.signal });
  }

  /** Pushes what happened; a retry is safe by the message id. */
  async push(payload: object): Promise<{ readonly event: Event; readonly outcome: string }> {
    const body = { $case: 'json', value: payload } as const;
    const event = { topic: TOPIC, issuer: this.name, messageId: randomUUID(), payload: { contentType: '', body } };
    const answer = await this.client.call((options) => this.client.events.pushEvent({ event }, options));
    return { event: answer.event as Event, outcome: outcomeText(answer.outcome) };
  }

  /** The end of an event, for a service without a URL. */
  async waitFor(eventId: bigint): Promise<Event | undefined> {
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(SETTLE_MS)]);
    for await (const { event, ended } of this.client.cawins.waitForEvent({ eventId }, { signal })) {
      if (ended) return event;
    }
    return undefined;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.client.close();
  }
}

/** A service that asks for an event, and is called. */
export class CalledService extends Service {
  readonly #secret = `whsec_${randomBytes(32).toString('base64')}`;
  readonly receiver: WebhookReceiver;
  /** What it did, in its own words. */
  readonly handled: CloudEvent<unknown>[] = [];
  cawin: Cawin | undefined;

  /** `failures`: how often it fails before it works. */
  constructor(name: string, address: string, failures = 0) {
    super(name, address);
    let left = failures;
    const handle = async (event: CloudEvent<unknown>) => {
      if (left-- > 0) throw new Error('the database of this service is away');
      this.handled.push(event);
    };
    this.receiver = new WebhookReceiver({ secret: this.#secret, handle });
  }

  /** Checks for the event and waits for it if need be, in one call. */
  async checkOrWait(description: object): Promise<{ readonly event: Event; readonly outcome: string }> {
    await this.receiver.start();
    const callback = { url: this.receiver.url, secret: this.#secret };
    const request = { topic: TOPIC, issuer: this.name, description, callback, requestId: randomUUID() };
    const answer = await this.client.call((options) => this.client.cawins.checkOrWait(request, options));
    this.cawin = answer.cawin;
    return { event: answer.event as Event, outcome: outcomeText(answer.outcome) };
  }

  /** Its cawin, once it has been told, or at the latest after half a minute. */
  async settled(): Promise<Cawin> {
    const giveUpAt = Date.now() + SETTLE_MS;
    for (;;) {
      const { cawin } = await this.client.cawins.getCawin({ id: this.cawin?.id ?? 0n });
      this.cawin = cawin as Cawin;
      if (this.cawin.state === CawinState.CAWIN_STATE_FIRED || Date.now() > giveUpAt) return this.cawin;
      await delay(20);
    }
  }

  async attempts(): Promise<readonly Attempt[]> {
    const { attempts } = await this.client.cawins.listAttempts({ cawinId: this.cawin?.id ?? 0n });
    return attempts;
  }

  override async stop(): Promise<void> {
    await super.stop();
    await this.receiver.stop();
  }
}

function outcomeText(outcome: Outcome): string {
  return (Outcome[outcome] ?? String(outcome)).replace(/^OUTCOME_/, '');
}
