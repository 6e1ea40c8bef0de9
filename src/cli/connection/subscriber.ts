// One member of a consumer: prints deliveries, acknowledges them if asked to, subscribes again after a lost connection.

import {
  AckStatus,
  type Delivery,
  type Pause,
  type SubscribeRequest,
  type SubscribeResponse,
} from '../../../generated/madeleine/v1/consumer_service.js';
import type { Gap } from '../../../generated/madeleine/v1/event_service.js';
import { deliveryJson, deliveryLine } from '../text/event-json.js';
import { timestampText } from '../text/time-text.js';
import { AckBatcher } from './ack-batcher.js';
import { assertInForce } from './filter-echo.js';
import { type FrameResult, KeptStream } from './reconnect.js';
import type { Session } from './run.js';

export interface SubscriberOptions {
  readonly session: Session;
  readonly request: Partial<SubscribeRequest> & { readonly consumer: string };
  /** Whether to acknowledge what was printed. */
  readonly ack: boolean;
  /** How many deliveries to stop after. */
  readonly limit?: number;
}

export class Subscriber {
  readonly #session: Session;
  readonly #request: SubscriberOptions['request'];
  readonly #acks: AckBatcher | undefined;
  #left: number;
  #isPaused = false;

  constructor({ session, request, ack, limit }: SubscriberOptions) {
    this.#session = session;
    this.#request = request;
    this.#left = limit ?? Number.POSITIVE_INFINITY;
    const { client, output } = session;
    const { context = '', consumer } = request;
    const onRefused = (position: bigint, status: AckStatus) => {
      output.notice(`the acknowledgement of position ${position} does not count: ${AckStatus[status]}`);
    };
    this.#acks = ack ? new AckBatcher({ client, context, consumer, onRefused }) : undefined;
  }

  /** Resolves at the limit or by Ctrl-C, when everything printed is acknowledged. */
  async run(): Promise<void> {
    const { client, signal, output } = this.#session;
    try {
      const stream = new KeptStream<SubscribeResponse>({
        open: () => client.consumers.subscribe(this.#request, { signal }),
        onFrame: (frame) => this.#onFrame(frame),
        endless: true,
        signal,
        output,
      });
      await stream.run();
    } finally {
      await this.#acks?.drain();
    }
  }

  async #onFrame({ deliveries, frame }: SubscribeResponse): Promise<FrameResult> {
    if (frame?.$case === 'opened') assertInForce(this.#request.settings?.where, frame.value.consumer?.settings?.where);
    if (frame?.$case === 'opened') this.#tellPause(frame.value.consumer?.pause);
    if (frame?.$case === 'heartbeat') this.#tellPause(frame.value.pause);
    for (const delivery of deliveries) {
      await this.#print(delivery);
      const { lease, event } = delivery;
      if (event !== undefined) this.#acks?.add({ position: event.position, lease });
      this.#left -= 1;
      if (this.#left <= 0) return this.#done();
    }
    if (frame?.$case === 'gap') {
      this.#session.output.notice(gapText(frame.value));
    }
    return 'more';
  }

  /** Says once that nothing comes, and that something may come again. */
  #tellPause(pause: Pause | undefined): void {
    const isPaused = pause !== undefined;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    this.#session.output.notice(pause === undefined ? 'the consumer is resumed' : pausedText(pause));
  }

  /** Acknowledges what was printed before the member leaves: leaving returns what it holds. */
  async #done(): Promise<'done'> {
    await this.#acks?.drain();
    return 'done';
  }

  #print(delivery: Delivery): Promise<void> {
    const { output } = this.#session;
    return output.line(output.json ? deliveryJson(delivery) : deliveryLine(delivery, output.columns));
  }
}

function gapText({ firstPosition, lastPosition, events }: Gap): string {
  const what = events === undefined ? 'events' : `${events} ${events === 1n ? 'event' : 'events'}`;
  return `${what} of positions ${firstPosition} to ${lastPosition} were deleted before they were passed`;
}

function pausedText({ pausedAt, by, reason }: Pause): string {
  const why = `${by === '' ? '' : ` by ${by}`}${reason === '' ? '' : `: ${reason}`}`;
  return `the consumer is paused since ${timestampText(pausedAt)}${why}; nothing comes before it is resumed`;
}
