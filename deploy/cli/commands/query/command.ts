/**
 * `sluice query`: how it is called.
 */
import { limits } from '../../../../schemas/limits.ts';
import { argument, command, text } from '../../command.ts';

export default command({
  name: 'query',
  summary: 'Query the tables in SQL',
  order: 70,
  arguments: { sql: argument('statement of SELECT') },
  options: {
    maxRows: text(
      '<rows>',
      `most rows of the answer, up to ${limits.queryMaxRows} (default: ${limits.queryDefaultRows}; with --json the most)`,
    ),
  },
  examples: ['query "SELECT * FROM rejected"', '--json query "SELECT count(*) AS n FROM weather"'],
  writes: true,
  run: async ({ dir, clock, output }, { arguments: { sql }, options: { maxRows } }) => {
    const { queryCommand } = await import('./query.ts');
    return queryCommand({ sql, dir, maxRows, clock }, output);
  },
});
