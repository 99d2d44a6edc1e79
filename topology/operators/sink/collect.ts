/**
 * Elements are kept for the test driver to read.
 */
import type { SinkKind } from './sink-kind.ts';

export interface CollectDefinition {
  readonly kind: 'collect';
}

export const collectKind: SinkKind<CollectDefinition> = {
  kind: 'collect',
  docs: {
    call: 'collect()',
    summary: 'Keeps elements for the test driver to read, in tests of a part. No job runs with it.',
    example: `
import { collect } from 'sluice';

clicks.sinkTo('out', collect());
`,
  },
  jobProblem: {
    message:
      'collect() is for the test driver; a running topology needs a sink that stores its rows',
    fix: 'use a table() as the sink',
  },
};
