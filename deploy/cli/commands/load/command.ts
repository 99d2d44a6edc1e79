/**
 * `sluice load` and `sluice load merge`: how they are called.
 */
import { command, flag, group, someArguments, text, textOr } from '../../command.ts';
import { key, stream, url } from '../../shared-options.ts';

const load = command({
  name: 'load',
  summary: 'Send events at a fixed rate, and measure',
  options: {
    stream,
    url,
    rate: text('<events>', 'events a second'),
    ramp: text('<from:to>', 'rise evenly over the first half, then hold'),
    duration: textOr('<time>', '30s', 'how long, such as 30s or 5m'),
    size: textOr('<bytes>', '5kb', 'size of an event, such as 200b, 5kb, 1mb'),
    connections: textOr('<number>', '64', 'connections to open'),
    protocol: textOr('<protocol>', 'http', 'http or ws'),
    keys: textOr('<number>', '1000', 'different partition keys'),
    parts: textOr('<number>', '1', 'injectors that share the load, each with a part of it'),
    part: text('<index>', 'which part this one sends, from 0 (default: JOB_COMPLETION_INDEX)'),
    startAt: text('<time>', 'instant at which the load begins, RFC 3339; the same for all parts'),
    key,
    html: text('<file>', 'write the report as a page'),
    remote: flag('allow a target that is not this machine'),
  },
  examples: [
    'load --stream shop/clicks --rate 4500 --duration 1m --html report.html',
    '--json load --stream shop/clicks --rate 9000 --parts 2 --part 0 --start-at 2026-01-02T09:00:00Z',
  ],
  run: async (context, { options }) => {
    const { loadCommand } = await import('./load.ts');
    const interrupted = new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    });
    return loadCommand({
      ...context,
      own: options,
      environmentKey: context.env['SLUICE_KEY'],
      index: context.env['JOB_COMPLETION_INDEX'],
      interrupted,
    });
  },
});

const merge = command({
  name: 'load merge',
  summary: 'Merge the reports of injectors that shared a load',
  arguments: {
    reports: someArguments(
      'files with what `sluice --json load` printed, or logs with such lines; - for standard input',
    ),
  },
  options: {
    partial: flag('merge although reports of some parts are missing'),
    html: text('<file>', 'write the report as a page'),
  },
  examples: ['load merge part-0.json part-1.json --html report.html', '--json load merge logs.txt'],
  run: async ({ output }, { arguments: { reports }, options }) => {
    const { loadMergeCommand } = await import('./load-merge.ts');
    return loadMergeCommand({ reports, ...options }, output);
  },
});

export default group({
  name: 'load',
  summary: load.summary,
  order: 60,
  own: load,
  commands: [merge],
});
