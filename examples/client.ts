// A client in one screen: pushes an event, gets it delivered, acknowledges it. The README shows this file.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientError, createChannel, createClient, Status } from 'nice-grpc';
import { ConsumerServiceDefinition } from '../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../generated/madeleine/v1/event_service.js';

const address = process.env.MADELEINE_SERVER || '127.0.0.1:50051';
// A larger window than HTTP/2's 64 KiB doubles the rate of catching up.
const channel = createChannel(address, undefined, { 'grpc-node.flow_control_window': 1024 * 1024 });
const events = createClient(EventServiceDefinition, channel);
const consumers = createClient(ConsumerServiceDefinition, channel);

/** What a lost connection, or a server that ends or is replaced, shows as. */
const LOST = new Set([Status.UNAVAILABLE, Status.CANCELLED, Status.INTERNAL, Status.UNKNOWN]);

/** Does the work again until the server is back. */
async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ClientError && LOST.has(error.code))) throw error;
      console.error(`${error.details}; again in a second`);
      await delay(1_000);
    }
  }
}

const event = {
  topic: 'greetings',
  issuer: 'readme',
  messageId: randomUUID(), // makes a retry of this push safe
  payload: { body: { $case: 'json', value: { hello: 'world' } } as const },
};
const { event: pushed } = await persistently(() => events.pushEvent({ event }));
console.log('pushed at position', pushed?.position);

const subscription = { consumer: 'greeter', settings: { filter: { topics: ['greetings'] } } };
await persistently(async () => {
  for await (const { deliveries } of consumers.subscribe(subscription)) {
    // Other frames bring news of the consumer, such as a heartbeat.
    if (deliveries.length === 0) continue;
    for (const { event } of deliveries) {
      const body = event?.payload?.body;
      console.log('delivered', event?.position, body?.$case === 'json' ? body.value : body);
    }
    // Only an acknowledgement moves the consumer's offset; it is answered once it is durable, so one for all of a frame is far
    // faster than one for each event. What a lost connection leaves without one is delivered again.
    const acknowledgements = deliveries.map(({ event, lease }) => ({ position: event?.position ?? 0n, lease }));
    await persistently(() => consumers.acknowledge({ consumer: 'greeter', acknowledgements }));
    if (deliveries.some(({ event }) => event?.position === pushed?.position)) return;
  }
});
channel.close();
