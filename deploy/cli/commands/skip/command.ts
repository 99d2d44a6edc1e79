/**
 * `sluice skip`: how it is called.
 */
import { argument, command, flag, text } from '../../command.ts';

export default command({
  name: 'skip',
  summary: 'Make a topology skip what it cannot read in a split',
  order: 110,
  arguments: {
    topology: argument('name of the topology'),
    split: argument("name of the split in `sluice status`, or '<source> <path> <split>'"),
  },
  options: {
    to: text(
      '<position>',
      'last position to skip; latest: all there is now; oldest: what is no longer kept',
    ),
    whole: flag('leave the split out until --undo'),
    undo: flag('read a split that was left out again, from where it was'),
  },
  examples: ['skip flights partition-0 --to 4711', 'skip flights partition-0 --whole'],
  run: async ({ dir, output }, { arguments: { topology, split }, options }) => {
    const { skipCommand } = await import('./skip.ts');
    return skipCommand({ ...options, topology, split, dir, output });
  },
});
