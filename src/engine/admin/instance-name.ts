// What an instance is called, and which of its runs it is: both are in the id of a run.

/** An id of storage/instance/instance-run.ts: the name, and the digits of the run. */
const KEPT = /^(.*):(\d+)$/s;

export interface InstanceName {
  readonly name: string;
  /** Number of the run, from 1; 0 where the id is of this run alone. */
  readonly startNumber: number;
}

export function instanceName(id: string): InstanceName {
  const [, name = id, run = '0'] = KEPT.exec(id) ?? [];
  return { name, startNumber: Number(run) };
}
