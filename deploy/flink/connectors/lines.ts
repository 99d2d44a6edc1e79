/** Files of lines, for a try on one machine. */
import type { FlinkConnector } from './connector.ts';

const folder = {
  path: {
    type: 'text',
    isRequired: true,
    meaning: 'a folder, into which `rows.ndjson` is written with a row a line',
  },
} as const;

export const lines: FlinkConnector = {
  name: 'lines',
  example: '{"connector": "lines", "path": "/a/path"}',
  roles: {
    source: {
      path: {
        type: 'text',
        isRequired: true,
        meaning: 'a file with an event a line: its attributes and `data`',
      },
    },
    table: folder,
    graph: folder,
    rejected: folder,
  },
};
