/**
 * The syntax tree of a topology's bundle, with what each name in it stands for: a declaration of
 * the bundle, or something that the engine has to have. Pure.
 *
 * Invariants:
 * 1. `nodes` are in the order of their beginning, so that what is inside a node comes right after
 *    it.
 * 2. A name is told from another by the function or module that declares it. esbuild never gives an
 *    inner declaration the name of an outer one, so blocks need not be told apart.
 * 3. The time grows with the length of the script: nothing looks at all nodes for each of them.
 */
import type { AnyNode, Pattern } from 'acorn';
import { parse } from 'acorn';
import { present } from '../../../schemas/kernel/assert.ts';

/** A node, and what it is in. */
export interface TreeNode {
  readonly node: AnyNode;
  readonly parent: TreeNode | undefined;
  /** The property of the parent that has it. */
  readonly key: string;
  /** The nearest function, module, `catch` or class around it, in which names are declared. */
  readonly scope: TreeNode | undefined;
}

/** Offsets into the text: the first inside, the first after. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Declaration {
  readonly name: string;
  /** Whether it is its value, and not a part of it. */
  readonly isWhole: boolean;
  /** `caught`: what a `catch` is given. */
  readonly kind: 'value' | 'parameter' | 'caught' | 'import';
  /** What it is made of: its first value, and those that are assigned. */
  readonly values: AnyNode[];
}

export interface Reference {
  readonly name: string;
  readonly at: TreeNode;
  /** Undefined: nothing in the bundle declares it. */
  readonly declaration: Declaration | undefined;
}

export interface ScriptTree {
  readonly text: string;
  readonly nodes: readonly TreeNode[];
  /** In the order of their places. */
  readonly references: readonly Reference[];
  /** What the name at this node stands for; undefined: nothing in the bundle declares it. */
  readonly declarationOf: (node: AnyNode) => Declaration | undefined;
  /** Throws where the node is of another tree. */
  readonly placeOf: (node: AnyNode) => TreeNode;
  /** The nodes that begin in a part of the text, in their order. */
  readonly within: (range: Range) => readonly TreeNode[];
}

/**
 * Throws acorn's `SyntaxError`: what esbuild wrote is always one module, but it may nest deeper than
 * the stack allows.
 */
export function scriptTree(text: string): ScriptTree {
  const program = parse(text, { ecmaVersion: 'latest', sourceType: 'module', locations: true });
  const nodes = flatten(program);
  const declared = new Declared(nodes);
  const references = nodes.flatMap((at): readonly Reference[] => {
    if (at.node.type !== 'Identifier' || !isReference(at)) return [];
    const { name } = at.node;
    return [{ name, at, declaration: declared.find(name, at) }];
  });
  const byNode = new Map(references.map(({ at, declaration }) => [at.node, declaration]));
  const places = new Map(nodes.map((at) => [at.node, at]));
  return {
    ...{ text, nodes, references },
    declarationOf: (node) => byNode.get(node),
    placeOf: (node) => present(places.get(node), 'a place of a node'),
    within: ({ start, end }) =>
      nodes.slice(
        firstFrom(nodes, start, ({ node }) => node.start),
        firstFrom(nodes, end, ({ node }) => node.start),
      ),
  };
}

/** The index of the first of an ordered list that is at `least` or behind it. */
export function firstFrom<T>(
  list: readonly T[],
  least: number,
  placeOf: (item: T) => number,
): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placeOf(present(list[middle], 'an item')) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Without recursion: a bundle may nest deeper than the stack allows. */
function flatten(program: AnyNode): readonly TreeNode[] {
  const nodes: TreeNode[] = [];
  const open: TreeNode[] = [{ node: program, parent: undefined, key: '', scope: undefined }];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    nodes.push(at);
    const children = childrenOf(at);
    for (let i = children.length - 1; i >= 0; i--) open.push(present(children[i], 'a child'));
  }
  return nodes;
}

function childrenOf(parent: TreeNode): readonly TreeNode[] {
  const scope = hasNames(parent.node) ? parent : parent.scope;
  const children = Object.entries(parent.node).flatMap(([key, value]: [string, unknown]) =>
    (Array.isArray(value) ? value : [value])
      .filter(isNode)
      .map((node): TreeNode => ({ node, parent, key, scope })),
  );
  return children.sort((a, b) => a.node.start - b.node.start);
}

const hasNames = (node: AnyNode): boolean =>
  isFunction(node) || ['Program', 'CatchClause', 'ClassExpression'].includes(node.type);

function isNode(value: unknown): value is AnyNode {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { readonly type?: unknown }).type === 'string' &&
    typeof (value as { readonly start?: unknown }).start === 'number'
  );
}

export function isFunction(
  node: AnyNode,
): node is Extract<
  AnyNode,
  { type: 'FunctionDeclaration' | 'FunctionExpression' | 'ArrowFunctionExpression' }
> {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression'
  );
}

/** The nearest node around it, from its parent on, for which `test` holds. */
export function around(
  { parent }: TreeNode,
  test: (at: TreeNode) => boolean,
): TreeNode | undefined {
  for (let at = parent; at !== undefined; at = at.parent) if (test(at)) return at;
  return undefined;
}

/** Whether a name is read or written here, and not declared, or the name of a property. */
function isReference({ node, parent, key }: TreeNode): boolean {
  const within = parent?.node;
  switch (within?.type) {
    case undefined:
    case 'ImportSpecifier':
    case 'ImportDefaultSpecifier':
    case 'ImportNamespaceSpecifier':
    case 'ExportSpecifier':
    case 'LabeledStatement':
    case 'BreakStatement':
    case 'ContinueStatement':
    case 'MetaProperty':
    case 'CatchClause':
    case 'ClassDeclaration':
    case 'ClassExpression':
      return within?.type.startsWith('Class') === true && key === 'superClass';
    case 'MemberExpression':
      return within.object === node || within.computed;
    case 'Property':
      if (within.key === node) return within.computed;
      return !isBinding(parent);
    case 'MethodDefinition':
    case 'PropertyDefinition':
      return within.value === node || within.computed;
    case 'VariableDeclarator':
      return within.init === node;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return within.body === node;
    case 'AssignmentPattern':
      return within.right === node || !isBinding(parent);
    case 'ArrayPattern':
    case 'RestElement':
      return !isBinding(parent);
    default:
      return true;
  }
}

/** Whether a pattern declares its names; in an assignment it writes what was declared before. */
function isBinding(pattern: TreeNode | undefined): boolean {
  for (let at = pattern; at !== undefined; at = at.parent) {
    const within = at.parent?.node;
    if (within === undefined) return false;
    switch (within.type) {
      case 'VariableDeclarator':
        return within.id === at.node;
      case 'CatchClause':
        return within.param === at.node;
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return within.body !== at.node;
      case 'AssignmentPattern':
        if (within.right === at.node) return false;
        break;
      case 'Property':
      case 'ObjectPattern':
      case 'ArrayPattern':
      case 'RestElement':
        break;
      default:
        return false;
    }
  }
  return false;
}

/** The declarations of a bundle, by the node in which their names stand for them. */
class Declared {
  readonly #byScope = new Map<TreeNode, Map<string, Declaration>>();

  constructor(nodes: readonly TreeNode[]) {
    for (const at of nodes) this.#declare(at);
    for (const at of nodes) {
      const { node } = at;
      if (node.type !== 'AssignmentExpression' || node.left.type !== 'Identifier') continue;
      this.find(node.left.name, at)?.values.push(node.right);
    }
  }

  /** The innermost of this name that stands for it here. */
  find(name: string, { scope }: TreeNode): Declaration | undefined {
    for (let at = scope; at !== undefined; at = at.scope) {
      const found = this.#byScope.get(at)?.get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #declare(at: TreeNode): void {
    const { node } = at;
    const scope = around(at, ({ node: outer }) => isFunction(outer) || outer.type === 'Program');
    const outer = scope ?? at;
    switch (node.type) {
      case 'VariableDeclarator': {
        const values = node.init === null || node.init === undefined ? [] : [node.init];
        const isWhole = node.id.type === 'Identifier';
        this.#add(node.id, outer, { isWhole, kind: 'value', values });
        break;
      }
      case 'FunctionDeclaration':
      case 'ClassDeclaration':
        if (node.id !== null)
          this.#add(node.id, outer, { isWhole: true, kind: 'value', values: [node] });
        break;
      case 'ClassExpression':
      case 'FunctionExpression':
        if (node.id !== null && node.id !== undefined)
          this.#add(node.id, at, { isWhole: true, kind: 'value', values: [] });
        break;
      case 'CatchClause':
        if (node.param !== null && node.param !== undefined)
          this.#add(node.param, at, { isWhole: true, kind: 'caught', values: [] });
        break;
      case 'ImportSpecifier':
      case 'ImportDefaultSpecifier':
      case 'ImportNamespaceSpecifier':
        this.#add(node.local, outer, { isWhole: true, kind: 'import', values: [] });
        break;
      default:
    }
    if (!isFunction(node)) return;
    for (const parameter of node.params)
      this.#add(parameter, at, { isWhole: false, kind: 'parameter', values: [] });
  }

  #add(pattern: Pattern, scope: TreeNode, of: Omit<Declaration, 'name'>): void {
    const known = this.#byScope.get(scope) ?? new Map<string, Declaration>();
    this.#byScope.set(scope, known);
    for (const name of namesIn(pattern)) {
      const same = known.get(name);
      // Of several blocks of one function: it may be any of them.
      if (same === undefined) known.set(name, { name, ...of, values: [...of.values] });
      else same.values.push(...of.values);
    }
  }
}

/** The names that a pattern declares. */
function namesIn(pattern: Pattern): readonly string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        namesIn(property.type === 'RestElement' ? property.argument : property.value),
      );
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element === null ? [] : namesIn(element)));
    case 'RestElement':
      return namesIn(pattern.argument);
    case 'AssignmentPattern':
      return namesIn(pattern.left);
    case 'MemberExpression':
      return [];
  }
}
