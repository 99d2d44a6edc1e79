/**
 * An author's function with state and timers per key, as data.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { StateDeclaration } from '../../state/key-state.ts';

/** The slot of the function that brings a state of earlier versions to its own. */
export function migrateSlot(state: string): string {
  return `migrate:${state}`;
}

export interface ProcessNode extends NodeBase {
  readonly kind: 'process';
  readonly state: readonly StateDeclaration[];
  /** Whether the author handles timers. */
  readonly timers: boolean;
}
