/**
 * Binds a topology to the place where it runs. Each place is loaded when it is needed: it brings
 * libraries of its own.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import type { Bindings } from './bindings.ts';
import type { TrialInput } from './worker-protocol.ts';

/** `graph` is what graph sinks write to where the thread cannot reach it by itself. */
export async function bindTopology(
  { place, file }: Pick<TrialInput, 'place' | 'file'>,
  graph: GraphDatabase,
): Promise<Bindings> {
  if (place.kind === 'services') {
    const { serviceBindings } = await import('../services/service-bindings.ts');
    return serviceBindings(place, file);
  }
  const { localBindings } = await import('../local/local-bindings.ts');
  return localBindings(place, file, graph);
}
