/**
 * `sluice status`: how it is called.
 */
import { command, flag, optionalArgument } from '../../command.ts';

export default command({
  name: 'status',
  summary: 'Show what runs, how far it is, and what holds it back: one line per topology',
  order: 90,
  arguments: { topology: optionalArgument('name of the one to show in detail') },
  options: { details: flag('show all topologies in detail') },
  examples: ['status', 'status flights'],
  run: async ({ dir, clock, output }, { arguments: { topology }, options: { details } }) => {
    const { statusCommand } = await import('./status.ts');
    return statusCommand({ dir, topology, details, output, clock });
  },
});
