/**
 * Values of a graph's answer as JSON-safe ones: nodes and edges by label and properties, times as
 * ISO 8601, bytes in base64. Pure.
 */

/** Places inside the database: they mean nothing to a reader, and change. */
const internal = new Set(['_id', '_src', '_dst', '_ID', '_SRC', '_DST']);

export function jsonValue(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : objectValue(value);
    default:
      return value;
  }
}

function objectValue(value: object): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(jsonValue);
  if (value instanceof Map)
    return [...value].map(([key, part]) => [jsonValue(key), jsonValue(part)]);
  const labelled = '_label' in value || '_LABEL' in value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !labelled || !internal.has(name))
      .map(([name, part]) => [name, jsonValue(part)]),
  );
}
