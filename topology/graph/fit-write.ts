/**
 * Checks whether a value is a write that fits a model. Everything that a database would fail on
 * must be found here: a failing chunk would be retried forever and block all later ones. Pure.
 */
import { pointerPart } from '../../schemas/json-pointer.ts';
import { isWellFormed } from '../../schemas/kernel/well-formed.ts';
import { limits } from '../../schemas/limits.ts';
import type { GraphModel, PropertyType, PropertyTypes } from './graph-model.ts';

export interface WriteProblem {
  readonly message: string;
  /** JSON pointer into the write. */
  readonly pointer: string;
}

const cellBytes = 8;

/**
 * The sizes in bytes, roughly, of all that an element means, or what is wrong with the first that
 * is not a write.
 */
export function fitWrites(model: GraphModel, value: unknown): readonly number[] | WriteProblem {
  if (!Array.isArray(value)) return problem('', 'a graph accepts an array of writes');
  const sizes: number[] = [];
  for (const [index, write] of value.entries()) {
    const fit = fitWrite(model, write);
    if (typeof fit !== 'number') return problem(`/${index}${fit.pointer}`, fit.message);
    sizes.push(fit);
  }
  return sizes;
}

/** The write's size in bytes, roughly, or why it is none. */
export function fitWrite(model: GraphModel, value: unknown): number | WriteProblem {
  if (!isRecord(value))
    return problem('', `a write must be made by the graph model, not ${shown(value)}`);
  const { props } = value;
  if (!isRecord(props))
    return problem('/props', `the properties of a write must be an object, not ${shown(props)}`);
  switch (value['kind']) {
    case 'node': {
      const label = value['label'];
      const node =
        typeof label === 'string' && Object.hasOwn(model.nodes, label)
          ? model.nodes[label]
          : undefined;
      if (node === undefined)
        return problem('/label', `${shown(label)} is not a label of the model`);
      return fitProps(node.props, [node.key], props, 0);
    }
    case 'edge': {
      const type = value['type'];
      const edge =
        typeof type === 'string' && Object.hasOwn(model.edges, type)
          ? model.edges[type]
          : undefined;
      if (edge === undefined)
        return problem('/type', `${shown(type)} is not an edge type of the model`);
      let bytes = 0;
      for (const end of ['from', 'to'] as const) {
        const node = model.nodes[edge[end]];
        const size = fitCell(node?.props[node.key] ?? 'string', value[end], true);
        if (typeof size === 'string') return problem(`/${end}`, size);
        bytes += size;
      }
      return fitProps(edge.props, edge.key, props, bytes);
    }
    default:
      return problem(
        '/kind',
        `a write must be of a node or an edge, not of ${shown(value['kind'])}`,
      );
  }
}

function fitProps(
  types: PropertyTypes,
  keys: readonly string[],
  props: Readonly<Record<string, unknown>>,
  before: number,
): number | WriteProblem {
  for (const key of keys)
    if (!Object.hasOwn(props, key)) return problem(`/props/${key}`, `the key '${key}' is missing`);
  let bytes = before;
  for (const [name, value] of Object.entries(props)) {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    if (type === undefined)
      return problem(`/props/${pointerPart(name)}`, `'${name}' is not a property of the model`);
    const size = fitCell(type, value, keys.includes(name));
    if (typeof size === 'string') return problem(`/props/${name}`, size);
    bytes += size;
  }
  if (bytes > limits.graphWriteMaxBytes)
    return problem('/props', `the write has ${bytes} bytes; at most ${limits.graphWriteMaxBytes}`);
  return bytes;
}

/** A cell's size, or why it is none of its type. */
function fitCell(type: PropertyType, value: unknown, key: boolean): number | string {
  if (value === null && !key) return cellBytes;
  switch (type) {
    case 'string': {
      if (typeof value !== 'string') return `must be a string, not ${shown(value)}`;
      if (!isWellFormed(value)) return 'must be valid Unicode, but has half a surrogate pair';
      const bytes = Buffer.byteLength(value);
      return key && bytes > limits.graphKeyMaxBytes
        ? `a key has at most ${limits.graphKeyMaxBytes} bytes, not ${bytes}`
        : bytes + cellBytes;
    }
    case 'integer':
      return Number.isSafeInteger(value)
        ? cellBytes
        : `must be an integer within 2^53, not ${shown(value)}`;
    case 'number':
      return Number.isFinite(value) ? cellBytes : `must be a finite number, not ${shown(value)}`;
    case 'boolean':
      return typeof value === 'boolean' ? cellBytes : `must be a boolean, not ${shown(value)}`;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const problem = (pointer: string, message: string): WriteProblem => ({ pointer, message });

function shown(value: unknown): string {
  if (typeof value === 'string')
    return `'${value.length > 60 ? `${value.slice(0, 60)}...` : value}'`;
  if (
    value === null ||
    typeof value === 'number' ||
    typeof value === 'boolean' ||
    value === undefined
  )
    return String(value);
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}
