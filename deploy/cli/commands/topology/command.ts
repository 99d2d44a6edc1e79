/**
 * `sluice topology describe|check|build`: how they are called.
 */
import { anyArguments, argument, command, group, text, textOr } from '../../command.ts';

const file = argument('file of the topology');

const topologyDescribe = command({
  name: 'topology describe',
  summary: 'Draw a topology',
  arguments: { file },
  options: { format: textOr('<format>', 'mermaid', 'json, mermaid or dot') },
  examples: ['topology describe topology.ts --format dot'],
  run: async ({ output }, { arguments: given, options: { format } }) => {
    const { describeCommand } = await import('./topology.ts');
    return describeCommand(given.file, output.json ? 'json' : format, output);
  },
});

const topologyCheck = command({
  name: 'topology check',
  summary: 'Find everything that would keep a topology from running, before it starts',
  arguments: { file },
  options: { for: text('<target>', 'flink: also find what cannot run, or may differ, there') },
  examples: ['topology check topology.ts', 'topology check topology.ts --for flink'],
  run: async (context, { arguments: given, options }) => {
    const { checkCommand } = await import('./topology.ts');
    const { config, dir, env, clock, output } = context;
    const target = options.for;
    return checkCommand({ file: given.file, target, config, dir, env, clock }, output);
  },
});

const topologyBuild = command({
  name: 'topology build',
  summary: 'Check topologies, and bundle each into a file beside it for `sluice enrich`',
  arguments: { files: anyArguments('files of topologies (default: those of the configuration)') },
  examples: ['topology build', 'topology build topology.ts'],
  run: async ({ configFile, dir, env, clock, output }, { arguments: { files } }) => {
    const { buildCommand } = await import('./topology.ts');
    return buildCommand({ files, config: configFile(), dir, env, clock }, output);
  },
});

export default group({
  name: 'topology',
  summary: 'Work with topology files',
  order: 140,
  commands: [topologyDescribe, topologyCheck, topologyBuild],
});
