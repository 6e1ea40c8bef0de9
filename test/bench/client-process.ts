// A client in a process of its own, for figures that one client process would limit. Each message asks for one measurement.

import { pushRequest, RawClient } from './load.js';

const PUSH = '/madeleine.v1.EventService/PushEvent';

export interface Pushing {
  readonly address: string;
  readonly inFlight: number;
  readonly ms: number;
}

async function push({ address, inFlight, ms }: Pushing): Promise<number> {
  const client = new RawClient(address);
  try {
    return await client.saturateFor(PUSH, pushRequest('bytes'), { inFlight, ms });
  } finally {
    client.close();
  }
}

process.on('message', async (message) => {
  process.send?.(await push(message as Pushing));
});
process.on('disconnect', () => process.exit());
process.stdout.write(`${JSON.stringify({ msg: 'listening' })}\n`);
