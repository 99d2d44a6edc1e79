/**
 * `sluice key new`: how it is called.
 */
import { command, group, requiredText, requiredTexts, texts } from '../../command.ts';

const keyNew = command({
  name: 'key new',
  summary: 'Create an API key, and print its entry for the configuration',
  options: {
    name: requiredText('<name>', 'name of the key in logs, metrics and warnings'),
    stream: requiredTexts('<patterns...>', 'what it may write to: team/app, team/* or */*'),
    origin: texts('<origins...>', 'pages that may use it, such as https://shop.example'),
  },
  examples: ['key new --name web-shop --stream shop/clicks --origin https://shop.example'],
  run: async ({ random, output }, { options: { name, stream, origin } }) => {
    const { keyCommand } = await import('./key.ts');
    return keyCommand({ name, streams: stream, origins: origin, random, output });
  },
});

export default group({
  name: 'key',
  summary: 'Work with API keys',
  order: 160,
  commands: [keyNew],
});
