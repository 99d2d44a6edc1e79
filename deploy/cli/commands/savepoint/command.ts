/**
 * `sluice savepoint`: how it is called.
 */
import { argument, command, optionalArgument, text } from '../../command.ts';

export default command({
  name: 'savepoint',
  summary: 'Keep the state of a running topology under a name; list or delete what is kept',
  order: 105,
  arguments: {
    topology: argument("name of the topology; or 'list', or 'delete'"),
    of: optionalArgument('with list, delete: name of the topology'),
    savepoint: optionalArgument('with delete: name of the savepoint'),
  },
  options: {
    name: text('<name>', 'name of the new savepoint (default: the time, as 20260131T080000Z)'),
  },
  examples: [
    'savepoint flights --name before-upgrade',
    'savepoint list',
    'savepoint delete flights before-upgrade',
  ],
  writes: true,
  run: async (context, { arguments: given, options: { name } }) => {
    const { topology, of, savepoint } = given;
    const { savepointCommand } = await import('./savepoint.ts');
    return savepointCommand({ ...context, topology, of, savepoint, name });
  },
});
