/**
 * The rejected table, for elements of a side output that belong with the refused ones: the engine
 * rejects them, so there is nothing to stage.
 */
import type { SinkKind } from './sink-kind.ts';

export interface RejectedDefinition {
  readonly kind: 'rejected';
}

export const rejectedKind: SinkKind<RejectedDefinition> = { kind: 'rejected' };
