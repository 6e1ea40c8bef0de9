// The contract as a commit's own generated code has it, so that an older server is called by its own client. Later contracts
// only add, so the types of today's code serve for all.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Client } from 'nice-grpc';
import { TestClient } from '../server/server.js';

type Events = typeof import('../../../generated/madeleine/v1/event_service.js');
type Streams = typeof import('../../../generated/madeleine/v1/stream_service.js');
type Consumers = typeof import('../../../generated/madeleine/v1/consumer_service.js');
type Topics = typeof import('../../../generated/madeleine/v1/topic_service.js');
type Cawins = typeof import('../../../generated/madeleine/v1/cawin_service.js');

export const REPOSITORY = new URL('../../../', import.meta.url).pathname;

/** The services that came with waits: a contract has both or neither. */
export interface WaitContract {
  readonly topics: Topics;
  readonly cawins: Cawins;
}

export interface Contract {
  readonly events: Events;
  readonly streams: Streams;
  readonly consumers: Consumers;
  readonly waits: WaitContract | undefined;
}

/** Loads the generated code of a checkout. */
export async function loadContract(root = REPOSITORY): Promise<Contract> {
  const file = (name: string) => join(root, 'generated/madeleine/v1', `${name}_service`);
  const load = (name: string) => import(pathToFileURL(`${file(name)}.js`).href);
  const [events, streams, consumers] = await Promise.all(['event', 'stream', 'consumer'].map(load));
  const hasWaits = existsSync(`${file('cawin')}.ts`);
  const waits = hasWaits ? { topics: await load('topic'), cawins: await load('cawin') } : undefined;
  return { events, streams, consumers, waits };
}

/** One connection to a server, and the calls of a contract over it. */
export class ContractClient {
  readonly #client: TestClient;
  readonly contract: Contract;

  constructor(address: string, contract: Contract) {
    this.#client = new TestClient(address);
    this.contract = contract;
  }

  get events(): Client<Events['EventServiceDefinition']> {
    return this.#client.of(this.contract.events.EventServiceDefinition);
  }

  get streams(): Client<Streams['StreamServiceDefinition']> {
    return this.#client.of(this.contract.streams.StreamServiceDefinition);
  }

  get consumers(): Client<Consumers['ConsumerServiceDefinition']> {
    return this.#client.of(this.contract.consumers.ConsumerServiceDefinition);
  }

  get topics(): Client<Topics['TopicServiceDefinition']> {
    return this.#client.of(this.#waits.topics.TopicServiceDefinition);
  }

  get cawins(): Client<Cawins['CawinServiceDefinition']> {
    return this.#client.of(this.#waits.cawins.CawinServiceDefinition);
  }

  get #waits(): WaitContract {
    if (this.contract.waits === undefined) throw new Error('a contract from before there were waits');
    return this.contract.waits;
  }

  close(): void {
    this.#client.close();
  }
}
