// A caller that does harm as far as it can, in a process of its own and from an address of its own. Asked for a kind it begins;
// asked for `none` it stops.

import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { SearchEventsRequest } from '../../generated/madeleine/v1/admin_service.js';
import { ListEventsRequest, PushEventsRequest, ReadEventsRequest } from '../../generated/madeleine/v1/event_service.js';
import { jsonPayload, newEvent } from '../support/events/builders.js';
import type { Abuse, AbuseKind } from './abuses.js';

/** So that the server can tell it from the others. */
const FROM = '127.0.0.2';
const EVENTS = '/madeleine.v1.EventService';
const ADMIN = '/madeleine.v1.AdminService';

function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.byteLength, 1);
  return Buffer.concat([head, message]);
}

const pushes = (events: Parameters<typeof newEvent>[0][]) =>
  framed(
    PushEventsRequest.encode(
      PushEventsRequest.fromPartial({ events: events.map((event) => ({ event: newEvent(event) })) }),
    ).finish(),
  );
const SEARCH = framed(
  SearchEventsRequest.encode(SearchEventsRequest.fromPartial({ query: 'nowhere to be found' })).finish(),
);
const times = <T>(count: number, make: (n: number) => T) => Array.from({ length: count }, (_, n) => make(n));

/** The calls of one abuse, over connections of its own. */
class Abuser {
  readonly #address: string;
  readonly #sessions: ClientHttp2Session[] = [];
  #stopped = false;

  constructor(address: string) {
    this.#address = address;
  }

  connect(): ClientHttp2Session {
    const [host = '', port = ''] = this.#address.split(':');
    const session = connect(`http://${this.#address}`, {
      createConnection: () => connectTcp({ host, port: Number(port), localAddress: FROM }),
    });
    session.on('error', () => {});
    this.#sessions.push(session);
    return session;
  }

  open(session: ClientHttp2Session, method: string, body: Buffer): ClientHttp2Stream {
    const headers = { ':method': 'POST', ':path': method, 'content-type': 'application/grpc', te: 'trailers' };
    const stream = session.request(headers);
    stream.on('error', () => {});
    stream.end(body);
    return stream;
  }

  /** Repeats a call for as long as it lasts, so many at a time. */
  repeat(method: string, inFlight: number, body: () => Buffer): void {
    const session = this.connect();
    const once = () => {
      if (this.#stopped || session.closed || session.destroyed) return;
      this.open(session, method, body()).on('close', once).resume();
    };
    for (let n = 0; n < inFlight; n += 1) once();
  }

  /** Does something again and again. */
  every(ms: number, work: () => void): void {
    const timer = setInterval(() => {
      if (this.#stopped) clearInterval(timer);
      else work();
    }, ms);
  }

  stop(): void {
    this.#stopped = true;
    for (const session of this.#sessions) session.destroy();
  }
}

let made = 0;
const follow = framed(ReadEventsRequest.encode(ReadEventsRequest.fromPartial({ follow: true })).finish());
const page = framed(ListEventsRequest.encode(ListEventsRequest.fromPartial({ pageSize: 1_000 })).finish());
const batch = pushes(times(1_000, () => ({ topic: 'abuse' })));

const READ_ALL = framed(ReadEventsRequest.encode(ReadEventsRequest.fromPartial({ batchSize: 1_000 })).finish());
const WIDE = pushes(
  times(10, () => ({
    topic: 'wide',
    payload: jsonPayload(Object.fromEntries(times(1_000, (n) => [`key ${n}`, n]))),
  })),
);

const KINDS: Readonly<Record<AbuseKind, (abuser: Abuser) => void>> = {
  'batches of 1,000 pushes': (abuser) => abuser.repeat(`${EVENTS}/PushEvents`, 16, () => batch),
  'names without end': (abuser) =>
    abuser.repeat(`${EVENTS}/PushEvents`, 4, () =>
      pushes(
        times(100, () => {
          made += 1;
          return { topic: `made up ${made}`, stream: `made up ${made}` };
        }),
      ),
    ),
  'descriptions without end': (abuser) =>
    abuser.repeat(`${EVENTS}/PushEvents`, 8, () => {
      made += 1;
      return pushes([{ topic: `looked at ${made}`, payload: undefined, description: { [`key ${made}`]: 1 } }]);
    }),
  'pages of 1,000 events': (abuser) => abuser.repeat(`${EVENTS}/ListEvents`, 64, () => page),
  'searches for what is nowhere': (abuser) => abuser.repeat(`${ADMIN}/SearchEvents`, 64, () => SEARCH),
  '300 readers that stand still': (abuser) => {
    const session = abuser.connect();
    for (let n = 0; n < 300; n += 1) abuser.open(session, `${EVENTS}/ReadEvents`, follow);
  },
  '300 readers that begin anew': (abuser) => abuser.repeat(`${EVENTS}/ReadEvents`, 300, () => READ_ALL),
  'calls that are cancelled': (abuser) => {
    let session = abuser.connect();
    abuser.every(100, () => {
      if (session.closed || session.destroyed) session = abuser.connect();
      const calls = times(500, () => abuser.open(session, `${EVENTS}/ReadEvents`, follow));
      setImmediate(() => {
        for (const call of calls) call.close(8);
      });
    });
  },
  'connections without end': (abuser) =>
    abuser.every(10, () => {
      const session = abuser.connect();
      setTimeout(() => session.destroy(), 500);
    }),
  'payloads of many paths': (abuser) => abuser.repeat(`${EVENTS}/PushEvents`, 8, () => WIDE),
};

let abuser: Abuser | undefined;
process.on('message', (message) => {
  const { kind, address } = message as Abuse;
  abuser?.stop();
  abuser = undefined;
  if (kind !== 'none') {
    abuser = new Abuser(address);
    KINDS[kind](abuser);
  }
  process.send?.(true);
});
process.on('disconnect', () => process.exit());
process.stdout.write(`${JSON.stringify({ msg: 'listening' })}\n`);
