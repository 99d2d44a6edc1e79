/**
 * `sluice drain`: how it is called.
 */
import { argument, command } from '../../command.ts';

export default command({
  name: 'drain',
  summary: 'Read everything, emit all windows, and end a topology',
  order: 100,
  arguments: { topology: argument('name of the topology') },
  examples: ['drain flights'],
  run: async ({ dir, clock, output }, { arguments: { topology } }) => {
    const { drainCommand } = await import('./drain.ts');
    return drainCommand(topology, dir, output, clock);
  },
});
