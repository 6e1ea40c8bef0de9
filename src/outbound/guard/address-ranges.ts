// Which addresses are public: reachable by anyone, and nothing of ours or of the machine's surroundings behind them. After IANA's
// registries of special-purpose addresses.

import { BlockList, isIP } from 'node:net';

/** IPv4 is public unless it is listed here. */
const SPECIAL_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
  // Protocol assignments, documentation, 6to4 relays, benchmarks.
  ...['192.0.0.0/24', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', '192.88.99.0/24', '198.18.0.0/15'],
  // Multicast, reserved, broadcast.
  ...['224.0.0.0/4', '240.0.0.0/4'],
  // A cloud's service for its machines, on an address that looks public.
  '168.63.129.16/32',
];

/**
 * IPv6 is public only within this: all else is loopback, private, link-local, multicast, or IPv4 in disguise (mapped, compatible,
 * NAT64 64:ff9b::/96 and 64:ff9b:1::/48).
 */
const GLOBAL_V6 = '2000::/3';
/** The exceptions from it: protocol assignments with Teredo, documentation, 6to4. */
const SPECIAL_V6 = ['2001::/23', '2001:db8::/32', '3fff::/20', '2002::/16'];

/** Addresses and networks; a thin layer over the runtime's. */
export class AddressSet {
  readonly #list = new BlockList();

  constructor(networks: readonly string[] = []) {
    for (const network of networks) this.add(network);
  }

  /** An address, or a network such as `10.0.0.0/8`. Throws RangeError if it is neither. */
  add(network: string): void {
    const [address = '', length, ...more] = network.split('/');
    const family = isIP(address);
    const bits = family === 4 ? 32 : 128;
    const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= bits);
    if (family === 0 || address.includes('%') || !isLength || more.length > 0) throw new RangeError(network);
    this.#list.addSubnet(address, Number(length ?? bits), family === 4 ? 'ipv4' : 'ipv6');
  }

  /** An IPv4 address in an IPv6 one (mapped) counts as both. */
  has(address: string): boolean {
    return this.#list.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
  }
}

const special = new AddressSet([...SPECIAL_V4, ...SPECIAL_V6]);
const global = new AddressSet([GLOBAL_V6]);

/** Whether callbacks may go to the address without the operator's leave. Anything that is no address is not public. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  // A zone index means a link of this machine.
  if (family === 0 || address.includes('%')) return false;
  if (special.has(address)) return false;
  return family === 4 || global.has(address);
}
