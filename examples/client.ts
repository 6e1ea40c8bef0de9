// A client in one screen: pushes an event, gets it delivered, acknowledges it. The README shows this file.
import { randomUUID } from 'node:crypto';
import { createChannel, createClient } from 'nice-grpc';
import { ConsumerServiceDefinition } from '../generated/madeleine/v1/consumer_service.js';
import { EventServiceDefinition } from '../generated/madeleine/v1/event_service.js';

const address = process.env.MADELEINE_SERVER || '127.0.0.1:50051';
// A larger window than HTTP/2's 64 KiB doubles the rate of catching up.
const channel = createChannel(address, undefined, { 'grpc-node.flow_control_window': 1024 * 1024 });
const events = createClient(EventServiceDefinition, channel);
const consumers = createClient(ConsumerServiceDefinition, channel);

const { event: pushed } = await events.pushEvent({
  event: {
    topic: 'greetings',
    issuer: 'readme',
    messageId: randomUUID(), // makes a retry of this push safe
    payload: { body: { $case: 'json', value: { hello: 'world' } } },
  },
});
console.log('pushed at position', pushed?.position);

for await (const { deliveries } of consumers.subscribe({
  consumer: 'greeter',
  settings: { filter: { topics: ['greetings'] } },
})) {
  for (const { event, lease } of deliveries) {
    const body = event?.payload?.body;
    console.log('delivered', event?.position, body?.$case === 'json' ? body.value : body);
    // Only an acknowledgement moves the consumer's offset; it is answered once it is durable.
    await consumers.acknowledge({
      consumer: 'greeter',
      acknowledgements: [{ position: event?.position ?? 0n, lease }],
    });
  }
  if (deliveries.some(({ event }) => event?.position === pushed?.position)) break;
}
channel.close();
