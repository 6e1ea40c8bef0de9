// Tells the calls that want to know how long they may take; see wire/time-left.ts.

import {
  ResponderBuilder,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import type { Clock } from '../../lib/clock.js';
import { TIME_LEFT_KEY } from '../wire/time-left.js';

const CALLS: ReadonlySet<string> = new Set([
  '/madeleine.v1.AdminService/SearchEvents',
  '/madeleine.v1.TopicService/CheckSchema',
]);

/** What an interceptor is given. */
export type InterceptedCall = [method: { readonly path: string }, call: ServerInterceptingCallInterface];

/** What an interceptor returns, which adds itself to those calls. */
export function tellTimeLeft(clock: Clock, ...[{ path }, call]: InterceptedCall): ServerInterceptingCallInterface {
  if (!CALLS.has(path)) return call;
  const listener = new ServerListenerBuilder().withOnReceiveMetadata((metadata, next) => {
    const leftMs = Number(call.getDeadline()) - clock.nowMs();
    // Whatever a client says there is not heard.
    metadata.remove(TIME_LEFT_KEY);
    if (Number.isFinite(leftMs)) metadata.set(TIME_LEFT_KEY, String(Math.max(0, leftMs)));
    next(metadata);
  });
  return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener.build())).build());
}
