// Tells messages of streams when they have been written: nobody else learns what a client that stands still leaves here.

import { ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { OutgoingMessage } from '../wire/outgoing.js';

class TellingCall extends ServerInterceptingCall {
  override sendMessage(message: unknown, callback: () => void): void {
    super.sendMessage(message, () => {
      if (message instanceof OutgoingMessage) message.written();
      callback();
    });
  }
}

/** An interceptor: adds itself to calls whose answers are streams. */
export function tellWritten(
  { responseStream }: { readonly responseStream: boolean },
  call: ServerInterceptingCallInterface,
): ServerInterceptingCallInterface {
  return responseStream ? new TellingCall(call) : call;
}
