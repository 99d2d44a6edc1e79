/**
 * The rejected table, for elements of a side output that belong with the refused ones: the engine
 * rejects them, so there is nothing to stage.
 */
import type { Rejection } from '../operator.ts';
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

/** Why an element of the output `port` is there; `late`: its operator put it there as too late. */
export function rejectedReason(
  port: string,
  late: boolean,
): Pick<Rejection, 'code' | 'message' | 'pointer' | 'schema'> {
  return {
    code: late ? 'late' : 'rejected-by-topology',
    message: late
      ? 'the element came after its state was removed'
      : `the topology sends its output '${port}' to the rejected table`,
    pointer: null,
    schema: null,
  };
}
