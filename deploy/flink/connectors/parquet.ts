/** Tables in the lake, as Parquet files: the same as `sluice enrich` writes. */
import type { ConnectorFields, FlinkConnector } from './connector.ts';

const lake = {
  path: {
    type: 'text',
    isRequired: true,
    meaning: 'the folder of the tables: a path, or `s3://bucket/prefix`',
  },
  openMaxBytes: {
    type: 'whole',
    meaning: 'text of rows that one task holds before it makes files of them; default 33554432',
  },
  openMaxFolders: {
    type: 'whole',
    meaning: 'folders that one task holds rows of; default 1024',
  },
} satisfies ConnectorFields;

export const parquet: FlinkConnector = {
  name: 'parquet',
  example: '{"connector": "parquet", "path": "s3://bucket/prefix"}',
  roles: {
    table: {
      ...lake,
      parallelism: {
        type: 'whole',
        meaning:
          "tasks that write it, each with its own files; default the job's, and 1 for a table by key",
      },
    },
    rejected: lake,
  },
};
