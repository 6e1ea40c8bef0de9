// Values of enums as people read and write them.

/** Returns `by-stream` for `BY_STREAM` of the enum whose names begin with `ORDERING_`; a number of a newer server stays a number. */
export function enumText(names: Readonly<Record<number, string>>, prefix: string, value: number): string {
  const name = names[value];
  return name === undefined ? String(value) : name.slice(prefix.length).toLowerCase().replaceAll('_', '-');
}
