// Stands before every connection that a caller's URL asks for: the name is resolved once, every address is checked, and the
// connection goes to one of the checked addresses and to nothing else. What a name server says a moment later changes nothing.

import { isIP } from 'node:net';
import { orAbort } from '../../lib/or-abort.js';
import { AttemptFailure } from '../attempt/attempt-failure.js';
import type { PinnedAddress } from '../connection/first-connection.js';
import { isPublicAddress } from './address-ranges.js';
import type { CallbackAllow } from './callback-allow.js';
import type { NameResolver } from './name-resolver.js';

/** The port below which services of machines live: those are called only where the operator says so, but for two. */
const FIRST_FREE_PORT = 1024;
const WEB_PORTS = new Set([80, 443]);

/** Where a URL points to. The host is in its normal form: see `parseCallbackUrl`. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface AddressGuardOptions {
  readonly allow: CallbackAllow;
  /** The resolver of names that anyone may have written. */
  readonly resolver: NameResolver;
  /** The resolver of names that the operator allowed. */
  readonly allowedResolver: NameResolver;
}

export class AddressGuard {
  readonly #options: AddressGuardOptions;

  constructor(options: AddressGuardOptions) {
    this.#options = options;
  }

  /** Why the target is refused whatever its name resolves to; undefined if that decides. Asks nobody. */
  refusalOf({ host, port }: Target): string | undefined {
    const { allow } = this.#options;
    if (allow.allowsHost(host, port)) return undefined;
    if (isIP(host) !== 0) return this.#allowsAddress(host, port) ? undefined : refusal(host, port);
    if (UNRESOLVED.test(host)) return localName(host, port);
    // A network that is allowed may still be what the name resolves to.
    return isPublicPort(port) || allow.allowsSomeAddress(port) ? undefined : refusal(host, port);
  }

  /**
   * The addresses that may be connected to, all of them checked; at least one. Rejects with an AttemptFailure: name, not_allowed
   * (also if only one address of the name is not allowed), or the signal's reason. Neither is for good: names move, and another
   * instance may have been told to allow it.
   */
  async resolve(target: Target, signal: AbortSignal): Promise<readonly PinnedAddress[]> {
    const { host, port } = target;
    const { allow, resolver, allowedResolver } = this.#options;
    const isAllowedHost = allow.allowsHost(host, port);
    const addresses =
      isIP(host) !== 0 ? [host] : await orAbort((isAllowedHost ? allowedResolver : resolver).resolve(host), signal);
    const refused = isAllowedHost ? undefined : addresses.find((address) => !this.#allowsAddress(address, port));
    // Which address it was stays here: it may tell about a network that the caller cannot see.
    if (refused !== undefined) throw new AttemptFailure('not_allowed', refusal(host, port));
    return addresses.map((address) => ({ address, family: isIP(address) === 4 ? 4 : 6 }));
  }

  #allowsAddress(address: string, port: number): boolean {
    if (this.#options.allow.allowsAddress(address, port)) return true;
    return isPublicAddress(address) && isPublicPort(port);
  }
}

function isPublicPort(port: number): boolean {
  return port >= FIRST_FREE_PORT || WEB_PORTS.has(port);
}

/** Names that are of this machine, or of nobody's, in every network: name servers are not asked for them, and know none of them. */
const UNRESOLVED = /(^|\.)(localhost|localhost\.localdomain|ip6-localhost|ip6-loopback|invalid|onion)$/;

function localName(host: string, port: number): string {
  const setting = `MADELEINE_CALLBACK_ALLOW=${host}:${port}`;
  return `${host}:${port} is not a public address: name servers know no ${host}; the operator may allow it with ${setting}`;
}

function refusal(host: string, port: number): string {
  const where = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  return `${where} is not a public address with a port of 80, 443 or from ${FIRST_FREE_PORT}; the operator may allow it with MADELEINE_CALLBACK_ALLOW`;
}
