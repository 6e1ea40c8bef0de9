// From a host's name to all its addresses. Two ways: the DNS alone, for names that anyone may have written, and the system's own
// (hosts file, search domains), for names that the operator allowed.

import { promises as dns } from 'node:dns';
import { AttemptFailure } from '../attempt/attempt-failure.js';

export interface NameResolver {
  /** Every IPv4 and IPv6 address of the name, at least one. Rejects with an AttemptFailure (name). */
  resolve(host: string): Promise<readonly string[]>;
}

/**
 * The time of the first try of a look-up that gets no answer; each further one has twice as long. Together they outlast every call,
 * whose own time is what ends the wait.
 */
const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 5;
/** How long the addresses of one family wait for those of the other. */
const FAMILY_MS = 500;

export interface DnsResolverOptions {
  /** Name servers as `address` or `address:port`; the system's unless told. */
  readonly servers?: readonly string[];
}

/**
 * Asks name servers over the network without a thread: the system's look-up would hold one of the runtime's few threads for as long
 * as a name server is silent, and the database's connections wait for the same ones.
 */
export class DnsResolver implements NameResolver {
  readonly #resolver = new dns.Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });

  constructor({ servers }: DnsResolverOptions = {}) {
    if (servers !== undefined) this.#resolver.setServers(servers);
  }

  /**
   * See NameResolver. One of the two families is enough, as not every name server answers for both: once there are addresses of
   * one, the other is waited for only a moment.
   */
  async resolve(host: string): Promise<readonly string[]> {
    const questions = [this.#resolver.resolve4(host), this.#resolver.resolve6(host)];
    const answers = await Promise.allSettled(questions.map((one, index) => orLate(one, questions[1 - index])));
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
    // ENODATA only says that the other question was the one to ask.
    throw nameFailure(failures.find((error) => error.code !== 'ENODATA') ?? failures[0]);
  }
}

/** The answer, or, when the other question has had addresses for a moment, none. */
async function orLate(answer: Promise<string[]>, other: Promise<string[]> | undefined): Promise<string[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[]>((resolve) => {
    const wait = () => {
      timer = setTimeout(() => resolve([]), FAMILY_MS);
    };
    // One that fails is no reason to give this one up.
    other?.then(wait, () => {});
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    // The answer may come when nobody waits for it any more.
    answer.catch(() => {});
  }
}

/** The system's look-up. Holds one of the runtime's threads while it waits. */
export class SystemResolver implements NameResolver {
  async resolve(host: string): Promise<readonly string[]> {
    try {
      const addresses = await dns.lookup(host, { all: true, verbatim: true });
      return addresses.map(({ address }) => address);
    } catch (error) {
      throw nameFailure(error);
    }
  }
}

function nameFailure(error: unknown): AttemptFailure {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const isUnknown = code === 'ENOTFOUND' || code === 'ENODATA';
  const message = isUnknown ? 'the name of the host has no address' : `the name of the host was not resolved (${code})`;
  return new AttemptFailure('name', message, { cause: error });
}
