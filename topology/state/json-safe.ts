/**
 * Whether a value comes back from JSON as it was: state and records are JSON, so a Date, a Map or NaN would come back as something else.
 * A property that is undefined is as good as one that is not there.
 */
export interface JsonProblem {
  /** JSON pointer into the value. */
  readonly pointer: string;
  readonly found: string;
}

export function jsonProblem(value: unknown, pointer = ''): JsonProblem | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { pointer, found: String(value) };
    case 'object':
      return value === null ? undefined : partsProblem(value, pointer);
    default:
      return { pointer, found: `a ${typeof value}` };
  }
}

function partsProblem(value: object, pointer: string): JsonProblem | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  const plain = prototype === null || Array.isArray(value) || Object.getPrototypeOf(prototype) === null;
  if (!plain) {
    return { pointer, found: `a ${value.constructor.name}` };
  }
  for (const [key, part] of Object.entries(value)) {
    const problem = jsonProblem(part, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
