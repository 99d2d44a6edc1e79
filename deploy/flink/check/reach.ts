/**
 * Which parts of a bundle the functions of a topology's nodes can come to: the function itself, and
 * all that the names in it stand for, and so on. Pure.
 *
 * What is passed around as data (a function in an array that something else fills) is not followed:
 * what no function seems to come to may still be called.
 */
import type { Declaration, Range, Reference, ScriptTree } from './script-tree.ts';
import { isFunction } from './script-tree.ts';

/** A function of a node, by the text that JavaScript has of it. */
export interface SlotText {
  readonly node: string;
  readonly slot: string;
  readonly text: string;
}

export interface SlotFunction extends SlotText {
  /** The functions of this text, of which it is one. */
  readonly functions: readonly Range[];
  /** All that it can come to, itself among it. */
  readonly ranges: readonly Range[];
}

export function slotFunctions(
  tree: ScriptTree,
  slots: readonly SlotText[],
): readonly SlotFunction[] {
  const byText = functionsByText(tree);
  return slots.map((slot) => {
    const functions = byText.get(slot.text) ?? [];
    return { ...slot, functions, ranges: functions.flatMap((range) => rangesFrom(tree, range)) };
  });
}

/** Whether an offset is in one of `ranges`. */
export function isWithin(offset: number, ranges: readonly Range[]): boolean {
  return ranges.some(({ start, end }) => start <= offset && offset < end);
}

/** A method's text begins with its name, and so does the property that has it. */
function functionsByText({ text, nodes }: ScriptTree): ReadonlyMap<string, readonly Range[]> {
  const found = new Map<string, Range[]>();
  for (const { node, parent } of nodes) {
    if (!isFunction(node)) continue;
    const within = parent?.node;
    const isMethod =
      (within?.type === 'Property' && (within.method || within.kind !== 'init')) ||
      within?.type === 'MethodDefinition';
    const range = isMethod ? within : node;
    const source = text.slice(range.start, range.end);
    const same = found.get(source) ?? [];
    same.push({ start: range.start, end: range.end });
    found.set(source, same);
  }
  return found;
}

function rangesFrom(tree: ScriptTree, first: Range): readonly Range[] {
  const ranges: Range[] = [];
  const followed = new Set<Declaration>();
  const open: Range[] = [first];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    if (isWithin(range.start, ranges)) continue;
    ranges.push(range);
    for (const { declaration } of referencesIn(tree, range)) {
      if (declaration === undefined || followed.has(declaration)) continue;
      followed.add(declaration);
      open.push(...declaration.values);
    }
  }
  return ranges;
}

function referencesIn({ references }: ScriptTree, { start, end }: Range): readonly Reference[] {
  let [low, high] = [0, references.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((references[middle]?.at.node.start ?? 0) < start) low = middle + 1;
    else high = middle;
  }
  const found: Reference[] = [];
  for (let i = low; i < references.length; i++) {
    const reference = references[i];
    if (reference === undefined || reference.at.node.start >= end) break;
    found.push(reference);
  }
  return found;
}
