/**
 * One element in, one out.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';
import { buildStateless, functionSlot, mapping } from '../stateless.ts';

export interface MapNode extends NodeBase {
  readonly kind: 'map';
}

export const mapKind: Kind<MapNode> = {
  name: 'map',
  docs: {
    call: 'map((value, { timestamp }) => result)',
    sql: [['`SELECT f(x)`', '`map`']],
    summary: 'One element in, one out.',
    outputs:
      'One stream of the results, which must be JSON. An element on which the function throws is rejected.',
    state: 'None.',
    example: `
export const pages = clicks.map(({ page }) => ({ page: page.toLowerCase() }));
`,
  },
  build: buildStateless,
  slots: () => [functionSlot],
  passesPanes: true,
  link: ({ id }, parts) => mapping(id, parts.returning(parts.call(functionSlot)), parts),
};
