/**
 * The names in a graph: no two things share one where only a name tells them apart, and none is a
 * name that every object of JavaScript has, as state, columns and functions are looked up by name.
 * Pure.
 */
import type { Graph, GraphNode, GraphProblem } from './graph.ts';
import { restPort } from './graph.ts';

const connectorPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const portPattern = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

/** What every object has: `constructor`, `toString`, ... */
function isInherited(name: string): boolean {
  return name in Object.prototype;
}

/** What can be a property of a plain object without surprise. */
export function isPropertyName(name: string): boolean {
  return /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) && !isInherited(name);
}

interface Clash {
  readonly message: string;
  readonly fix: string;
}

/** Why an output of a split cannot be called so. */
function portClash(name: string): Clash | undefined {
  const fix = 'rename the condition';
  if (name === restPort)
    return {
      message: `a split cannot have a condition named '${restPort}': that output takes what no condition takes`,
      fix,
    };
  if (portPattern.test(name) && !isInherited(name)) return undefined;
  const rule =
    '1 to 63 of A-Z a-z 0-9 _ -, starting with a letter or _, and not as what every object has';
  return { message: `a split's condition is named by ${rule}; not '${name}'`, fix };
}

export function nameProblems(graph: Graph): readonly GraphProblem[] {
  const inherited = (node: string, what: string, name: string): readonly GraphProblem[] =>
    isInherited(name)
      ? [
          {
            node,
            message: `${what} cannot be '${name}': every object of JavaScript has a member of that name`,
            fix: 'rename it',
          },
        ]
      : [];
  return [
    ...inherited(graph.name, 'the name of a topology', graph.name),
    ...graph.nodes.flatMap((node) => [
      ...inherited(node.id, 'an id', node.id),
      ...clashesOf(node).map((clash) => ({ node: node.id, ...clash })),
    ]),
  ];
}

function clashesOf(node: GraphNode): readonly Clash[] {
  const twice = (what: string, names: readonly string[]): readonly Clash[] =>
    repeated(names).map((name) => ({
      message: `it has two ${what} named '${name}'`,
      fix: 'rename one of the two',
    }));
  switch (node.kind) {
    case 'split': {
      const named = node.outputs.slice(0, -1);
      return [
        ...twice('conditions', named),
        ...named.map(portClash).filter((clash) => clash !== undefined),
      ];
    }
    case 'validate':
      return twice(
        'schemas',
        node.schemas.map(({ id }) => id),
      );
    case 'window':
      return twice(
        'aggregates',
        node.aggregates.map(({ name }) => name),
      );
    case 'process':
      return twice(
        'states',
        node.state.map(({ name }) => name),
      );
    case 'lookup': {
      const { lookup } = node;
      if (
        lookup.from !== 'connector' ||
        (connectorPattern.test(lookup.name) && !isInherited(lookup.name))
      )
        return [];
      const rule =
        '1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit, and not as what every object has';
      return [
        {
          message: `a connector's name is ${rule}; not '${lookup.name}'`,
          fix: 'rename it, also under lookups of the configuration',
        },
      ];
    }
    default:
      return [];
  }
}

function repeated(names: readonly string[]): readonly string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
