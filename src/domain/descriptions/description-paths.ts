// What identifies the events of a topic: the paths whose values make the description of every payload, so that an event
// with the same values has occurred already.

import { fieldInvalid, MadeleineError } from '../errors.js';
import { isWithin, type JsonPath, parsePointer, pointerOf } from '../json/json-path.js';
import { bounded, checkedLeaves, type Description } from './description.js';
import { type Shape, shapeOf } from './shape.js';

/** Paths that a topic may have. */
export const MAX_DESCRIPTION_PATHS = 16;
const MAX_POINTER_BYTES = 1_024;

export class DescriptionPaths {
  readonly #paths: readonly JsonPath[];

  /** Takes paths of which none is empty and none goes on from another; at least one for `describe` and `shape`. */
  constructor(paths: readonly JsonPath[]) {
    this.#paths = paths;
  }

  /** The paths as JSON Pointers, in the order given. */
  get pointers(): readonly string[] {
    return this.#paths.map(pointerOf);
  }

  /** The shape of descriptions of payloads that have an object at no path. */
  get shape(): Shape {
    return shapeOf(this.#paths);
  }

  /**
   * The description of the JSON payload: its leaves at and below each path. A path that leads to an object takes all of it,
   * so another payload with one member more there is another event. FIELD_INVALID under `field` for a payload that has
   * nothing at a path, breaks the limits of what can be indexed, or gives a description of more than 16 KiB.
   */
  describe(payload: Uint8Array, field: string): Description {
    const leaves = checkedLeaves(payload, field);
    for (const path of this.#paths) {
      if (leaves.some((leaf) => isWithin(leaf.path, path))) continue;
      throw fieldInvalid(field, `has nothing at ${pointerOf(path)}, which identifies the events of its topic`);
    }
    const chosen = leaves.filter((leaf) => this.#paths.some((path) => isWithin(leaf.path, path)));
    return bounded(chosen, field);
  }

  /** Describes a JSON payload as `describe` does; undefined for one that gives no description. */
  describeIfItCan(payload: Uint8Array): Description | undefined {
    try {
      return this.describe(payload, 'payload');
    } catch (error) {
      if (error instanceof MadeleineError) return undefined;
      throw error;
    }
  }
}

/**
 * The paths of a topic, each a JSON Pointer such as `/order/id` whose parts are keys of objects. FIELD_INVALID under
 * `field[i]` for one that is none, leads to the whole payload, or overlaps another.
 */
export function parseDescriptionPaths(pointers: readonly string[], field: string): DescriptionPaths {
  if (pointers.length > MAX_DESCRIPTION_PATHS) {
    throw fieldInvalid(field, `has more than ${MAX_DESCRIPTION_PATHS} paths`);
  }
  const paths: JsonPath[] = [];
  for (const [index, pointer] of pointers.entries()) paths.push(checkedPath(pointer, paths, `${field}[${index}]`));
  return new DescriptionPaths(paths);
}

function checkedPath(pointer: string, earlier: readonly JsonPath[], field: string): JsonPath {
  if (Buffer.byteLength(pointer) > MAX_POINTER_BYTES) {
    throw fieldInvalid(field, `has more than ${MAX_POINTER_BYTES} bytes`);
  }
  const path = parsePointer(pointer);
  if (path === undefined) throw fieldInvalid(field, 'is not a JSON Pointer such as /order/id');
  if (path.length === 0) throw fieldInvalid(field, 'leads to the whole payload');
  const other = earlier.find((one) => isWithin(one, path) || isWithin(path, one));
  if (other !== undefined) throw fieldInvalid(field, `overlaps ${pointerOf(other)}`);
  return path;
}
