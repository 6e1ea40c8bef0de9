// GetServerInfo's answer, to the wire.

import {
  ComponentState,
  type DatabaseInfo,
  Durability,
  type GetServerInfoResponse,
  type LogInfo,
  type ServerComponent,
  type ServerInstance,
} from '../../../generated/madeleine/v1/admin_service.js';
import type { Condition } from '../../domain/condition.js';
import { instanceName } from '../../engine/admin/instance-name.js';
import type { KnownDatabase, ServerState, ShownHead } from '../../engine/admin/server-info.js';
import type { Instance } from '../../storage/ports/log-storage.js';
import type { SeenInstance } from '../../storage/ports/server-storage.js';
import type { Micros, Millis } from '../../units.js';
import { toDuration, toTimestamp } from '../wire/wire.js';

/** What is bounded, how much of it there may be at most, and what is counted. */
export interface Limit {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface Component extends Condition {
  readonly name: string;
  /** Undefined: not known. */
  readonly since?: Micros;
}

/** What does not change while the server runs. */
export interface ServerIdentity {
  readonly version: string;
  readonly contract: string;
  readonly schemaVersion: number;
  readonly nodeVersion: string;
  readonly instance: Instance;
  readonly startedAt: Micros;
  readonly database: DatabasePlace;
  readonly limits: readonly Limit[];
}

export interface DatabasePlace {
  readonly isEmbedded: boolean;
  /** Host and port, or `embedded`. */
  readonly address: string;
}

export interface ServerView {
  readonly identity: ServerIdentity;
  readonly uptimeMs: Millis;
  readonly components: readonly Component[];
  readonly state: ServerState;
}

export function serverInfoToWire({ identity, uptimeMs, components, state }: ServerView): GetServerInfoResponse {
  const { version, contract, schemaVersion, nodeVersion, limits } = identity;
  const seen = state.database?.instances ?? [];
  const own = ownInstance(identity, seen);
  const others = seen.filter(({ id }) => id !== identity.instance.id).map(instanceToWire);
  return {
    version,
    contract,
    schemaVersion,
    nodeVersion,
    instance: own,
    uptime: toDuration(Math.floor(uptimeMs)),
    database: databaseToWire(identity.database, state.database),
    log: logToWire(state.head),
    limits: limits.map(({ value, ...limit }) => ({ ...limit, value: BigInt(value) })),
    components: components.map(componentToWire),
    instances: [own, ...others],
  };
}

function ownInstance({ instance, startedAt }: ServerIdentity, seen: readonly SeenInstance[]): ServerInstance {
  const row = seen.find(({ id }) => id === instance.id);
  return { ...instanceToWire({ ...instance, startedAt, seenAt: startedAt }), seenAt: row && toTimestamp(row.seenAt) };
}

function instanceToWire({ id, address, startedAt, seenAt }: SeenInstance): ServerInstance {
  const { name, startNumber } = instanceName(id);
  return {
    name,
    startNumber: BigInt(startNumber),
    address,
    startedAt: toTimestamp(startedAt),
    seenAt: toTimestamp(seenAt),
  };
}

function databaseToWire({ isEmbedded, address }: DatabasePlace, known: KnownDatabase | undefined): DatabaseInfo {
  const { engine = '', version = '', cluster = '', lossySettings = [] } = known?.facts ?? {};
  return {
    engine,
    version,
    cluster,
    embedded: isEmbedded,
    address,
    durability: durabilityOf(known),
    lossySettings: [...lossySettings],
    seenAt: known && toTimestamp(known.seenAt),
  };
}

function durabilityOf(known: KnownDatabase | undefined): Durability {
  if (known === undefined) return Durability.DURABILITY_UNSPECIFIED;
  return known.facts.lossySettings.length === 0 ? Durability.DURABILITY_DURABLE : Durability.DURABILITY_LOSSY;
}

function logToWire({ epoch, position, createdAt }: ShownHead): LogInfo {
  return {
    epoch: BigInt(epoch),
    headPosition: BigInt(position),
    headTime: createdAt === undefined ? undefined : toTimestamp(createdAt),
  };
}

const STATES: Readonly<Record<Condition['state'], ComponentState>> = {
  up: ComponentState.COMPONENT_STATE_UP,
  down: ComponentState.COMPONENT_STATE_DOWN,
  off: ComponentState.COMPONENT_STATE_OFF,
  idle: ComponentState.COMPONENT_STATE_IDLE,
};

function componentToWire({ name, state, detail, since }: Component): ServerComponent {
  return { name, state: STATES[state], detail, since: since === undefined ? undefined : toTimestamp(since) };
}
