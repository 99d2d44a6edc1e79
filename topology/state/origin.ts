/**
 * An element's origin: which of the elements of its event it is, and what a snapshot has of it.
 *
 * Invariants:
 * 1. Elements of one event that reach one operator have different `element`s, the same ones whenever the event is read again.
 * 2. In a snapshot the bytes are base64, everything else is as it is.
 */
import type { Origin } from '../graph/sink.ts';

/**
 * The origin of number `index` of several elements that are made of one, by a node that has `level` such nodes before it on its longest way. The first
 * keeps the origin as it is: most lists have one.
 */
export function siblingOf(origin: Origin | undefined, level: number, index: number): Origin | undefined {
  if (origin === undefined || index === 0) return origin;
  const { stream, path, split, splitKey, position, attributes, data, inexact } = origin;
  const element = elementAt(origin.element, level, index);
  const sibling: Origin = { stream, path, split, splitKey, position, attributes, data, element };
  return inexact === undefined ? sibling : { ...sibling, inexact };
}

function elementAt(before: string | undefined, level: number, index: number): string {
  if (level === 0) return String(index);
  const numbers = before === undefined ? [] : before.split('.');
  while (numbers.length < level) numbers.push('0');
  numbers.push(String(index));
  return numbers.join('.');
}

export type EncodedOrigin = Omit<Origin, 'data'> & { readonly data: string };

export function encodeOrigin(origin: Origin): EncodedOrigin {
  const { data } = origin;
  return { ...origin, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') };
}

export function decodeOrigin(encoded: EncodedOrigin): Origin {
  return { ...encoded, data: new Uint8Array(Buffer.from(encoded.data, 'base64')) };
}
