/**
 * `sluice health`: how it is called.
 */
import { command, flag } from '../../command.ts';

export default command({
  name: 'health',
  summary: 'Exit with 0 when the running instance is healthy, for containers',
  order: 95,
  options: { ready: flag('ask whether it is ready: whether it takes events, or topologies run') },
  examples: ['health', '--dir enrich health --ready'],
  run: async ({ dir, output }, { options: { ready } }) => {
    const { healthCommand } = await import('./health.ts');
    return healthCommand({ dir, ready, output });
  },
});
