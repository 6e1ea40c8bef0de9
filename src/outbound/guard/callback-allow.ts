// MADELEINE_CALLBACK_ALLOW: what callbacks may reach besides public addresses, in the operator's words.

import { isIP } from 'node:net';
import { ConfigError } from '../../config.js';
import { AddressSet } from './address-ranges.js';

interface Entry {
  /** The port; undefined: every one. */
  readonly port: number | undefined;
  /** A name in its normal form; undefined for networks. */
  readonly host?: string;
  readonly networks?: AddressSet;
}

/**
 * Entries are separated by commas or spaces: a name, an address or a network, each with a port or for every port:
 * `hooks.internal`, `localhost:8080`, `10.0.0.0/8`, `10.1.2.3:8443`, `[fd00::/8]:443`. A name stands for whatever it resolves to.
 */
export class CallbackAllow {
  readonly #entries: readonly Entry[];

  /** Reads the setting; throws a ConfigError that names the entry at fault. */
  constructor(setting: string) {
    this.#entries = setting
      .split(/[\s,]+/)
      .filter((text) => text !== '')
      .map(parseEntry);
  }

  allowsHost(host: string, port: number): boolean {
    return this.#entries.some((entry) => entry.host === host && fits(entry, port));
  }

  /** Whether some address is allowed on the port, so that a name may lead there. */
  allowsSomeAddress(port: number): boolean {
    return this.#entries.some((entry) => entry.networks !== undefined && fits(entry, port));
  }

  /** A network allows its addresses also where a name resolved to them. */
  allowsAddress(address: string, port: number): boolean {
    return this.#entries.some((entry) => fits(entry, port) && entry.networks?.has(address));
  }
}

function fits(entry: Entry, port: number): boolean {
  return entry.port === undefined || entry.port === port;
}

function parseEntry(text: string): Entry {
  const { body, port } = splitPort(text);
  const refuse = () => new ConfigError(`MADELEINE_CALLBACK_ALLOW: "${text}" is not a host, address or network`);
  const number = port === undefined ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65_535)) throw refuse();
  if (isIP(body) !== 0 || body.includes('/')) {
    try {
      return { port: number, networks: new AddressSet([body]) };
    } catch {
      // The set only says that it is none; the operator wants to know which entry.
      throw refuse();
    }
  }
  const url = /^[^\s/@?#\\:[\]]+$/.test(body) && URL.canParse(`http://${body}`) ? new URL(`http://${body}`) : undefined;
  const host = url?.hostname.replace(/\.$/, '') ?? '';
  // A name whose normal form is an address, such as 0x7f.1, is not what was meant.
  if (host === '' || isIP(host) !== 0) throw refuse();
  return { port: number, host };
}

function splitPort(text: string): { body: string; port: string | undefined } {
  const bracketed = /^\[([^\]]*:[^\]]*)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed !== null) return { body: bracketed[1] ?? '', port: bracketed[2] };
  // Two colons and no brackets: an IPv6 address, none of which is a port.
  const plain = /^([^:]+):(\d{1,5})$/.exec(text);
  return plain === null ? { body: text, port: undefined } : { body: plain[1] ?? '', port: plain[2] };
}
