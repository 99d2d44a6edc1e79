/**
 * `sluice flink build|run|submit|status|savepoint|drain|cancel|positions|return`: how to call each.
 */
import type { Context } from '../../command.ts';
import { argument, command, flag, group, text, textOr } from '../../command.ts';
import type { JobOptions } from './flink-jobs-command.ts';

const file = argument('file of the topology');
const topology = argument('name of the topology, which is the name of its job');

const cluster = {
  url: textOr('<url>', 'http://127.0.0.1:8081', 'REST API of the Flink cluster, http or https'),
  authorizationFrom: text(
    '<variable>',
    'variable of the environment with the header Authorization, such as Basic dXNlcjpwYXNz',
  ),
  wait: textOr('<time>', '10m', 'how long to wait for what Flink is asked to do'),
} as const;
const job = text('<id>', "id of the job, where several have the topology's name");
const directory = text(
  '<uri>',
  "folder for the savepoint, as the cluster sees it (default: the cluster's own)",
);
const settings = text('<file>', 'settings of the job: its sources, sinks and intervals, as JSON');
const jar = text('<file>', "the job's jar (default: it is built by Maven, once)");
const flinkVersion = text(
  '<version>',
  'version of Flink that Maven builds the jar for: 1.20 or 2.2 (default: 1.20)',
);

const flinkBuild = command({
  name: 'flink build',
  summary: 'Write the plan, the script and the settings of a Flink job, or a jar with them in it',
  arguments: { file },
  options: {
    settings,
    out: text('<folder>', 'where to write them (default: beside the topology, NAME.flink)'),
    into: text('<jar>', "write a copy of the job's jar with them in it, ready for upload"),
    jar,
    flinkVersion,
  },
  examples: [
    'flink build topology.ts --settings settings.json',
    'flink build topology.ts --settings settings.json --into clicks.jar',
  ],
  run: async (context, { arguments: given, options }) => {
    const { buildFlinkCommand } = await import('./flink-build.ts');
    return buildFlinkCommand(context, { ...given, ...options });
  },
});

const flinkRun = command({
  name: 'flink run',
  summary: 'Run a topology on a Flink cluster inside one process, to try it',
  arguments: { file },
  options: {
    settings,
    jar,
    flinkVersion,
    flink: text(
      '<folder>',
      'jars of Flink, such as /opt/flink/lib (default: fetched by Maven, once)',
    ),
  },
  examples: ['flink run topology.ts --settings settings.json'],
  run: async (context, { arguments: given, options }) => {
    const { runFlinkCommand } = await import('./flink-run.ts');
    return runFlinkCommand(context, { ...given, ...options });
  },
});

const flinkSubmit = command({
  name: 'flink submit',
  summary: 'Upload a topology to a Flink cluster and start it',
  arguments: { file },
  options: {
    ...cluster,
    settings,
    jar,
    flinkVersion,
    parallelism: text('<n>', "parallelism of the job (default: that of the cluster's settings)"),
    from: text(
      '<path>',
      'savepoint to start from, as `flink savepoint` and `flink drain` print it',
    ),
    allowNonRestored: flag('start also where the savepoint has state that no node takes'),
  },
  examples: [
    'flink submit topology.ts --settings settings.json --url http://127.0.0.1:8081',
    'flink submit topology.ts --settings settings.json --from file:///savepoints/savepoint-1-2',
  ],
  run: async (context, { arguments: given, options }) => {
    const { submitFlinkCommand } = await import('./flink-submit.ts');
    return submitFlinkCommand(context, { ...given, ...options });
  },
});

const jobCommand =
  (verb: 'status' | 'savepoint' | 'drain' | 'cancel') =>
  async (context: Context, given: Omit<JobOptions, 'verb'>): Promise<number> => {
    const { flinkJobCommand } = await import('./flink-jobs-command.ts');
    return flinkJobCommand(context, { ...given, verb });
  };

const flinkStatus = command({
  name: 'flink status',
  summary: "Show a topology's job on Flink: its state, its tasks and its last checkpoint",
  arguments: { topology },
  options: { ...cluster, job },
  examples: ['flink status clicks'],
  run: (context, { arguments: given, options }) =>
    jobCommand('status')(context, { ...given, ...options }),
});

const flinkSavepoint = command({
  name: 'flink savepoint',
  summary: 'Keep the state of a running job on Flink',
  arguments: { topology },
  options: { ...cluster, job, directory },
  examples: ['flink savepoint clicks --directory s3://bucket/savepoints'],
  run: (context, { arguments: given, options }) =>
    jobCommand('savepoint')(context, { ...given, ...options }),
});

const flinkDrain = command({
  name: 'flink drain',
  summary: 'End a job on Flink for good: all windows fire, then it stops with a savepoint',
  arguments: { topology },
  options: { ...cluster, job, directory },
  examples: ['flink drain clicks'],
  run: (context, { arguments: given, options }) =>
    jobCommand('drain')(context, { ...given, ...options }),
});

const flinkCancel = command({
  name: 'flink cancel',
  summary: 'End a job on Flink at once, or with a savepoint to go on from later',
  arguments: { topology },
  options: {
    ...cluster,
    job,
    directory,
    keep: flag('stop it with a savepoint first; no window fires early'),
  },
  examples: ['flink cancel clicks', 'flink cancel clicks --keep'],
  run: (context, { arguments: given, options }) =>
    jobCommand('cancel')(context, { ...given, ...options }),
});

const flinkPositions = command({
  name: 'flink positions',
  summary: 'Write settings of a job that begins where a topology stopped here',
  arguments: { file },
  options: {
    settings,
    out: text('<file>', 'where to write them (default: they are printed)'),
    notDrained: flag(
      'also from a checkpoint that is not the end of a drain: open windows are lost',
    ),
  },
  examples: ['flink positions topology.ts --settings settings.json --out moved.json'],
  run: async (context, { arguments: given, options }) => {
    const { flinkPositionsCommand } = await import('./flink-positions.ts');
    return flinkPositionsCommand(context, { ...given, ...options });
  },
});

const flinkReturn = command({
  name: 'flink return',
  summary: 'Keep where a job on Flink stopped as a savepoint that the topology starts from here',
  arguments: { file },
  options: {
    ...cluster,
    job,
    log: text('<file>', 'log of the end of the job, if no cluster can be asked'),
    name: textOr('<name>', 'from-flink', 'name of the savepoint'),
  },
  examples: ['flink return topology.ts', 'flink return topology.ts --log job.log --name back'],
  writes: true,
  run: async (context, { arguments: given, options }) => {
    const { flinkReturnCommand } = await import('./flink-return.ts');
    return flinkReturnCommand(context, { ...given, ...options });
  },
});

export default group({
  name: 'flink',
  summary: 'Run topologies on Apache Flink',
  order: 145,
  commands: [
    flinkBuild,
    flinkRun,
    flinkSubmit,
    flinkStatus,
    flinkSavepoint,
    flinkDrain,
    flinkCancel,
    flinkPositions,
    flinkReturn,
  ],
});
