// Whether the addresses that a server would listen on are free, taken by a madeleine server, or taken by something else.

import { createChannel, createClient } from 'nice-grpc';
import { HealthDefinition } from 'nice-grpc-server-health';
import { type Config, OPTIONS } from '../../../config.js';
import { listenProblem } from '../../../settings/listen-address.js';
import type { DoctorFinding } from '../../deps.js';

const ANSWER_MS = 2000;

/** One finding an address. */
export async function checkPorts(config: Config): Promise<readonly DoctorFinding[]> {
  return Promise.all([
    checkPort('gRPC port', config.listen, OPTIONS.listen.flag, answersGrpc),
    checkPort('HTTP port', config.httpListen, OPTIONS.httpListen.flag, answersHttp),
  ]);
}

async function checkPort(
  check: string,
  address: string,
  flag: string,
  isOurs: (address: string) => Promise<boolean>,
): Promise<DoctorFinding> {
  const problem = await listenProblem(address);
  if (problem === undefined) return { check, state: 'ok', detail: `${address} is free` };
  if (problem === 'EADDRINUSE') {
    if (await isOurs(address)) return { check, state: 'ok', detail: `a madeleine server answers at ${address}` };
    const mend = `stop what listens there, or choose another address with ${flag}`;
    return { check, state: 'problem', detail: `${address} is taken by another program`, mend };
  }
  const mend = `choose an address of this machine that you may listen on with ${flag}`;
  return { check, state: 'problem', detail: `cannot listen at ${address} (${problem})`, mend };
}

/** Asks for the health of a service of ours; a server that does not know it answers NOT_FOUND. */
async function answersGrpc(address: string): Promise<boolean> {
  const channel = createChannel(address);
  try {
    const health = createClient(HealthDefinition, channel);
    const request = { service: 'madeleine.v1.EventService' };
    await health.check(request, { signal: AbortSignal.timeout(ANSWER_MS) });
    return true;
  } catch {
    return false;
  } finally {
    channel.close();
  }
}

async function answersHttp(address: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${address}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) });
    return (await response.text()).includes('madeleine_');
  } catch {
    return false;
  }
}
