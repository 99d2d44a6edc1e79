/**
 * Where an element is from: which of the elements of its event it is, what tells it from all
 * others, and what a snapshot has of it.
 *
 * Invariants:
 * 1. Elements of one event that reach one operator have different `element`s, the same ones
 *    whenever the event is read again.
 * 2. Elements that reach one operator have different identities; one that is made again, of the
 *    same records, has the one it had. It says nothing of values: an answer of a look-up, or the
 *    time, may be another one then.
 * 3. In a snapshot the bytes are base64, everything else is as it is.
 */
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import type { Derivation, Identity, Origin, Provenance } from '../nodes/sink.ts';

/**
 * The origin of number `index` of several elements that are made of one, by a node that has `level`
 * such nodes before it on its longest way. The first keeps the origin as it is: most lists have
 * one.
 */
export function siblingOf(
  origin: Provenance | undefined,
  level: number,
  index: number,
): Provenance | undefined {
  if (origin === undefined || index === 0) return origin;
  return withElement(origin, elementAt(origin.element, level, index));
}

/** The same origin, of another element of its event. */
export function withElement(origin: Provenance, element: string): Provenance {
  if (origin.derived !== undefined) return { derived: origin.derived, element };
  const { stream, path, split, splitKey, position, attributes, data, inexact } = origin;
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

/** Undefined where it is not known. No two forms are alike: they differ in what is at 0 and 1. */
export function identityOf(origin: Provenance | undefined): Identity | undefined {
  if (origin === undefined) return undefined;
  const { derived, element } = origin;
  if (derived !== undefined)
    return element === undefined ? derivedIdentity(derived) : [derivedIdentity(derived), element];
  const { stream, path, split, position } = origin;
  return element === undefined
    ? [stream, path, split, position]
    : [stream, path, split, position, element];
}

function derivedIdentity(derived: Derivation): Identity {
  switch (derived.kind) {
    case 'pane':
      return [derived.node, derived.era, derived.key, derived.start, derived.end, derived.firing];
    case 'pair':
      return derived.right === undefined
        ? [derived.node, derived.left]
        : [derived.node, derived.left, derived.right];
    case 'timer':
      return [derived.node, derived.era, derived.domain, derived.key, derived.by];
    case 'kept':
      return derived.identity;
  }
}

export type EncodedOrigin =
  | (Omit<Origin, 'data' | 'derived'> & { readonly data: string })
  | { readonly identity: Identity; readonly element?: string };

export function encodeOrigin(origin: Provenance): EncodedOrigin {
  const { derived, element } = origin;
  if (derived !== undefined)
    return { identity: derivedIdentity(derived), ...(element === undefined ? {} : { element }) };
  const { data } = origin;
  return { ...origin, data: bufferOf(data).toString('base64') };
}

export function decodeOrigin(encoded: EncodedOrigin): Provenance {
  if ('identity' in encoded) {
    const { identity, element } = encoded;
    return { derived: { kind: 'kept', identity }, ...(element === undefined ? {} : { element }) };
  }
  return { ...encoded, data: new Uint8Array(Buffer.from(encoded.data, 'base64')) };
}
