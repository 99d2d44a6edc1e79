/**
 * `sluice query`: how it is called.
 */
import { limits } from '../../../../schemas/limits.ts';
import { argument, command, flag, text } from '../../command.ts';

export default command({
  name: 'query',
  summary: 'Query the tables in SQL',
  order: 70,
  arguments: { sql: argument('statement of SELECT') },
  options: {
    maxRows: text(
      '<rows>',
      `most rows of the answer, up to ${limits.queryMaxRows} (default: ${limits.queryDefaultRows}; as json or csv the most)`,
    ),
    format: text('<format>', 'table, json or csv (default: table; with --json, json)'),
    exact: flag('with csv: leave texts that a spreadsheet would run as a formula as they are'),
  },
  examples: [
    'query "SELECT * FROM rejected"',
    '--json query "SELECT count(*) AS n FROM weather"',
    'query --format csv "SELECT * FROM weather"',
  ],
  writes: true,
  run: async ({ dir, clock, output }, { arguments: { sql }, options }) => {
    const { queryCommand } = await import('./query.ts');
    return queryCommand({ sql, dir, clock, ...options }, output);
  },
});
