// Composes what calls back: cawins, the making of their firings, the runner, and the ways out of the process.

import { randomBytes } from 'node:crypto';
import type { Config } from '../config.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from '../domain/cawins/retry-policy.js';
import type { Condition } from '../domain/condition.js';
import { CallbackCall } from '../engine/cawins/callback-call.js';

import { CallbackResults } from '../engine/cawins/callback-results.js';
import { CallbackRunner } from '../engine/cawins/callback-runner.js';
import { CawinVault } from '../engine/cawins/cawin-secrets.js';
import { Cawins } from '../engine/cawins/cawins.js';
import { EndpointReports } from '../engine/cawins/endpoint-reports.js';
import { Firings } from '../engine/cawins/firings.js';
import type { WireEventEncoder } from '../grpc/events/event-encoder.js';
import { parseSecretKeys, SecretBox } from '../lib/secret-box.js';
import { Amqp } from '../outbound/amqp/amqp.js';
import { Callbacks } from '../outbound/callbacks.js';
import { GrpcCallback } from '../outbound/grpc/grpc-callback.js';
import { AddressGuard } from '../outbound/guard/address-guard.js';
import { CallbackAllow } from '../outbound/guard/callback-allow.js';
import { DnsResolver, SystemResolver } from '../outbound/guard/name-resolver.js';
import { Webhook } from '../outbound/http/webhook.js';
import { loadSecretKey, SECRET_KEY_FILE } from '../storage/embedded/embedded-secret-key.js';
import { MysqlCallbackStore } from '../storage/mysql/cawins/callback-store.js';
import { MysqlCawinStore } from '../storage/mysql/cawins/cawin-store.js';
import { MysqlFiringStore } from '../storage/mysql/cawins/firing-store.js';
import type { FiringStore } from '../storage/ports/cawin-storage.js';
import type { EndedRuns } from '../storage/ports/log-storage.js';
import type { Logger } from '../telemetry.js';
import type { Millis } from '../units.js';
import type { DatabaseHandle } from './database.js';
import type { EventParts } from './events.js';
import type { LogParts } from './log.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface CallbackPartsOptions {
  readonly surroundings: Surroundings;
  readonly handle: DatabaseHandle;
  readonly log: LogParts;
  readonly events: EventParts;
  readonly instanceId: string;
  /** Former runs of the instance; undefined: none is known. */
  readonly endedRuns: EndedRuns | undefined;
  readonly encoder: WireEventEncoder;
  /** The times at which a call is tried again; the product's own, if left out. */
  readonly retryPolicy: RetryPolicy | undefined;
}

/** The parts of an instance that call back. */
export class CallbackParts {
  readonly cawins: Cawins;
  readonly #callbacks: Callbacks;
  readonly #logger: Logger;
  readonly #drainMs: Millis;
  readonly #firings: Firings;
  readonly #runner: CallbackRunner;
  #stopped: Promise<void> | undefined;

  private constructor(options: CallbackPartsOptions, firingStore: FiringStore, vault: CawinVault) {
    const { surroundings, handle, instanceId } = options;
    const { clock, random, metrics, logger } = surroundings;
    const { database } = handle;
    const { groupCommit, log, durableReads, reader: source, erasures } = options.log;
    const { queries, pushes } = options.events;
    const claims = new MysqlCallbackStore({ database, random });
    const sender = makeCallbacks(options);
    const policy = options.retryPolicy ?? DEFAULT_RETRY_POLICY;
    this.#callbacks = sender;
    this.#logger = logger;
    this.#drainMs = surroundings.config.drainMs;
    this.#runner = new CallbackRunner({
      store: claims,
      call: new CallbackCall({
        ...{ sender, source, events: queries, vault, erasures, policy },
        ...{ clock, random, metrics, logger },
      }),
      results: new CallbackResults({
        store: claims,
        endpointReports: new EndpointReports({ pushes, logger }),
        clock,
        random,
        logger,
      }),
      clock,
      random,
      logger,
    });
    const onFirings = () => this.#runner.wake();
    this.#firings = new Firings({
      store: firingStore,
      source,
      log,
      instanceId,
      clock,
      logger,
      onFirings,
    });
    const store = new MysqlCawinStore({ database });
    this.cawins = new Cawins({ store, groupCommit, durableReads, sender, vault, clock, onFirings });
  }

  /** Rejects with what is wrong with the embedded key file. */
  static async open(options: CallbackPartsOptions): Promise<CallbackParts> {
    const { handle, endedRuns } = options;
    const store = new MysqlFiringStore({ database: handle.database });
    if (endedRuns !== undefined) await store.releaseEnded(endedRuns);
    return new CallbackParts(options, store, new CawinVault(await openBox(options.surroundings.config)));
  }

  /** How the runner is. */
  get condition(): Condition {
    const detail = `calls under way: ${this.#runner.callsUnderWay}`;
    return { state: this.#stopped === undefined ? 'up' : 'down', detail };
  }

  /** How the way to the operator's broker is. */
  get broker(): Condition {
    return this.#callbacks.broker;
  }

  /** Starts making firings and calls. The log has to be started. */
  start(started: Started): void {
    this.#firings.start();
    this.#runner.start();
    started.add('callbacks', () => this.stop());
  }

  /** Starts no further call; those under way get the time to end. May be called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#firings.stop().catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the making of firings was not handed on');
    });
    await this.#runner.drain(this.#drainMs);
    await this.#callbacks.stop();
  }
}

/** Throws ConfigError for a setting that only the parts of callbacks can judge, before anything is started for it. */
export function assertSettings({ callbackAllow }: Config): void {
  new CallbackAllow(callbackAllow);
}

async function openBox({ secretKey, databaseUrl, dataDir }: Config): Promise<SecretBox | undefined> {
  const given = parseSecretKeys(secretKey);
  if (given.length === 0 && databaseUrl !== '') return undefined;
  const [key = await loadSecretKey(`${dataDir}/${SECRET_KEY_FILE}`), ...formerKeys] = given;
  return new SecretBox({ key, formerKeys, randomBytes });
}

function makeCallbacks({ surroundings, encoder }: CallbackPartsOptions): Callbacks {
  const { config, clock, random, logger } = surroundings;
  const guard = new AddressGuard({
    allow: new CallbackAllow(config.callbackAllow),
    resolver: new DnsResolver(),
    allowedResolver: new SystemResolver(),
  });
  return new Callbacks({
    guard,
    clock,
    logger,
    webhook: new Webhook({ guard, clock }),
    grpc: new GrpcCallback({ guard, clock, encodeEvent: (entry) => encoder.encode(entry, 'bytes') }),
    amqp: config.amqpUrl === '' ? undefined : new Amqp({ url: config.amqpUrl, clock, random, logger }),
  });
}
