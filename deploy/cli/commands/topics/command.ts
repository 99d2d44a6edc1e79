/**
 * `sluice topics plan|apply`: how they are called.
 */
import { command, group, text, texts } from '../../command.ts';

const options = {
  stream: texts('<streams...>', 'only these streams, as team/app'),
  only: text('<service>', 'kinesis or kafka, where something else makes the other'),
} as const;

const topicsPlan = command({
  name: 'topics plan',
  summary: 'Show which Kinesis streams and Kafka topics would be created and altered',
  options,
  examples: ['topics plan', 'topics plan --only kafka --stream shop/clicks'],
  run: async (context, { options: own }) => {
    const { topicsCommand } = await import('./topics.ts');
    return topicsCommand(context, { ...own, apply: false });
  },
});

const topicsApply = command({
  name: 'topics apply',
  summary: 'Create and alter the Kinesis streams and Kafka topics of the configuration',
  options,
  examples: ['topics apply'],
  run: async (context, { options: own }) => {
    const { topicsCommand } = await import('./topics.ts');
    return topicsCommand(context, { ...own, apply: true });
  },
});

export default group({
  name: 'topics',
  summary: 'Work with the Kinesis streams and Kafka topics of the configuration',
  order: 175,
  commands: [topicsPlan, topicsApply],
});
