// What an event says about its entity: the one map between names and the wire's numbers, which are stored.

export const Subject = {
  CREATE: 1,
  UPDATE: 2,
  DELETE: 3,
  CREATED: 4,
  UPDATED: 5,
  DELETED: 6,
  ENABLE: 7,
  ENABLED: 8,
  DISABLE: 9,
  DISABLED: 10,
  ERROR: 11,
  SUCCESS: 12,
  REPORT: 13,
} as const;

const NAMES = new Map<number, string>(Object.entries(Subject).map(([name, number]) => [number, name]));

/** The name of a subject; undefined for a number that is none, such as 0, which means not set. */
export function subjectName(number: number): string | undefined {
  return NAMES.get(number);
}
