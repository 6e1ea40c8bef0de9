// The addresses that a server is told to listen on, held to what can be had before anything is started.

import { type Config, OPTIONS } from '../config.js';
import { listenProblem, listenWords } from '../settings/listen-address.js';

const USES = { listen: 'gRPC', httpListen: 'HTTP' } as const;

/** The error of an address that cannot be listened on: one sentence that names the setting. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

/** Throws AddressError where the address of the setting cannot be listened on at this moment. */
export async function assertListenable(setting: keyof typeof USES, config: Config): Promise<void> {
  const address = config[setting];
  const problem = isTwice(setting, config) ? 'it is the address for HTTP, too' : await listenProblem(address);
  if (problem === undefined) return;
  const { variable, flag } = OPTIONS[setting];
  const why = `cannot listen on ${address} for ${USES[setting]}: ${listenWords(problem)}`;
  throw new AddressError(`${why}; choose another address with ${variable} (${flag})`);
}

function isTwice(setting: keyof typeof USES, { listen, httpListen }: Config): boolean {
  return setting === 'listen' && listen === httpListen && !listen.endsWith(':0');
}
