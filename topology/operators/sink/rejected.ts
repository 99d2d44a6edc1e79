/**
 * The rejected table, for elements of a side output that belong with the refused ones: the engine
 * rejects them, so there is nothing to stage.
 */
import type { SinkKind } from './sink-kind.ts';

export interface RejectedDefinition {
  readonly kind: 'rejected';
}

export const rejectedKind: SinkKind<RejectedDefinition> = {
  kind: 'rejected',
  isRejected: true,
  docs: {
    call: 'rejected()',
    summary:
      'The rejected table: for an output whose elements belong with the refused ones. Their code is `late` from a late output, else `rejected-by-topology`.',
    example: `
import { rejected } from 'sluice';

clicks.filter(({ price }) => price < 0).sinkTo('below-zero', rejected());
`,
  },
};
