/**
 * An author's function with state and timers per key, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { StateDeclaration } from '../../state/key-state.ts';

export interface ProcessNode extends NodeBase {
  readonly kind: 'process';
  readonly state: readonly StateDeclaration[];
  /** Whether the author handles timers. */
  readonly timers: boolean;
}
