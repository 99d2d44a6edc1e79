/**
 * Describes what a function did that tried to change a shared value: V8 puts the property into the
 * message of a TypeError, and if the function's input has only one property of that name, its place
 * is known as well.
 */
import { pointerPart } from '../../schemas/json-pointer.ts';
import { limits } from '../../schemas/limits.ts';

export interface ChangedValue {
  readonly message: string;
  /**
   * JSON pointer into the first of the given values; null where the place is not known, or in
   * another.
   */
  readonly pointer: string | null;
}

const triedChanges = [
  /^Cannot assign to read only property '(?<property>.*)' of object '(?<holder>.*)'$/s,
  /^Cannot delete property '(?<property>.*)' of (?<holder>.*)$/s,
  /^Cannot redefine property: (?<property>.*)$/s,
  // It is not there: there is no place to look for.
  /^Cannot (?:add|define) property (?<added>.*), object is not extensible$/s,
  /^#<Object> is not extensible$/,
];

/** Undefined when `thrown` is something else. `given`: what the function was given. */
export function changedValue(thrown: unknown, given: readonly unknown[]): ChangedValue | undefined {
  if (!(thrown instanceof TypeError)) return undefined;
  const { message } = thrown;
  for (const pattern of triedChanges) {
    const groups = pattern.exec(message)?.groups;
    if (groups === undefined) continue;
    const { property, holder, added } = groups;
    // Two sides of a join may be one object.
    const places =
      property === undefined
        ? []
        : [...new Set(given)].map((value) => placesOf(value, property, holder));
    const all = places.flat();
    const place = all.length === 1 ? all[0] : undefined;
    const at = place === undefined ? '' : ` at '${place}'`;
    const name = property ?? added ?? '__proto__';
    return {
      message: `the function changes '${name}'${at} of a value that other functions share; copy it first, as in { ...value } or [...list]`,
      pointer: place !== undefined && places[0]?.length === 1 ? place : null,
    };
  }
  return undefined;
}

/** JSON pointers to the members called `property` of frozen objects. */
function placesOf(value: unknown, property: string, holder: string | undefined): readonly string[] {
  const inList = holder === undefined ? undefined : holder === '[object Array]';
  const places: string[] = [];
  let partsLeft = limits.valueMaxParts;
  const look = (at: unknown, pointer: string, depth: number): void => {
    if (typeof at !== 'object' || at === null || depth === 0) return;
    for (const [name, part] of Object.entries(at)) {
      if (--partsLeft < 0) return;
      const place = `${pointer}/${pointerPart(name)}`;
      if (name === property && Object.isFrozen(at) && inList !== !Array.isArray(at))
        places.push(place);
      look(part, place, depth - 1);
    }
  };
  look(value, '', limits.valueDepthMax);
  return places;
}
