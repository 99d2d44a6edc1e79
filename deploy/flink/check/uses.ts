/**
 * Finds in a bundle what a Flink job's engine does not have, or does otherwise. Pure.
 */
import type { AnyNode } from 'acorn';
import type { DifferenceName } from './differences.ts';
import {
  dateTextMethods,
  differingMath,
  iteratorMethods,
  languageGlobals,
  localeMethods,
  localTimeMethods,
  newerGlobals,
  newerMethods,
  newerSetMethods,
  newerStatics,
  samePowers,
} from './differences.ts';
import type { Reference, ScriptTree, TreeNode } from './script-tree.ts';
import { around, isFunction } from './script-tree.ts';

export interface Use {
  readonly difference: DifferenceName;
  /** As it is written. */
  readonly found: string;
  readonly at: AnyNode;
}

type Found = readonly (readonly [difference: DifferenceName, found: string])[];

const none: Found = [];

/** In the order of their places. */
export function usesIn(tree: ScriptTree): readonly Use[] {
  const names = new Map(tree.references.map((reference) => [reference.at.node, reference]));
  const known = namesKnown(tree);
  return tree.nodes.flatMap((at) => {
    const reference = names.get(at.node);
    const found =
      reference === undefined ? partUses(tree, at, known) : nameUses(reference, tree, known);
    return found.map(([difference, text]): Use => ({ difference, found: text, at: at.node }));
  });
}

interface Known {
  /** Names after `typeof`: who asks does without. */
  readonly asked: ReadonlySet<string>;
  /** What the bundle's own objects and classes call their members. */
  readonly own: ReadonlySet<string>;
}

function namesKnown({ nodes }: ScriptTree): Known {
  const asked = new Set<string>();
  const own = new Set<string>();
  for (const { node } of nodes) {
    if (node.type === 'UnaryExpression' && node.operator === 'typeof') {
      const name = globalName(node.argument);
      if (name !== undefined) asked.add(name);
    }
    if (node.type === 'Property' || node.type === 'MethodDefinition') {
      const name = node.key.type === 'Identifier' ? node.key.name : undefined;
      if (name !== undefined && isFunction(node.value)) own.add(name);
    }
  }
  return { asked, own };
}

/** `process` and `globalThis.process`. */
function globalName(node: AnyNode): string | undefined {
  if (node.type === 'Identifier') return node.name;
  const isGlobal =
    node.type === 'MemberExpression' &&
    node.object.type === 'Identifier' &&
    node.object.name === 'globalThis';
  return isGlobal ? memberName(node) : undefined;
}

/** Of `a.b` and `a['b']`. */
function memberName(node: AnyNode): string | undefined {
  if (node.type !== 'MemberExpression') return undefined;
  const { property, computed } = node;
  if (!computed) return property.type === 'Identifier' ? property.name : undefined;
  return property.type === 'Literal' && typeof property.value === 'string'
    ? property.value
    : undefined;
}

function nameUses({ name, at, declaration }: Reference, tree: ScriptTree, known: Known): Found {
  if (declaration !== undefined) return none;
  if (name !== 'globalThis') return globalUses(name, at, tree, known);
  const inner =
    at.parent?.node.type === 'MemberExpression' ? memberName(at.parent.node) : undefined;
  return inner === undefined || at.parent === undefined
    ? none
    : globalUses(inner, at.parent, tree, known);
}

/** Of something that nothing in the bundle declares. */
function globalUses(name: string, at: TreeNode, tree: ScriptTree, { asked }: Known): Found {
  const within = at.parent?.node;
  if (within?.type === 'UnaryExpression' && within.operator === 'typeof') return none;
  const member = within?.type === 'MemberExpression' && within.object === at.node;
  const parts = member ? listed(memberName(within)) : destructured(at);
  if (newerGlobals.has(name)) return [['newer', name]];
  if (!languageGlobals.has(name)) return [[asked.has(name) ? 'guarded-global' : 'global', name]];
  const statics = parts.map((part) => `${name}.${part}`);
  const newer: Found = statics
    .filter((text) => newerStatics.has(text))
    .map((text) => ['newer', text] as const);
  switch (name) {
    case 'Math':
      return [...newer, ...mathUses(member, parts)];
    case 'Intl':
      return [['intl', member ? (statics[0] ?? name) : name]];
    case 'Date':
      return dateUses(at, parts);
    case 'RegExp':
      return [...newer, ...regexpUses(tree, at)];
    default:
      return newer;
  }
}

const listed = (name: string | undefined): readonly string[] => (name === undefined ? [] : [name]);

/** `const { sin } = Math` */
function destructured({ node, parent }: TreeNode): readonly string[] {
  const within = parent?.node;
  if (within?.type !== 'VariableDeclarator' || within.init !== node) return [];
  if (within.id.type !== 'ObjectPattern') return [];
  return within.id.properties.flatMap((property) =>
    property.type === 'Property' && property.key.type === 'Identifier' ? [property.key.name] : [],
  );
}

function mathUses(isMember: boolean, parts: readonly string[]): Found {
  if (parts.length === 0)
    return isMember ? [['math-value', 'Math[...]']] : [['math-value', 'Math']];
  return parts.flatMap((part): Found => {
    if (part === 'random') return [['random', 'Math.random']];
    return differingMath.has(part) ? [['math', `Math.${part}`]] : none;
  });
}

function dateUses({ node, parent }: TreeNode, parts: readonly string[]): Found {
  if (parts.includes('now')) return [['clock', 'Date.now()']];
  const within = parent?.node;
  if (within?.type === 'CallExpression' && within.callee === node) return [['clock', 'Date()']];
  if (within?.type !== 'NewExpression' || within.callee !== node) return none;
  if (within.arguments.length === 0) return [['clock', 'new Date()']];
  return within.arguments.length === 1 ? none : [['local-time', 'new Date(year, month, ...)']];
}

/** `RegExp('...', 'v')`, with or without `new`. */
function regexpUses(tree: ScriptTree, { node, parent }: TreeNode): Found {
  const within = parent?.node;
  if (within?.type !== 'NewExpression' && within?.type !== 'CallExpression') return none;
  if (within.callee !== node) return none;
  const [, flags] = within.arguments;
  const isText = flags?.type === 'Literal' && typeof flags.value === 'string';
  return patternUses(isText ? `${flags.value}` : '', tree.text.slice(within.start, within.end));
}

function patternUses(flags: string, found: string): Found {
  const shown = found.length > 60 ? `${found.slice(0, 60)}...` : found;
  return flags.includes('v') ? [['newer', `${shown} with the flag v`]] : none;
}

/** Of what is not a name. */
function partUses(tree: ScriptTree, at: TreeNode, known: Known): Found {
  const { node } = at;
  switch (node.type) {
    case 'CallExpression':
      return [...callUses(tree, node, known), ...textUses(tree, calledWith(node))];
    case 'MemberExpression':
      return caughtUses(tree, node);
    case 'BinaryExpression':
      return operatorUses(tree, node);
    case 'AssignmentExpression':
      return node.operator === '**=' ? [['math', '**=']] : none;
    case 'TemplateLiteral':
      return node.expressions.flatMap((part) => textUses(tree, part));
    case 'Literal':
      return node.regex === undefined || node.regex === null
        ? none
        : patternUses(node.regex.flags, node.raw ?? '');
    case 'MetaProperty':
      return node.meta.name === 'import' ? [['module', 'import.meta']] : none;
    case 'ImportExpression':
      return [['module', 'import()']];
    case 'AwaitExpression':
      return isInFunction(at) ? none : [['top-await', 'await']];
    case 'ForOfStatement':
      return node.await && !isInFunction(at) ? [['top-await', 'for await']] : none;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return node.async ? [['async', 'this function']] : none;
    default:
      return none;
  }
}

const isInFunction = (at: TreeNode): boolean =>
  around(at, ({ node }) => isFunction(node)) !== undefined;

type Call = Extract<AnyNode, { type: 'CallExpression' }>;

/** Of `x.name(...)`. */
function callUses(tree: ScriptTree, call: Call, { own }: Known): Found {
  const { callee } = call;
  const name = memberName(callee);
  if (callee.type !== 'MemberExpression' || name === undefined) return none;
  const shown = `.${name}()`;
  if (name === 'toString' && isDate(tree, callee.object)) return [['date-text', shown]];
  const isOwn = own.has(name);
  if (localeMethods.has(name) && !isOwn) return [['locale', shown]];
  if (dateTextMethods.has(name) && !isOwn) return [['date-text', shown]];
  if (localTimeMethods.has(name) && !isOwn) return [['local-time', shown]];
  const isNewer =
    (newerMethods.has(name) && !isOwn) ||
    (newerSetMethods.has(name) && isMadeBy(tree, callee.object, 'Set')) ||
    (iteratorMethods.has(name) && isIterator(callee.object));
  const newer: Found = isNewer ? [['newer', shown]] : none;
  const isSort = name === 'sort' || name === 'toSorted';
  return isSort && isInconsistent(tree, call.arguments[0])
    ? [...newer, ['comparator', shown]]
    : newer;
}

/** `map.values().map(...)`; `Object.values(x)` is an array. */
function isIterator(node: AnyNode): boolean {
  if (node.type !== 'CallExpression' || node.callee.type !== 'MemberExpression') return false;
  const { object } = node.callee;
  const isObject = object.type === 'Identifier' && object.name === 'Object';
  return (
    !isObject && ['keys', 'values', 'entries', 'matchAll'].includes(memberName(node.callee) ?? '')
  );
}

/** Whether a comparator says true or false, or draws what it says. */
function isInconsistent(tree: ScriptTree, comparator: AnyNode | undefined): boolean {
  const made = comparator === undefined ? undefined : valueOf(tree, comparator);
  if (made === undefined || !isFunction(made)) return false;
  const isDrawn = tree.text.slice(made.start, made.end).includes('Math.random');
  return isDrawn || returnsOf(tree, made).some(isTruth);
}

function isTruth(node: AnyNode): boolean {
  if (node.type === 'UnaryExpression') return node.operator === '!';
  return (
    node.type === 'BinaryExpression' &&
    ['<', '>', '<=', '>=', '==', '===', '!=', '!=='].includes(node.operator)
  );
}

type AnyFunction = Extract<
  AnyNode,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
>;

/** What a function returns, as it is written; not what functions inside it do. */
export function returnsOf(tree: ScriptTree, made: AnyFunction): readonly AnyNode[] {
  if (made.body.type !== 'BlockStatement') return [made.body];
  return tree.within(made).flatMap((at) => {
    const { node } = at;
    if (node.type !== 'ReturnStatement' || node.argument === null || node.argument === undefined)
      return [];
    return around(at, ({ node: outer }) => isFunction(outer))?.node === made ? [node.argument] : [];
  });
}

/** What a name stands for, where that is one value; another node is itself. */
export function valueOf({ declarationOf }: ScriptTree, node: AnyNode): AnyNode {
  let found = node;
  // Names of names end: each is declared by another one.
  for (let hops = 0; found.type === 'Identifier' && hops < 8; hops++) {
    const declaration = declarationOf(found);
    const [only, ...more] = declaration?.values ?? [];
    if (only === undefined || more.length > 0 || declaration?.isWhole !== true) return found;
    found = only;
  }
  return found;
}

/** Whether it is `new name(...)`, or a name of that. */
export function isMadeBy(tree: ScriptTree, node: AnyNode, name: string): boolean {
  const made = valueOf(tree, node);
  return (
    made.type === 'NewExpression' &&
    made.callee.type === 'Identifier' &&
    made.callee.name === name &&
    tree.declarationOf(made.callee) === undefined
  );
}

const isDate = (tree: ScriptTree, node: AnyNode): boolean => isMadeBy(tree, node, 'Date');

/** What `String(...)` makes a text of. */
function calledWith({ callee, arguments: [first] }: Call): AnyNode | undefined {
  return callee.type === 'Identifier' && callee.name === 'String' ? first : undefined;
}

/** Of a value that becomes text. */
function textUses(tree: ScriptTree, node: AnyNode | undefined): Found {
  if (node === undefined) return none;
  if (isDate(tree, node)) return [['date-text', 'the text of a Date']];
  const isCaught = node.type === 'Identifier' && tree.declarationOf(node)?.kind === 'caught';
  return isCaught ? [['error-text', `the text of ${node.name}`]] : none;
}

function operatorUses(
  tree: ScriptTree,
  { operator, left, right }: Extract<AnyNode, { type: 'BinaryExpression' }>,
): Found {
  if (operator === '**')
    return right.type === 'Literal' && samePowers.has(right.value) ? none : [['math', '**']];
  if (operator !== '+') return none;
  const parts = [left, right];
  const isText = parts.some(
    (part) =>
      part.type === 'TemplateLiteral' ||
      (part.type === 'Literal' && typeof part.value === 'string'),
  );
  return isText ? parts.flatMap((part) => textUses(tree, part)) : none;
}

/** `caught.message` and `caught.stack`. */
function caughtUses(
  { declarationOf }: ScriptTree,
  node: Extract<AnyNode, { type: 'MemberExpression' }>,
): Found {
  const name = memberName(node);
  if (node.object.type !== 'Identifier' || (name !== 'message' && name !== 'stack')) return none;
  const isCaught = declarationOf(node.object)?.kind === 'caught';
  return isCaught ? [['error-text', `${node.object.name}.${name}`]] : none;
}
