// The whole outbound part as a server composes it, with what tests decide: who may be called, which name server is asked.

import { WireEventEncoder } from '../../../src/grpc/events/event-encoder.js';
import { systemClock } from '../../../src/lib/clock.js';
import { Amqp } from '../../../src/outbound/amqp/amqp.js';
import { Callbacks } from '../../../src/outbound/callbacks.js';
import { GrpcCallback } from '../../../src/outbound/grpc/grpc-callback.js';
import { AddressGuard } from '../../../src/outbound/guard/address-guard.js';
import { CallbackAllow } from '../../../src/outbound/guard/callback-allow.js';
import { DnsResolver, SystemResolver } from '../../../src/outbound/guard/name-resolver.js';
import { Webhook } from '../../../src/outbound/http/webhook.js';
import type { Logger } from '../../../src/telemetry.js';

export interface CallbackSceneOptions {
  /** MADELEINE_CALLBACK_ALLOW; 127.0.0.1 unless told. */
  readonly allow?: string;
  /** Name server, as `address:port`. */
  readonly nameServer?: string;
  /** The authority that is trusted. */
  readonly ca?: string;
  readonly amqpUrl?: string;
  readonly maxOutstanding?: number;
}

export interface CallbackScene {
  readonly callbacks: Callbacks;
  /** Every line that was logged, as JSON. */
  readonly logged: string[];
}

export function callbackScene(options: CallbackSceneOptions = {}): CallbackScene {
  const { allow = '127.0.0.1', nameServer, ca, amqpUrl, maxOutstanding } = options;
  const clock = systemClock;
  const logged: string[] = [];
  const log = (fields: object, message: string) => void logged.push(JSON.stringify({ ...fields, message }));
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const resolver = new DnsResolver(nameServer === undefined ? {} : { servers: [nameServer] });
  const guard = new AddressGuard({ allow: new CallbackAllow(allow), resolver, allowedResolver: new SystemResolver() });
  const trust = ca === undefined ? {} : { ca };
  const encoder = new WireEventEncoder();
  const broker = maxOutstanding === undefined ? {} : { maxOutstanding };
  const callbacks = new Callbacks({
    guard,
    clock,
    logger,
    webhook: new Webhook({ guard, clock, ...trust }),
    grpc: new GrpcCallback({ guard, clock, encodeEvent: (entry) => encoder.encode(entry, 'bytes'), ...trust }),
    amqp: amqpUrl === undefined ? undefined : new Amqp({ url: amqpUrl, clock, random: Math.random, logger, ...broker }),
  });
  return { callbacks, logged };
}
