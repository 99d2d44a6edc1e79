/**
 * `sluice schema types`: how it is called.
 */
import { command, flag, group, someArguments } from '../../command.ts';

const schemaTypes = command({
  name: 'schema types',
  summary: 'Write <name>.gen.ts beside each <name>.schema.json',
  arguments: { files: someArguments('JSON Schemas, each called <name>.schema.json') },
  options: { check: flag('write nothing; exit with 1 when one is stale') },
  examples: ['schema types schemas/*.schema.json', 'schema types --check schemas/*.schema.json'],
  run: async ({ output }, { arguments: { files }, options: { check } }) => {
    const types = await import('./schema-types.ts');
    return types.schemaTypes(files, check, output);
  },
});

export default group({
  name: 'schema',
  summary: 'Work with JSON Schemas',
  order: 150,
  commands: [schemaTypes],
});
