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
  build: buildStateless,
  slots: () => [functionSlot],
  passesPanes: true,
  link: ({ id }, parts) => mapping(id, parts.returning(parts.call(functionSlot)), parts),
};
