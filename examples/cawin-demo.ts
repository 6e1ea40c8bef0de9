// The demo of waits and cawins: services wait for a payment that has not happened, one of them fails when it is called, one asks
// too late, and all of them are told. Run it with `make demo-cawin`; it ends with a table, and with code 1 if a promise is broken.

import { randomUUID } from 'node:crypto';
import { AttemptOutcome, CawinState } from '../generated/madeleine/v1/cawin_service.js';
import { describeFailure } from '../src/cli/connection/failures.js';
import { tableLines } from '../src/cli/text/output.js';
import { CalledService, Service } from './cawin-story.js';
import { namedOrOwnServer } from './demo-server.js';

/** The story line by line, and which of its promises were kept. */
class Story {
  broken = 0;
  #chapters = 0;

  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  chapter(text: string): void {
    this.#chapters += 1;
    this.say(`\n${this.#chapters}. ${text}`);
  }

  promise(text: string, kept: boolean): void {
    if (!kept) this.broken += 1;
    this.say(`   ${kept ? 'ok    ' : 'BROKEN'}  ${text}`);
  }
}

interface Cast {
  readonly orders: CalledService;
  readonly warehouse: CalledService;
  readonly mailer: CalledService;
  readonly dashboard: Service;
  readonly bank: Service;
}

async function main(): Promise<boolean> {
  const story = new Story();
  const server = await namedOrOwnServer({ MADELEINE_CALLBACK_ALLOW: '127.0.0.1' });
  const { address } = server;
  const cast: Cast = {
    orders: new CalledService('orders', address, 1),
    warehouse: new CalledService('warehouse', address),
    mailer: new CalledService('mailer', address),
    dashboard: new Service('dashboard', address),
    bank: new Service('bank', address),
  };
  try {
    await Promise.all(Object.values(cast).map((service: Service) => service.client.connect()));
    story.say(`server at ${address}${server.dataDir === undefined ? '' : ', started for this demo'}`);
    await tell(story, cast, `order-${randomUUID().slice(0, 8)}`);
  } finally {
    await Promise.allSettled(Object.values(cast).map((service: Service) => service.stop()));
    await server.stop();
  }
  story.say(story.broken === 0 ? 'every promise was kept' : `${story.broken} promises were BROKEN`);
  return story.broken === 0;
}

async function tell(story: Story, cast: Cast, order: string): Promise<void> {
  const paid = { order, state: 'paid' };
  const eventId = await theyWait(story, cast, paid);
  const ended = cast.dashboard.waitFor(eventId);
  await nearMiss(story, cast, eventId, order);
  await payment(story, cast, paid);
  await theyAreTold(story, cast, (await ended)?.position ?? 0n);
  await forgery(story, cast);
  await lateSubscriber(story, cast, paid, eventId);
  await table(story, cast);
}

async function theyWait(story: Story, { orders, warehouse }: Cast, paid: object): Promise<bigint> {
  story.chapter(`orders needs to know when ${JSON.stringify(paid)} happens, and so does warehouse`);
  const first = await orders.checkOrWait(paid);
  const second = await warehouse.checkOrWait(paid);
  const { id } = first.event;
  story.promise(`CheckOrWait of orders: ${first.outcome}, event ${id}`, first.outcome === 'AWAITED');
  story.promise(`CheckOrWait of warehouse shares event ${second.event.id}`, second.event.id === id);
  story.say('   dashboard has no URL: it calls WaitForEvent and keeps the call open');
  return id;
}

async function nearMiss(story: Story, { orders, bank }: Cast, eventId: bigint, order: string): Promise<void> {
  story.chapter('bank pushes that the payment is pending, which is not what they wait for');
  const { outcome } = await bank.push({ order, state: 'pending' });
  story.promise(`the push: ${outcome}; nobody is called`, outcome === 'OCCURRED' && orders.receiver.calls.length === 0);
  const { nearMisses } = await orders.client.cawins.explainWait({ eventId });
  const { path, expected, actual } = nearMisses[0]?.difference ?? {};
  story.promise(`ExplainWait: the closest event has ${actual} at ${path}, not ${expected}`, path === '/state');
}

async function payment(story: Story, { bank }: Cast, paid: object): Promise<void> {
  story.chapter('bank pushes the payment');
  const { event, outcome } = await bank.push({ ...paid, amount: 12.5 });
  story.promise(`the push: ${outcome} event ${event.id} at position ${event.position}`, outcome === 'SATISFIED');
}

async function theyAreTold(story: Story, { orders, warehouse }: Cast, position: bigint): Promise<void> {
  story.chapter('everyone who waited is told');
  await Promise.all([orders.settled(), warehouse.settled()]);
  const firing = orders.cawin?.firings[0];
  story.promise(
    `WaitForEvent of dashboard ended at position ${position}`,
    position > 0n && firing?.position === position,
  );
  for (const { status, event } of orders.receiver.calls) {
    story.say(
      `           orders is called: signature ${event === undefined ? 'WRONG' : 'verified'}, answers ${status}`,
    );
  }
  const statuses = orders.receiver.calls.map(({ status }) => status).join(' ');
  story.promise(`orders failed once, was called again, and took it: ${statuses}`, statuses === '500 200');
  const deliveries = new Set(orders.receiver.calls.map(({ deliveryId }) => deliveryId));
  story.promise(
    `both calls carry the same delivery id`,
    deliveries.size === 1 && deliveries.has(firing?.deliveryId ?? ''),
  );
  const [event] = orders.handled;
  story.promise(
    `the CloudEvent is ${event?.type} with ${JSON.stringify(event?.data)}`,
    event?.type === 'payments.occurred',
  );
}

async function forgery(story: Story, { warehouse }: Cast): Promise<void> {
  story.chapter('a stranger calls warehouse without the secret');
  const headers = {
    'content-type': 'application/cloudevents+json',
    'webhook-id': randomUUID(),
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': `v1,${Buffer.alloc(32).toString('base64')}`,
  };
  const { status } = await fetch(warehouse.receiver.url, { method: 'POST', headers, body: '{}' });
  story.promise(`warehouse answers ${status} and does nothing`, status === 401 && warehouse.handled.length === 1);
}

async function lateSubscriber(story: Story, { mailer }: Cast, paid: object, eventId: bigint): Promise<void> {
  story.chapter('mailer asks for the same event, after it has occurred');
  const { event, outcome } = await mailer.checkOrWait(paid);
  story.promise(`CheckOrWait of mailer: ${outcome}, event ${event.id}`, outcome === 'FOUND' && event.id === eventId);
  await mailer.settled();
  story.promise(`mailer is called at once: ${mailer.handled[0]?.type}`, mailer.handled.length === 1);
}

/** Each cawin, with what the server and the receiver count. */
async function table(story: Story, { orders, warehouse, mailer }: Cast): Promise<void> {
  const services = [orders, warehouse, mailer];
  const rows = await Promise.all(
    services.map(async (service) => {
      const { name, cawin, handled } = service;
      const outcomes = (await service.attempts()).map(
        ({ outcome, status }) => `${AttemptOutcome[outcome]?.slice(16).toLowerCase()} (${status})`,
      );
      const { id = 0n, eventId = 0n, state = 0, firings = [] } = cawin ?? {};
      return { name, id, eventId, state, firings: firings.length, outcomes, handled: handled.length };
    }),
  );
  const lines = tableLines(rows, [
    { title: 'SERVICE', text: ({ name }) => name },
    { title: 'CAWIN', text: ({ id }) => String(id), right: true },
    { title: 'EVENT', text: ({ eventId }) => String(eventId), right: true },
    { title: 'STATE', text: ({ state }) => (CawinState[state] ?? '').slice(12).toLowerCase() },
    { title: 'FIRINGS', text: ({ firings }) => String(firings), right: true },
    { title: 'HANDLED', text: ({ handled }) => String(handled), right: true },
    { title: 'ATTEMPTS', text: ({ outcomes }) => outcomes.join(', ') },
  ]);
  story.say(`\n${lines.join('\n')}\n`);
  const told = rows.every(({ state, firings }) => state === CawinState.CAWIN_STATE_FIRED && firings === 1);
  story.promise(
    'each cawin has one recorded firing, and it was taken',
    told && rows.every(({ handled }) => handled === 1),
  );
  story.promise(
    'orders took two attempts, the others one',
    rows.map(({ outcomes }) => outcomes.length).join() === '2,1,1',
  );
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  process.stderr.write(`demo-cawin: ${describeFailure(error)}\n`);
  process.exitCode = 1;
}
