// A process of its own that subscribes to a consumer and acknowledges what it gets; a test stops it with SIGSTOP. It prints a
// line for each frame. Arguments: address, consumer, member.

import { ConsumerSettings, SubscribeRequest } from '../../../generated/madeleine/v1/consumer_service.js';
import { TestClient } from '../server/server.js';
import { acknowledgements } from './consumer.js';

const [address = '', consumer = '', member = ''] = process.argv.slice(2);
const { consumers } = new TestClient(address);
const settings = ConsumerSettings.fromPartial({ ackTimeout: { seconds: 1n } });
const request = SubscribeRequest.fromPartial({ consumer, member, settings });
for await (const { deliveries, frame } of consumers.subscribe(request)) {
  console.log(frame?.$case ?? `deliveries ${deliveries.length}`);
  if (deliveries.length > 0) {
    await consumers.acknowledge({ consumer, acknowledgements: acknowledgements(deliveries) });
    console.log('acknowledged');
  }
}
