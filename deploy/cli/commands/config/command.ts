/**
 * `sluice config check|schema`: how they are called.
 */
import { command, flag, group, optionalArgument } from '../../command.ts';

const configCheck = command({
  name: 'config check',
  summary: 'Check a configuration, and show every value and where it came from',
  arguments: { file: optionalArgument('file to check (default: the one of --config)') },
  options: { explain: flag('also show what each setting is, and settings without a value') },
  examples: ['config check', 'config check sluice.yaml --explain'],
  run: async ({ configFile, env, output }, { arguments: { file }, options: { explain } }) => {
    const check = await import('./config-check.ts');
    return check.configCheck({ file: file ?? configFile(), env, explain }, output);
  },
});

const configSchema = command({
  name: 'config schema',
  summary: 'Print the JSON Schema of the configuration, for editors',
  examples: ['config schema > sluice.schema.json'],
  run: async ({ output }) => {
    const schema = await import('./config-schema.ts');
    return schema.configSchema(output);
  },
});

export default group({
  name: 'config',
  summary: 'Work with the configuration',
  order: 170,
  commands: [configCheck, configSchema],
});
