// Composes what calls back: cawins, the making of their firings, the runner, and the ways out of the process.

import { randomBytes } from 'node:crypto';
import { type Config, ConfigError } from '../config.js';

import { DEFAULT_RETRY_POLICY, type RetryPolicy } from '../domain/cawins/retry-policy.js';
import { CallbackCall } from '../engine/cawins/callback-call.js';

import { CallbackResults } from '../engine/cawins/callback-results.js';
import { CallbackRunner } from '../engine/cawins/callback-runner.js';
import { CawinVault } from '../engine/cawins/cawin-secrets.js';
import { Cawins } from '../engine/cawins/cawins.js';
import { EndpointReports, type EventPusher } from '../engine/cawins/endpoint-reports.js';
import { Firings } from '../engine/cawins/firings.js';
import type { GroupCommit } from '../engine/group/group-commit.js';
import type { EventLookUp } from '../engine/log/event-look-up.js';
import type { LogSource } from '../engine/log/log-source.js';
import type { WireEventEncoder } from '../grpc/events/event-encoder.js';
import type { Clock } from '../lib/clock.js';
import { parseSecretKey, SecretBox, SecretBoxError } from '../lib/secret-box.js';
import { Amqp } from '../outbound/amqp/amqp.js';
import { Callbacks } from '../outbound/callbacks.js';
import { GrpcCallback } from '../outbound/grpc/grpc-callback.js';
import { AddressGuard } from '../outbound/guard/address-guard.js';
import { CallbackAllow } from '../outbound/guard/callback-allow.js';
import { DnsResolver, SystemResolver } from '../outbound/guard/name-resolver.js';
import { Webhook } from '../outbound/http/webhook.js';
import { loadSecretKey, SECRET_KEY_FILE } from '../storage/embedded/embedded-secret-key.js';
import { MysqlCallbackStore } from '../storage/mysql/cawins/callback-claims.js';
import { MysqlFiringStore } from '../storage/mysql/cawins/cawin-firings.js';
import { MysqlCawinStore } from '../storage/mysql/cawins/cawin-store.js';
import type { Database } from '../storage/mysql/sql/database.js';
import type { DurableReads, EventLog } from '../storage/ports/log-storage.js';
import type { Logger, Metrics } from '../telemetry.js';
import type { Millis } from '../units.js';

export interface CallbackPartsOptions {
  readonly config: Config;
  readonly database: Database;
  readonly log: EventLog;
  readonly durableReads: DurableReads;
  readonly groupCommit: GroupCommit;
  readonly source: LogSource;
  readonly events: EventLookUp;
  readonly pushes: EventPusher;
  readonly encoder: WireEventEncoder;
  readonly instanceId: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly retryPolicy?: RetryPolicy | undefined;
}

/** The parts of an instance that call back. */
export class CallbackParts {
  readonly cawins: Cawins;
  readonly #callbacks: Callbacks;
  readonly #logger: Logger;
  readonly #firings: Firings;
  readonly #runner: CallbackRunner;
  #stopped: Promise<void> | undefined;

  private constructor(options: CallbackPartsOptions, vault: CawinVault) {
    const { database, groupCommit, log, durableReads, source, events, instanceId, clock, random, metrics, logger } =
      options;
    const claims = new MysqlCallbackStore({ database });
    const sender = makeCallbacks(options);
    const policy = options.retryPolicy ?? DEFAULT_RETRY_POLICY;
    this.#callbacks = sender;
    this.#logger = logger;
    this.#runner = new CallbackRunner({
      store: claims,
      call: new CallbackCall({ sender, source, events, vault, policy, clock, random, metrics, logger }),
      results: new CallbackResults({
        store: claims,
        endpointReports: new EndpointReports({ pushes: options.pushes, logger }),
        ...{ clock, random, logger },
      }),
      clock,
      random,
      logger,
    });
    const onFirings = () => this.#runner.wake();
    this.#firings = new Firings({
      store: new MysqlFiringStore({ database }),
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

  /** Rejects with ConfigError where a setting is at fault, or with what is wrong with the embedded key file. */
  static async open(options: CallbackPartsOptions): Promise<CallbackParts> {
    return new CallbackParts(options, new CawinVault(await openBox(options.config)));
  }

  start(): void {
    this.#firings.start();
    this.#runner.start();
  }

  /** Starts no further call; those under way get the time to end. May be called again. */
  stop(graceMs: Millis): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: Millis): Promise<void> {
    await this.#firings.stop().catch((error: unknown) => {
      this.#logger.warn({ err: error }, 'the making of firings was not handed on');
    });
    await this.#runner.drain(graceMs);
    await this.#callbacks.stop();
  }
}

async function openBox({ secretKey, databaseUrl, dataDir }: Config): Promise<SecretBox | undefined> {
  const texts = secretKey.split(',').filter((text) => text !== '');
  if (texts.length === 0 && databaseUrl !== '') return undefined;
  try {
    const given = texts.map((text) => parseSecretKey(text.trim()));
    const [key = await loadSecretKey(`${dataDir}/${SECRET_KEY_FILE}`), ...formerKeys] = given;
    return new SecretBox({ key, formerKeys, randomBytes });
  } catch (error) {
    if (error instanceof SecretBoxError) throw new ConfigError(`MADELEINE_SECRET_KEY (--secret-key): ${error.message}`);
    throw error;
  }
}

function makeCallbacks({ config, encoder, clock, random, logger }: CallbackPartsOptions): Callbacks {
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
