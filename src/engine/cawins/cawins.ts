// Cawins: makes, shows, changes and deletes them. A new one is a unit of a group; events that ended before are fired in the same
// transaction; what ends later is fired by Firings; calls are made by CallbackRunner.

import { createHash } from 'node:crypto';
import { parseCallbackUrl } from '../../domain/cawins/callback-url.js';
import { type Cawin, type EndKind, endpointOrigin, MAX_CAWIN_MICROS } from '../../domain/cawins/cawin.js';
import type { AttemptRecord } from '../../domain/cawins/cawin-attempt.js';
import type { CallbackRecord, CawinDeadline, MadeCawin, PreparedCawin } from '../../domain/cawins/prepared-cawin.js';
import { bug, fieldError, fieldInvalid, MadeleineError } from '../../domain/errors.js';
import type { Clock } from '../../lib/clock.js';
import type { AttemptKey, CawinStore, ListCawinsOptions, StoredCawin } from '../../storage/ports/cawin-storage.js';
import type { DurableReads } from '../../storage/ports/log-storage.js';
import type { EventId, Micros, Millis } from '../../units.js';
import type { GroupCommit } from '../group/group-commit.js';
import type { CallbackSender } from './callback-sender.js';
import { type CawinSecrets, type CawinVault, withSecret } from './cawin-secrets.js';

/** Whom to call, checked for its form. */
export interface CallbackDraft {
  readonly url: string;
  readonly timeoutMs: Millis;
  readonly secret: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** First byte of every digest: the way it was made. Digests of the first way stay comparable. */
const VERSION = 2;
const FIRST_VERSION = 1;

/** A cawin, whatever its event. */
export interface CawinTerms {
  readonly active: boolean;
  readonly notifyOn: readonly EndKind[];
  readonly callback: CallbackDraft;
  readonly requestId: string;
}

/** What a cawin is about, for its digest, and in the form that digests of the first version have: with deadlines. */
export interface CawinSubject {
  readonly content: string | readonly (number | null)[];
  readonly firstContent: string | readonly (number | null)[];
}

export interface NewCawin extends CawinTerms {
  readonly eventId: EventId;
  readonly expiresAt: Micros | undefined;
}

/** What an update changes; undefined members stay. */
export interface CawinChange {
  readonly active?: boolean;
  readonly notifyOn?: readonly EndKind[];
  /** `null`: that of the event. */
  readonly expiresAt?: Micros | null;
  readonly callback?: Partial<CallbackDraft>;
}

export interface CawinsOptions {
  readonly store: CawinStore;
  readonly groupCommit: GroupCommit;
  readonly durableReads: DurableReads;
  readonly sender: CallbackSender;
  readonly vault: CawinVault;
  readonly clock: Clock;
  /** Firings may be due. */
  readonly onFirings: () => void;
}

export class Cawins {
  readonly #options: CawinsOptions;

  constructor(options: CawinsOptions) {
    this.#options = options;
  }

  /**
   * Makes a cawin; with a request id that was used for the same, returns that one. Rejects with EVENT_UNKNOWN, CALLBACK_NOT_ALLOWED,
   * REQUEST_ID_REUSED, FIELD_INVALID for a deadline that is past or too far, or as GroupCommit.submit does.
   */
  async create(given: NewCawin, signal?: AbortSignal): Promise<{ readonly cawin: Cawin; readonly created: boolean }> {
    const { groupCommit } = this.#options;
    const { eventId, expiresAt, ...terms } = given;
    this.#assertDeadline(expiresAt);
    const subject = { content: [eventId], firstContent: [eventId, expiresAt ?? null] };
    const cawin = await this.#prepare(terms, subject, expiresAt === undefined ? undefined : { at: expiresAt });
    const outcome = await groupCommit.submit({ kind: 'observe', eventId, cawin, expiresAt }, signal);
    if (outcome.kind === 'refused') throw outcome.error;
    return this.#made(outcome.cawin, terms, subject);
  }

  /** The cawin that was made for the same with this request id; undefined: none yet. REQUEST_ID_REUSED for another one. */
  async former(context: string, given: CawinTerms, subject: CawinSubject): Promise<Cawin | undefined> {
    if (given.requestId === '') return undefined;
    const stored = await this.#options.durableReads.durable(
      () => this.#options.store.findByRequest(context, given.requestId),
      (found) => found !== undefined,
    );
    if (stored === undefined) return undefined;
    this.#assertSame(stored, given, subject);
    return stored.cawin;
  }

  /** A cawin to go with the push that finds or awaits its event. Rejects as `create` does. */
  prepare(
    given: CawinTerms,
    { subject, waitMicros }: { readonly subject: CawinSubject; readonly waitMicros: Micros },
  ): Promise<PreparedCawin> {
    return this.#prepare(given, subject, { wait: waitMicros });
  }

  /** The cawin that went with a push, as its answer says. */
  async prepared(made: MadeCawin | undefined, given: CawinTerms, subject: CawinSubject): Promise<Cawin> {
    return (await this.#made(made, given, subject)).cawin;
  }

  async #prepare(given: CawinTerms, subject: CawinSubject, deadline: CawinDeadline): Promise<PreparedCawin> {
    const { store, vault } = this.#options;
    const { callback, ...rest } = given;
    const secrets = secretsOf(callback);
    this.#assertAllowed(callback.url);
    vault.assertCanKeep(secrets);
    const draft = { ...rest, callback: recordOf(callback, secrets), digest: digestOf(given, subject) };
    const endpointId = await store.endpointId(draft.callback.origin);
    return { draft, seal: (id) => vault.seal(secrets, id), deadline, endpointId };
  }

  async #made(made: MadeCawin | undefined, given: CawinTerms, subject: CawinSubject) {
    if (made === undefined) throw bug('a group without its cawin');
    const stored = await this.#stored(made.id);
    if (!made.created) this.#assertSame(stored, given, subject);
    this.#options.onFirings();
    return { cawin: stored.cawin, created: made.created };
  }

  async get(id: number): Promise<Cawin> {
    return (await this.#stored(id)).cawin;
  }

  list(options: ListCawinsOptions): Promise<readonly Cawin[]> {
    return this.#options.store.list(options);
  }

  /** Rejects as `create` does, and with CAWIN_UNKNOWN. */
  async update(id: number, change: CawinChange): Promise<Cawin> {
    const { store, onFirings } = this.#options;
    if (change.expiresAt !== null) this.#assertDeadline(change.expiresAt);
    const { callback, ...rest } = change;
    if (callback?.url !== undefined) this.#assertAllowed(callback.url);
    const { active, notifyOn, expiresAt } = rest;
    const patchOf = ({ cawin, sealed }: StoredCawin) => {
      return { active, notifyOn, expiresAt, ...this.#callbackPatch(cawin, sealed, callback) };
    };
    const origin = callback?.url === undefined ? undefined : endpointOrigin(parseCallbackUrl(callback.url));
    const changed = await store.update(id, patchOf, origin);
    if (!changed) throw unknown();
    onFirings();
    return this.get(id);
  }

  async delete(id: number): Promise<void> {
    if (!(await this.#options.store.delete(id))) throw unknown();
  }

  /** How many firings are called again. */
  async retry(id: number): Promise<{ readonly cawin: Cawin; readonly retried: number }> {
    const retried = await this.#options.store.retry(id);
    if (retried === undefined) throw unknown();
    this.#options.onFirings();
    return { cawin: await this.get(id), retried };
  }

  async attempts(id: number, after: AttemptKey | undefined, limit: number): Promise<readonly AttemptRecord[]> {
    const attempts = await this.#options.store.attempts(id, after, limit);
    if (attempts.length === 0) await this.#stored(id);
    return attempts;
  }

  async #stored(id: number): Promise<StoredCawin> {
    const stored = await this.#options.store.find(id);
    if (stored === undefined) throw unknown();
    return stored;
  }

  /** What changes of a callback, by what is stored under the lock: of two updates at once each keeps what the other changed. */
  #callbackPatch(cawin: Cawin, sealed: Buffer | undefined, change: Partial<CallbackDraft> | undefined) {
    if (change === undefined) return { callback: undefined, seal: undefined };
    const { vault, clock } = this.#options;
    const { secret, headers, ...plain } = change;
    let secrets = vault.open(sealed, cawin.id);
    if (headers !== undefined) secrets = { ...secrets, headers };
    if (secret !== undefined) secrets = withSecret(secrets, secret, clock.nowMs() * 1000);
    vault.assertCanKeep(secrets);
    const callback = recordOf({ url: cawin.url, timeoutMs: cawin.timeoutMs, ...plain }, secrets);
    return { callback, seal: (id: number) => vault.seal(secrets, id) };
  }

  #assertAllowed(url: string): void {
    const refusal = this.#options.sender.refusalOf(url);
    if (refusal !== undefined) throw fieldError('CALLBACK_NOT_ALLOWED', 'callback.url', refusal);
  }

  #assertDeadline(expiresAt: Micros | undefined): void {
    if (expiresAt === undefined) return;
    // Whether a later one has passed is for the database's clock to say.
    if (expiresAt <= 0) throw fieldInvalid('expires_at', 'has passed');
    if (expiresAt > this.#options.clock.nowMs() * 1000 + MAX_CAWIN_MICROS) {
      throw fieldInvalid('expires_at', 'is more than a year ahead');
    }
  }

  #assertSame({ cawin, sealed, digest }: StoredCawin, given: CawinTerms, subject: CawinSubject): void {
    const stored = this.#options.vault.open(sealed, cawin.id);
    const wanted = digest?.[0] === FIRST_VERSION ? firstDigestOf(given, subject) : digestOf(given, subject);
    const same = digest?.equals(wanted) && sameSecrets(stored, secretsOf(given.callback));
    if (!same) {
      const metadata = { cawin_id: String(cawin.id) };
      throw fieldError('REQUEST_ID_REUSED', 'request_id', 'was used for another cawin', { metadata });
    }
  }
}

function secretsOf({ secret, headers }: CallbackDraft): CawinSecrets {
  return { secret, headers };
}

function recordOf(callback: Pick<CallbackDraft, 'url' | 'timeoutMs'>, secrets: CawinSecrets): CallbackRecord {
  return {
    url: callback.url,
    origin: endpointOrigin(parseCallbackUrl(callback.url)),
    headerNames: Object.keys(secrets.headers).sort(),
    timeoutMs: callback.timeoutMs,
    signed: secrets.secret !== '',
    formerSecretUntil: secrets.former?.until,
  };
}

/**
 * What was asked for. Deadlines are left out: a client counts them anew for each attempt. So are secrets: whoever reads the
 * database could try guesses against them.
 */
function digestOf(terms: CawinTerms, { content }: CawinSubject): Buffer {
  return versionedDigest(VERSION, terms, content);
}

function firstDigestOf(terms: CawinTerms, { firstContent }: CawinSubject): Buffer {
  return versionedDigest(FIRST_VERSION, terms, firstContent);
}

function versionedDigest(version: number, { active, notifyOn, callback }: CawinTerms, subject: unknown): Buffer {
  const { url, timeoutMs, headers } = callback;
  const content = [subject, active, [...notifyOn].sort(), url, timeoutMs, Object.keys(headers).sort()];
  const hash = createHash('sha256').update(JSON.stringify(content)).digest();
  return Buffer.concat([Buffer.of(version), hash]);
}

/** A secret that was changed since the first call is another one by now: then the former one counts. */
function sameSecrets(stored: CawinSecrets, given: CawinSecrets): boolean {
  const secret = stored.secret === given.secret || stored.former?.secret === given.secret;
  const names = Object.keys(given.headers);
  const headers =
    names.length === Object.keys(stored.headers).length &&
    names.every((name) => stored.headers[name] === given.headers[name]);
  return secret && headers;
}

function unknown(): MadeleineError {
  return new MadeleineError('CAWIN_UNKNOWN', 'there is no such cawin');
}
