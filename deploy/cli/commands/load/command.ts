/**
 * `sluice load`: how it is called.
 */
import { command, flag, text, textOr } from '../../command.ts';
import { key, stream, url } from '../../shared-options.ts';

export default command({
  name: 'load',
  summary: 'Send events at a fixed rate, and measure',
  order: 60,
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
    key,
    html: text('<file>', 'write the report as a page'),
    remote: flag('allow a target that is not this machine'),
  },
  examples: ['load --stream shop/clicks --rate 4500 --duration 1m --html report.html'],
  run: async (context, { options }) => {
    const { loadCommand } = await import('./load.ts');
    const interrupted = new Promise<void>(
      (resolve) => void process.once('SIGINT', () => resolve()),
    );
    return loadCommand({
      ...context,
      own: options,
      environmentKey: context.env['SLUICE_KEY'],
      interrupted,
    });
  },
});
