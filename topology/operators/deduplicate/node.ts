/**
 * A node that lets the first element of a key pass, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';

export interface DeduplicateNode extends NodeBase {
  readonly kind: 'deduplicate';
  readonly withinMs: number;
  readonly late: 'drop' | 'side';
}
