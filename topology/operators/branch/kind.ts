/**
 * Named outputs by condition. Topologies that call it `split`, its old name, have nodes of that
 * name.
 */
import { isInherited, repeatedNames } from '../../nodes/names.ts';
import type { NodeBase, Problem } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import type { Made, StreamCall } from '../node-builder.ts';
import { BranchOperator } from './operator.ts';

export interface BranchNode extends NodeBase {
  /** The first port whose function says yes takes the element; `rest` takes the others. */
  readonly kind: 'branch' | 'split';
}

/** The output of what no condition takes. */
export const restPort = 'rest';

const portPattern = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

export const branchKind: Kind<BranchNode> = {
  name: 'branch',
  oldName: 'split',
  docs: {
    call: 'branch({ name: (value) => boolean, ... })',
    sql: [
      [
        '`CASE` into several outputs',
        '`branch({ name: condition })`: the first condition that holds receives the element, `rest` the others',
      ],
    ],
    summary:
      'Named outputs by condition: the first condition that returns `true` receives the element. `split` is its old name.',
    outputs:
      'A stream for each condition, and `rest` for elements that no condition takes; `rest` may stay unread.',
    state: 'None.',
    example: `
import { collect } from 'sluice';

const { cheap, rest } = clicks.branch({ cheap: ({ price }) => price < 1 });
cheap.sinkTo('cheap', collect());
rest.sinkTo('rest', collect());
`,
  },
  build: buildBranch,
  slots: ({ outputs }) => outputs.filter((port) => port !== restPort),
  problems: ({ kind, outputs }) =>
    outputs.length < 2
      ? [
          {
            message: `a ${kind} needs at least one named condition`,
            fix: `name a condition: ${kind}({ large: (x) => ... })`,
          },
        ]
      : [],
  nameProblems: ({ kind, outputs }) => {
    const named = outputs.slice(0, -1);
    return [
      ...repeatedNames('conditions', named),
      ...named.flatMap((name) => conditionProblems(kind, name)),
    ];
  },
  optionalPorts: [restPort],
  passesElements: true,
  passesPanes: true,
  operator: ({ id, outputs }, { call, counts, reject }) => {
    const conditions = outputs.filter((port) => port !== restPort).map(call);
    return new BranchOperator(id, conditions, counts, reject);
  },
};

function buildBranch({ builder, from, name, given: [conditions] }: StreamCall): Made {
  const id = builder.pathId(from, name);
  const example = `${name}({ name: (value) => ... })`;
  const named = builder.given(id, 'conditions', conditions as object, example);
  const outputs = [...builder.namesOf(id, 'conditions', named), restPort];
  builder.add({ id, kind: name, inputs: [from], outputs }, { ...named });
  return { id, outputs };
}

function conditionProblems(kind: string, name: string): readonly Problem[] {
  const fix = 'rename the condition';
  if (name === restPort) {
    const message = `a ${kind} cannot have a condition named '${restPort}': that output gets the elements that match no condition`;
    return [{ message, fix }];
  }
  if (portPattern.test(name) && !isInherited(name)) return [];
  const rule =
    '1 to 63 of A-Z a-z 0-9 _ -, starting with a letter or _, and not a member of every object';
  return [{ message: `the name of a ${kind}'s condition must be ${rule}; not '${name}'`, fix }];
}
