// Addresses that a server listens on: their parts, and whether they can be had.

import { once } from 'node:events';
import { createServer } from 'node:net';

export interface ListenAddress {
  /** Host as the system takes it: without the brackets that an IPv6 address has in a text. */
  readonly host: string;
  readonly hostText: string;
  readonly port: number;
}

/** Splits host and port. */
export function splitAddress(address: string): ListenAddress {
  const colon = address.lastIndexOf(':');
  const hostText = address.slice(0, colon);
  return { host: hostText.replace(/^\[|\]$/g, ''), hostText, port: Number(address.slice(colon + 1)) };
}

/** Why the address cannot be listened on at this moment, as the system's code; undefined if it can. */
export async function listenProblem(address: string): Promise<string | undefined> {
  const { host, port } = splitAddress(address);
  const server = createServer();
  try {
    server.listen({ host, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? message;
  }
  server.close();
  await once(server, 'close');
  return undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses it',
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'this user may not listen on that port',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name is not known',
};

/** A code of the system in words. */
export function listenWords(code: string): string {
  return WORDS[code] ?? code;
}
