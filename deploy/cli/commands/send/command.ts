/**
 * `sluice send`: how it is called.
 */
import { argument, command, flagOff, text, textOr } from '../../command.ts';
import { key, stream, url } from '../../shared-options.ts';

export default command({
  name: 'send',
  summary: 'Send events from a file: NDJSON or any JSON; plain, gzip or Zstandard',
  order: 50,
  arguments: { file: argument('file to read; - for standard input') },
  options: {
    stream,
    url,
    key,
    batch: textOr('<events>', '500', 'events in one request'),
    concurrency: textOr(
      '<requests>',
      '1',
      'requests in flight; with more than one, only --key-pointer keeps an order',
    ),
    keyPointer: text('<pointer>', 'value whose events stay in order, such as /userId'),
    format: textOr(
      '<format>',
      'auto',
      'lines (an event a line), json (any JSON; elements of an array are events), or auto',
    ),
    giveUpAfter: textOr('<seconds>', '60', 'time out when nothing is accepted for this long'),
    resume: flagOff('begin at the first event, whatever was sent before'),
  },
  examples: [
    'send events.ndjson --stream shop/clicks',
    'send events.json.gz --stream shop/clicks --concurrency 4 --key-pointer /userId',
  ],
  writes: true,
  run: async (context, { arguments: { file }, options }) => {
    const { sendCommand } = await import('./send.ts');
    return sendCommand({
      ...context,
      file,
      own: options,
      environmentKey: context.env['SLUICE_KEY'],
    });
  },
});
