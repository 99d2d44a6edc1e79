/**
 * `sluice reset`: how it is called.
 */
import { command, flag } from '../../command.ts';

export default command({
  name: 'reset',
  summary: 'Delete everything local',
  order: 130,
  options: {
    yes: flag('do not ask'),
    dropSpooled: flag('also delete acknowledged events that exist only on this disk'),
  },
  examples: ['reset', '--dir .sluice reset --yes'],
  writes: true,
  run: async (context, { options }) => {
    const { resetCommand } = await import('./reset.ts');
    return resetCommand({ ...context, ...options });
  },
});
