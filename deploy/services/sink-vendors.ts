/**
 * What the sinks of the enrich service write to: the one place that names all vendors. A new one is
 * a module as enrich/sink-vendor.ts describes, and a line here.
 */
import { neo4jVendor } from '../../enrich/graph/neo4j/neo4j-vendor.ts';
import type { SinkPlace } from '../../enrich/sink-binding.ts';
import type { SinkVendor, VendorPorts } from '../../enrich/sink-vendor.ts';
import { present } from '../../schemas/kernel/assert.ts';
import type { StartupCheck } from '../../schemas/ports/startup-check.ts';
import type { SinkConfigs } from '../../schemas/sinks/sinks.ts';
import { firehoseVendor } from '../streams/firehose/firehose-vendor.ts';

const vendors: readonly SinkVendor[] = [firehoseVendor, neo4jVendor];

/** Throws `SluiceError` `config-incomplete`. */
export function sinkChecks(config: SinkConfigs, ports: VendorPorts): readonly StartupCheck[] {
  return vendors.flatMap(({ checks }) => checks(config, ports));
}

/** For the sinks of one topology. */
export function openVendors(
  config: SinkConfigs,
  ports: Parameters<SinkVendor['open']>[1],
): Pick<SinkPlace, 'deliveryOf' | 'graph'> & { readonly close: () => Promise<void> } {
  const opened = vendors.map(({ open }) => open(config, ports));
  const [graph] = opened.flatMap((vendor) => vendor.graph ?? []);
  return {
    deliveryOf: (table) =>
      opened.map(({ deliveryOf }) => deliveryOf?.(table)).find((found) => found !== undefined),
    graph: present(graph, 'a vendor of graphs'),
    close: async () => void (await Promise.all(opened.flatMap(({ close }) => close?.() ?? []))),
  };
}
