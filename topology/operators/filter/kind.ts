/**
 * Lets the elements pass of which its function says true.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import type { NodeParts } from '../node-parts.ts';
import { rejectThrown } from '../operator.ts';
import type { Link } from '../stateless.ts';
import { buildStateless, functionSlot } from '../stateless.ts';

export interface FilterNode extends NodeBase {
  readonly kind: 'filter';
}

export const filterKind: Kind<FilterNode> = {
  name: 'filter',
  docs: {
    call: 'filter((value, { timestamp }) => boolean)',
    sql: [['`WHERE`', '`filter`']],
    summary: 'Elements for which the function returns `true` pass; the others are counted.',
    outputs:
      'One stream of the same elements; a type guard narrows their type. An element on which the function throws is rejected.',
    state: 'None.',
    example: `
export const dear = clicks.filter(({ price }) => price > 100);
`,
  },
  build: buildStateless,
  slots: () => [functionSlot],
  passesElements: true,
  passesPanes: true,
  link: ({ id }, parts) => filterLink(id, parts),
};

function filterLink(node: string, { call: callOf, counts, reject }: NodeParts): Link {
  const call = callOf(functionSlot);
  const context = { timestamp: 0 };
  return (next) => (value, timestamp, origin) => {
    counts.in++;
    let keep: unknown;
    try {
      context.timestamp = timestamp;
      keep = call(value, context);
    } catch (thrown) {
      counts.rejected++;
      rejectThrown(reject, node, thrown, value, origin);
      return;
    }
    if (keep === true) {
      counts.passed++;
      next(value, timestamp, origin);
    } else counts.filtered++;
  };
}
