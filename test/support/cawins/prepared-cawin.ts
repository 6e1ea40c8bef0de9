// A cawin that a unit of a group takes along, where nobody looks at what is in it.

import type { PreparedCawin } from '../../../src/domain/cawins/prepared-cawin.js';
import { EntryKind } from '../../../src/domain/events/event.js';

export function preparedCawin(): PreparedCawin {
  const url = 'http://127.0.0.1/';
  const callback = { url, origin: url, headerNames: [], timeoutMs: 1_000, signed: false, formerSecretUntil: undefined };
  const draft = {
    active: true,
    notifyOn: [EntryKind.OCCURRED],
    callback,
    requestId: '',
    digest: Buffer.alloc(0),
  } as const;
  return { draft, seal: () => undefined, deadline: undefined, endpointId: 1 };
}
