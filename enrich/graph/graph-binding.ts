/**
 * A property graph where a job runs.
 */
import type { SinkBinding } from '../sink-binding.ts';
import { graphSink } from './graph-sink.ts';

export const graphBinding: SinkBinding<'graph'> = {
  kind: 'graph',
  create: ({ definition, topology, node, run }, place) =>
    graphSink({
      database: place.graph(),
      model: definition.model,
      staging: place.staging,
      folder: place.stagingFolder(topology, node),
      sink: `${topology}/${node}`,
      run,
      ...(place.graphMayBeAway ? { clock: place.clock } : {}),
    }),
};
