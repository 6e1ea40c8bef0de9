// What GetServerInfo answers of each state that it may find.

import { describe, expect, it } from 'vitest';
import { ComponentState, Durability } from '../../../generated/madeleine/v1/admin_service.js';
import type { Condition } from '../../../src/domain/condition.js';
import { type ServerIdentity, type ServerView, serverInfoToWire } from '../../../src/grpc/admin/server-info-wire.js';

const IDENTITY: ServerIdentity = {
  ...{ version: '1.2.3', contract: 'madeleine.v1', schemaVersion: 7, nodeVersion: 'v20.0.0' },
  instance: { id: 'own:000000000003', address: 'here:1' },
  startedAt: 5_000_000,
  database: { isEmbedded: true, address: 'embedded' },
  limits: [{ name: 'payload_bytes', value: 2 ** 18, unit: 'bytes' }],
};
const HEAD = { epoch: 4, position: 0, createdAt: undefined };

const info = (changes: Partial<ServerView> = {}) =>
  serverInfoToWire({
    identity: IDENTITY,
    uptimeMs: 1_500.7,
    components: [],
    state: { database: undefined, head: HEAD },
    ...changes,
  });

describe('what is told of a server', () => {
  it('whose database was never seen is what it knows by itself', () => {
    const own = {
      name: 'own',
      startNumber: 3n,
      address: 'here:1',
      startedAt: { seconds: 5n, nanos: 0 },
      seenAt: undefined,
    };
    expect(info()).toMatchObject({
      ...{ version: '1.2.3', uptime: { seconds: 1n, nanos: 500_000_000 }, instance: own, instances: [own] },
      database: {
        ...{ engine: '', embedded: true, address: 'embedded', seenAt: undefined },
        ...{ durability: Durability.DURABILITY_UNSPECIFIED, lossySettings: [] },
      },
      log: { epoch: 4n, headPosition: 0n, headTime: undefined },
      limits: [{ name: 'payload_bytes', value: 262_144n, unit: 'bytes' }],
    });
  });

  it('has itself first among the instances, once', () => {
    const seen = (id: string, seenAt: number) => ({ id, address: id, startedAt: 1, seenAt });
    const instances = [
      seen('other', 9_000_000),
      seen('own:000000000003', 8_000_000),
      seen('own:000000000002', 7_000_000),
    ];
    const facts = { engine: 'MySQL', version: '9.7.4', cluster: 'Group Replication', lossySettings: [] };
    const answer = info({ state: { database: { facts, instances, seenAt: 1 }, head: HEAD } });
    expect(answer.instances.map(({ name, startNumber }) => [name, startNumber])).toEqual([
      ['own', 3n],
      ['other', 0n],
      ['own', 2n],
    ]);
    expect(answer.instance?.seenAt).toEqual({ seconds: 8n, nanos: 0 });
    expect(answer.database).toMatchObject({ cluster: 'Group Replication', durability: Durability.DURABILITY_DURABLE });
  });

  it.each([
    ['up', ComponentState.COMPONENT_STATE_UP],
    ['down', ComponentState.COMPONENT_STATE_DOWN],
    ['off', ComponentState.COMPONENT_STATE_OFF],
    ['idle', ComponentState.COMPONENT_STATE_IDLE],
  ] as const)('has a component that is %s', (state: Condition['state'], expected) => {
    const { components } = info({ components: [{ name: 'broker', state, detail: 'words', since: 1_000_000 }] });
    expect(components).toEqual([
      { name: 'broker', state: expected, detail: 'words', since: { seconds: 1n, nanos: 0 } },
    ]);
  });
});
