/**
 * `sluice start`: how it is called.
 */
import { command } from '../../command.ts';
import { dropState, from, keyFile, port } from '../../shared-options.ts';

export default command({
  name: 'start',
  summary: 'Run ingress, topologies and tables in one process',
  order: 10,
  options: { port, keyFile, dropState, from },
  examples: ['start', '--config sluice.yaml start --port 0', 'start --key-file .sluice-key'],
  writes: true,
  run: async (context, { options }) => {
    const { startCommand } = await import('./start.ts');
    return startCommand({ ...context, ...options, config: context.configFile() });
  },
});
