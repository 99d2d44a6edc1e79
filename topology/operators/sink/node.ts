/**
 * Where a stream ends, as data. Which adapter carries it out is decided where the job runs.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { SinkDefinitionData } from './sinks.ts';

export type { SinkDefinitionData } from './sinks.ts';
export type { TableDefinition } from './table-definition.ts';

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly sink: SinkDefinitionData;
}
