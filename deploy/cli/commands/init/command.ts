/**
 * `sluice init`: how it is called.
 */
import { argument, command } from '../../command.ts';

export default command({
  name: 'init',
  summary: 'Create a pipeline of your own: configuration, schemas, topology, test',
  order: 40,
  arguments: { dir: argument('folder that is empty or does not exist yet') },
  examples: ['init my-pipeline'],
  run: async ({ output }, { arguments: { dir } }) => {
    const { initCommand } = await import('./init.ts');
    return initCommand(dir, output);
  },
});
