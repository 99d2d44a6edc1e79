/**
 * Which parts of a bundle the functions of a topology's nodes can come to: the function itself, and
 * all that the names in it stand for, and so on. Pure.
 *
 * What is passed around as data (a function in an array that something else fills) is not followed:
 * what no function seems to come to may still be called.
 */
import type { Declaration, Range, Reference, ScriptTree } from './script-tree.ts';
import { firstFrom, isFunction } from './script-tree.ts';

/** A function of a node, by the text that JavaScript has of it. */
export interface SlotText {
  readonly node: string;
  readonly slot: string;
  readonly text: string;
}

export interface SlotFunction extends SlotText {
  /** The functions of this text, of which it is one. */
  readonly functions: readonly Range[];
  /** All that it can come to, itself among it: apart from each other, in their order. */
  readonly ranges: readonly Range[];
}

export function slotFunctions(
  tree: ScriptTree,
  slots: readonly SlotText[],
): readonly SlotFunction[] {
  const byText = functionsByText(tree, new Set(slots.map(({ text }) => text.length)));
  return slots.map((slot) => {
    const functions = byText.get(slot.text) ?? [];
    return {
      ...slot,
      functions,
      ranges: united(functions.flatMap((range) => rangesFrom(tree, range))),
    };
  });
}

/** Whether an offset is in one of `ranges`, which are apart and in their order. */
export function isWithin(offset: number, ranges: readonly Range[]): boolean {
  const range = ranges[firstFrom(ranges, offset + 1, ({ start }) => start) - 1];
  return range !== undefined && offset < range.end;
}

function united(ranges: readonly Range[]): readonly Range[] {
  const apart: Range[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = apart.at(-1);
    if (last === undefined || range.start >= last.end) apart.push(range);
    else if (range.end > last.end) apart.splice(-1, 1, { start: last.start, end: range.end });
  }
  return apart;
}

/**
 * Those of a text that has one of `lengths`. A method's text begins with its name, and so does the
 * property that has it.
 */
function functionsByText(
  { text, nodes }: ScriptTree,
  lengths: ReadonlySet<number>,
): ReadonlyMap<string, readonly Range[]> {
  const found = new Map<string, Range[]>();
  for (const { node, parent } of nodes) {
    if (!isFunction(node)) continue;
    const within = parent?.node;
    const isMethod =
      (within?.type === 'Property' && (within.method || within.kind !== 'init')) ||
      within?.type === 'MethodDefinition';
    const range = isMethod ? within : node;
    if (!lengths.has(range.end - range.start)) continue;
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
  const startOf = ({ at }: Reference): number => at.node.start;
  return references.slice(
    firstFrom(references, start, startOf),
    firstFrom(references, end, startOf),
  );
}
