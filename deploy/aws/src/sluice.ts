/**
 * What this package has of Sluice: its configuration, its table of settings, its topologies and
 * their tables. It is a package of its own, compiled beside Sluice, so it imports what `npm run
 * build` in the root compiled; no other file here does.
 */

export type { PriceList } from '../../../dist/deploy/cost/price-list.js';
export { priceListOf } from '../../../dist/deploy/cost/price-list.js';
export { loadTopologyFile } from '../../../dist/deploy/host/topology-file.js';
export { describedTable } from '../../../dist/enrich/lake/described-table.js';
export { rejectedSchema } from '../../../dist/enrich/rejected/rejected-schema.js';
export { rejectedPartitionBy } from '../../../dist/enrich/rejected/storable.js';
export { rowIdColumn } from '../../../dist/enrich/row-id.js';
export type { ColumnType } from '../../../dist/schemas/columns.js';
export { columnsOf, storedColumns } from '../../../dist/schemas/columns.js';
export { configCheck } from '../../../dist/schemas/config/check.js';
export type { Fault } from '../../../dist/schemas/config/document.js';
export { ConfigDocument } from '../../../dist/schemas/config/document.js';
export { pathOf } from '../../../dist/schemas/config/path.js';
export type { ValueOf } from '../../../dist/schemas/config/setting.js';
export { flag, group, list, named, text, whole } from '../../../dist/schemas/config/setting.js';
export { configTable } from '../../../dist/schemas/config/table.js';
export { effectiveValues } from '../../../dist/schemas/config/values.js';
export type { SluiceConfig, StreamConfig } from '../../../dist/schemas/config.js';
export { ledgerStream } from '../../../dist/schemas/config.js';
export { loadConfig, problemLine, readConfigText } from '../../../dist/schemas/config-file.js';
export { present } from '../../../dist/schemas/kernel/assert.js';
export { messageOf, SluiceError } from '../../../dist/schemas/kernel/errors.js';
export type { PartitionColumn, PartitionOwner } from '../../../dist/schemas/partition.js';
export type { JsonSchema } from '../../../dist/schemas/registry.js';
export type { Plan } from '../../../dist/topology/index.js';
