/**
 * Examples of the results of key functions. Functions cannot be compared, but a function that
 * returns another key for the element in the checkpoint would look for its state under keys that do
 * not exist.
 *
 * An example is ignored if the nodes before the function changed, or if the function throws for the
 * old element: then the elements themselves have another form now.
 */
import { kibi } from '../../schemas/kernel/bytes.ts';
import { encodeKey, type Key } from '../../schemas/kernel/key.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindNamed, kindOf } from '../operators/kinds.ts';
import type { Topology } from '../plan/plan.ts';
import { definitionsOf } from './definition.ts';
import type { KeyExample, Manifest } from './manifest.ts';
import type { Misfit } from './restore-rules.ts';

/** An element that a checkpoint keeps as an example of what a key function gave, as JSON. */
const keyExampleMaxChars = 16 * kibi;

/** The key functions of a node, by input. */
export function keySlotsOf(node: PlanNode): readonly string[] {
  return kindOf(node).keySlots ?? [];
}

/**
 * Undefined for an element that the function refuses, that is too large to keep, or that is not
 * JSON.
 */
export function takeExample(
  topology: Topology,
  node: string,
  slot: string,
  value: unknown,
): KeyExample | undefined {
  const key = keyBy(topology, node, slot, value);
  if (key === undefined) return undefined;
  try {
    const text = JSON.stringify(value);
    if (text.length > keyExampleMaxChars) return undefined;
    return { slot, value: JSON.parse(text) as unknown, key };
  } catch {
    return undefined;
  }
}

function keyBy(topology: Topology, node: string, slot: string, value: unknown): string | undefined {
  try {
    return encodeKey(
      (topology.resolve(node, slot) as ((of: unknown) => Key) | undefined)?.(value) as Key,
    );
  } catch {
    return undefined;
  }
}

/** The nodes whose key functions give other keys than when the checkpoint was taken. */
export function keyMisfits(
  { stateful, keyExamples, drained }: Manifest,
  topology: Topology,
  drop: ReadonlySet<string>,
): readonly Misfit[] {
  if (drained === true) return [];
  const definitions = definitionsOf(topology.plan);
  return stateful.flatMap(({ id, kind, definition }): readonly Misfit[] => {
    const examples = Object.hasOwn(keyExamples, id) ? (keyExamples[id] ?? []) : [];
    if (drop.has(id) || topology.plan.nodes.find((node) => node.id === id)?.kind !== kind)
      return [];
    return examples.flatMap(({ slot, value, key }): readonly Misfit[] => {
      const input = Math.max(0, kindNamed(kind)?.keySlots?.indexOf(slot) ?? 0);
      if (definition?.inputs[input]?.path !== definitions.get(id)?.inputs[input]?.path) return [];
      const now = keyBy(topology, id, slot, value);
      if (now === undefined || now === key) return [];
      const why = 'its state is kept under the old keys';
      const [was, is] =
        typeOf(key) === typeOf(now)
          ? [typeOf(key), 'another one for the same element']
          : [typeOf(key), typeOf(now)];
      return [{ node: id, kind, option: slot, was, is, why, drop: id }];
    });
  });
}

function typeOf(key: string): string {
  const types: Readonly<Record<string, string>> = {
    s: 'a string',
    n: 'a number',
    b: 'a boolean',
    t: 'a tuple',
  };
  return types[key.charAt(0)] ?? 'a key';
}
