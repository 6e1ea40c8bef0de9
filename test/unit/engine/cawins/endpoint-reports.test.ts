// What is told of a circuit: whose it is, and nothing that a URL may hold.

import { describe, expect, it } from 'vitest';
import { EndpointReports } from '../../../../src/engine/cawins/endpoint-reports.js';
import type { PushCommand } from '../../../../src/engine/group/pushes.js';
import type { CircuitChange } from '../../../../src/storage/ports/cawin-storage.js';
import type { Logger } from '../../../../src/telemetry.js';

function told(change: CircuitChange): { content: unknown; logged: object[] } {
  const logged: object[] = [];
  const pushed: PushCommand[] = [];
  const note = (fields: object) => void logged.push(fields);
  const logger: Logger = { debug: note, info: note, warn: note, error: note };
  const push = (commands: readonly PushCommand[]) => {
    pushed.push(...commands);
    return Promise.resolve([]);
  };
  new EndpointReports({ pushes: { push }, logger }).tell([change]);
  const bytes = pushed[0]?.draft.payload?.bytes ?? new Uint8Array();
  return { content: JSON.parse(Buffer.from(bytes).toString()), logged };
}

describe('the report of an endpoint', () => {
  const change = { origin: 'http://a', turn: 'open', failures: 10, nextProbeAt: 1_000_000 } as const;

  it('of a host names the host', () => {
    const { content } = told({ ...change, cawinId: undefined });
    const at = new Date(1_000).toISOString();
    expect(content).toEqual({ endpoint: 'http://a', state: 'open', failures: 10, next_probe_at: at });
  });

  it('of a URL names a cawin that has it', () => {
    const { content, logged } = told({ ...change, cawinId: 17 });
    expect(content).toMatchObject({ endpoint: 'http://a', cawin_id: '17' });
    expect(logged).toMatchObject([{ origin: 'http://a', cawin: 17 }]);
  });
});
