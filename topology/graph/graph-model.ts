/**
 * A property graph's model and the writes into it, as data, for sinks, compilers and checkpoints.
 *
 * Invariants:
 * 1. Everything here is JSON-safe. A write holds absolute values, so that applying it again, in
 *    order, changes nothing.
 * 2. A node is identified by its label and its key; an edge by its type, its two end nodes and its
 *    key properties, which may be none.
 * 3. A write clears the properties that are null, and leaves those that it does not mention.
 */

export const propertyTypes = ['string', 'integer', 'number', 'boolean'] as const;

/** `integer`: within 2^53; `number`: finite. */
export type PropertyType = (typeof propertyTypes)[number];

/** By name. */
export type PropertyTypes = Readonly<Record<string, PropertyType>>;

export interface NodeModel {
  /** The property that identifies a node; a string or an integer. */
  readonly key: string;
  readonly props: PropertyTypes;
}

export interface EdgeModel {
  /** Labels of its end nodes. */
  readonly from: string;
  readonly to: string;
  /** Properties that tell edges between the same two nodes apart; strings or integers. */
  readonly key: readonly string[];
  readonly props: PropertyTypes;
}

export interface GraphModel {
  /** By label. */
  readonly nodes: Readonly<Record<string, NodeModel>>;
  /** By type. */
  readonly edges: Readonly<Record<string, EdgeModel>>;
}

export type KeyValue = string | number;

export type PropertyValues = Readonly<Record<string, string | number | boolean | null>>;

export interface NodeWrite {
  readonly kind: 'node';
  readonly label: string;
  /** The key is one of them. */
  readonly props: PropertyValues;
}

/** Its end nodes come to be with it where they are not there yet. */
export interface EdgeWrite {
  readonly kind: 'edge';
  readonly type: string;
  /** Keys of the end nodes. */
  readonly from: KeyValue;
  readonly to: KeyValue;
  readonly props: PropertyValues;
}

export type GraphWrite = NodeWrite | EdgeWrite;

/** Names that begin so, in whatever case, are Sluice's own. */
export const reservedPrefix = 'Sluice';

const namePattern = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;
const nameRule = 'is 1 to 63 of A-Z a-z 0-9 _, starting with a letter';

/** What is wrong with a model, in words; an empty list means that every database takes it. */
export function modelProblems(model: GraphModel): readonly string[] {
  const problems: string[] = [];
  const taken = new Map<string, string>();
  for (const [what, name] of [
    ...Object.keys(model.nodes).map((label) => ['label', label] as const),
    ...Object.keys(model.edges).map((type) => ['edge type', type] as const),
  ]) {
    const as = `the ${what} '${name}'`;
    if (!namePattern.test(name)) problems.push(`${as} ${nameRule}`);
    if (name.toLowerCase().startsWith(reservedPrefix.toLowerCase()))
      problems.push(`${as} begins with ${reservedPrefix}, which Sluice reserves`);
    if (name === 'definition')
      problems.push(`${as} is reserved: a model keeps its own data under that name`);
    const other = taken.get(name.toLowerCase());
    if (other !== undefined)
      problems.push(
        `${as} clashes with ${other}: labels and edge types must differ in more than case`,
      );
    taken.set(name.toLowerCase(), as);
  }
  if (Object.keys(model.nodes).length === 0) problems.push('the graph model has no nodes');
  for (const [label, { key, props }] of Object.entries(model.nodes)) {
    const of = `the label '${label}'`;
    problems.push(...propertyProblems(of, props, []), ...keyProblems(of, [key], props));
  }
  for (const [type, { from, to, key, props }] of Object.entries(model.edges)) {
    const of = `the edge type '${type}'`;
    for (const end of [from, to]) {
      if (!Object.hasOwn(model.nodes, end))
        problems.push(`${of} joins '${end}', which is not a label of the model`);
    }
    problems.push(...propertyProblems(of, props, ['from', 'to']), ...keyProblems(of, key, props));
    if (new Set(key).size !== key.length) problems.push(`${of} lists a key twice`);
  }
  return problems;
}

function propertyProblems(
  of: string,
  props: PropertyTypes,
  reserved: readonly string[],
): readonly string[] {
  const problems: string[] = [];
  const taken = new Set<string>();
  for (const [name, type] of Object.entries(props)) {
    if (!namePattern.test(name)) problems.push(`${of}: the property '${name}' ${nameRule}`);
    if (reserved.includes(name.toLowerCase()))
      problems.push(`${of}: a property cannot be named '${name}': that is an end of the edge`);
    if (taken.has(name.toLowerCase()))
      problems.push(
        `${of}: the property '${name}' appears twice; names must differ in more than case`,
      );
    taken.add(name.toLowerCase());
    if (!propertyTypes.includes(type))
      problems.push(
        `${of}: '${name}' must be one of ${propertyTypes.join(', ')}, not '${String(type)}'`,
      );
  }
  return problems;
}

function keyProblems(of: string, key: readonly string[], props: PropertyTypes): readonly string[] {
  return key.flatMap((name) => {
    if (!Object.hasOwn(props, name))
      return [`${of}: its key '${name}' is not one of its properties`];
    const type = props[name];
    return type === 'string' || type === 'integer'
      ? []
      : [`${of}: its key '${name}' must be a string or an integer, not a ${type}`];
  });
}

/** What the models of two sinks say differently of the same label or edge type, in words. */
export function modelClashes(a: GraphModel, b: GraphModel): readonly string[] {
  const shared = (x: object, y: object): readonly string[] =>
    Object.keys(x).filter((name) => Object.hasOwn(y, name));
  const names = ({ nodes, edges }: GraphModel): readonly string[] => [
    ...Object.keys(nodes),
    ...Object.keys(edges),
  ];
  const differ = (x: unknown, y: unknown): boolean =>
    JSON.stringify(sorted(x)) !== JSON.stringify(sorted(y));
  return [
    ...shared(a.nodes, b.nodes).filter((label) => differ(a.nodes[label], b.nodes[label])),
    ...shared(a.edges, b.edges).filter((type) => differ(a.edges[type], b.edges[type])),
    ...shared(a.nodes, b.edges),
    ...shared(a.edges, b.nodes),
    ...names(a).filter((name) =>
      names(b).some((other) => other !== name && other.toLowerCase() === name.toLowerCase()),
    ),
  ];
}

/** `value` with the properties of every object in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  );
}
