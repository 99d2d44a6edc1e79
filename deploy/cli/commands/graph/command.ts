/**
 * `sluice graph`: how it is called.
 */
import { argument, command } from '../../command.ts';

export default command({
  name: 'graph',
  summary: 'Query the graph in Cypher',
  order: 80,
  arguments: { cypher: argument('statement that reads') },
  examples: ['graph "MATCH (n) RETURN count(n)"'],
  writes: true,
  run: async ({ dir, clock, output }, { arguments: { cypher } }) => {
    const { graphCommand } = await import('./graph.ts');
    return graphCommand(cypher, dir, output, clock);
  },
});
