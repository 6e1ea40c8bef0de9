// Who this instance is to the others: by the name that its data directory keeps, or, where it keeps none, for this run only.

import { randomUUID } from 'node:crypto';
import { InstanceRun } from '../storage/instance/instance-run.js';
import type { EndedRuns, Instance } from '../storage/ports/log-storage.js';
import type { Started } from './started.js';
import type { Surroundings } from './surroundings.js';

export interface OwnInstance {
  readonly instance: Instance;
  /** Former runs of it; undefined: none is known to have ended. */
  readonly endedRuns: EndedRuns | undefined;
}

/** Begins a run of this instance; the database has to be open. */
export async function beginRun({ config, logger }: Surroundings, started: Started): Promise<OwnInstance> {
  const { advertise, listen, dataDir, databaseUrl } = config;
  const address = advertise || listen;
  try {
    const run = await InstanceRun.begin(dataDir, databaseUrl === '' ? 'inside' : 'elsewhere');
    started.add('instance name', () => run.release());
    return { instance: { id: run.id, address }, endedRuns: run.endedRuns };
  } catch (error) {
    // It serves as well without: after a crash its consumers are taken over when their leases have run out.
    logger.debug({ err: error, dataDir }, 'the data directory keeps no name of this instance');
    return { instance: { id: randomUUID(), address }, endedRuns: undefined };
  }
}
