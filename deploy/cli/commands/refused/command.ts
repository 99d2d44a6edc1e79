/**
 * `sluice refused`: how it is called.
 */
import { argument, command, flag, optionalArgument, textOr } from '../../command.ts';
import { key, url } from '../../shared-options.ts';

export default command({
  name: 'refused',
  summary:
    'List, show, resend or drop events that their stream refused after they were acknowledged',
  order: 120,
  arguments: {
    action: argument('list, show, send or drop'),
    stream: optionalArgument('team/app (default: all; drop needs one)'),
  },
  options: {
    limit: textOr('<events>', '20', 'events to show'),
    url,
    key,
    yes: flag('confirm: dropped events exist nowhere else'),
  },
  examples: ['refused list', 'refused show shop/clicks', 'refused send shop/clicks'],
  writes: true,
  run: async (context, { arguments: { action, stream }, options }) => {
    const { refusedCommand } = await import('./refused.ts');
    const named = options.key ?? context.env['SLUICE_KEY'];
    return refusedCommand({ ...context, ...options, action, stream, key: named });
  },
});
