/**
 * `sluice flink submit`: uploads the job's jar where the cluster does not have it, and starts a
 * topology.
 *
 * A topology whose job runs there already is not started a second time: both would write the same
 * rows. This is best effort: Flink has no lock for a name, so that two that are submitted at the
 * same moment both start. Then at least one of the two commands tells so and fails.
 */
import { createHash } from 'node:crypto';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { jobJar } from '../../../flink/jar.ts';
import { entryIn } from '../../../flink/jar-entries.ts';
import { isEnded, listJobs, untilRunning } from '../../../flink/rest/flink-jobs.ts';
import type { FlinkRest } from '../../../flink/rest/flink-rest.ts';
import type { Context } from '../../command.ts';
import type { ClusterOptions } from './cluster.ts';
import { openCluster } from './cluster.ts';
import type { FlinkParts, SourceOptions } from './flink-build.ts';
import { flinkParts, lineOf, readJar } from './flink-build.ts';

export interface SubmitOptions extends ClusterOptions, SourceOptions {
  readonly parallelism: string | undefined;
  readonly from: string | undefined;
  readonly allowNonRestored: boolean;
}

/**
 * What the REST API takes as arguments is not documented; 54 KB of base64 were accepted, and Netty
 * takes a body of `rest.server.max-content-length` (100 MB). Beyond this, put them into the jar.
 */
const argumentsMaxBytes = 16_777_216;

/** Resolves with the exit code. Throws `SluiceError`: see what it calls. */
export async function submitFlinkCommand(
  context: Context,
  options: SubmitOptions,
): Promise<number> {
  const { output, clock } = context;
  const parallelism = parallelismOf(options.parallelism);
  const flink = lineOf(options);
  const { rest, waiting } = openCluster(options, context);
  const more = parallelism === undefined ? {} : { parallelism };
  const parts = await flinkParts(options, clock, more);
  const { name } = parts.bundle.plan;
  await requireNone(rest, name);
  const jar = readJar(options.jar ?? (await jobJar({ flink, engine: parts.engine })));
  const uploaded = await uploadOnce(rest, jar, output.note);
  const programArgsList = argumentsOf(parts, jar);
  // The upload took its time.
  await requireNone(rest, name);
  const id = await rest.run(uploaded, {
    programArgsList,
    ...(parallelism === undefined ? {} : { parallelism }),
    ...(options.from === undefined ? {} : { savepointPath: options.from }),
    ...(options.allowNonRestored ? { allowNonRestoredState: true } : {}),
  });
  output.note(`job ${id} of '${name}' is submitted`);
  const state = await untilRunning(rest, id, waiting);
  await requireNoOther(rest, name, id);
  if (output.json)
    output.line(JSON.stringify({ topology: name, job: id, state, digest: parts.bundle.digest }));
  else output.line(`topology ${name}: ${state}, job ${id} at ${rest.shown}`);
  return 0;
}

/** Throws `SluiceError` `option-invalid`. */
function parallelismOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  // Key groups of a job: more subtasks would have none.
  const most = 128;
  if (/^[1-9]\d*$/.test(text) && Number(text) <= most) return Number(text);
  throw new SluiceError(
    'option-invalid',
    `invalid --parallelism '${text}': expected a whole number from 1 to ${most}`,
  );
}

/** Throws `SluiceError` `flink-job-running`. */
async function requireNone(rest: FlinkRest, topology: string): Promise<void> {
  const running = (await listJobs(rest)).find((job) => job.name === topology && !isEnded(job));
  if (running === undefined) return;
  throw new SluiceError(
    'flink-job-running',
    `job ${running.id} of '${topology}' is ${running.state} at ${rest.shown} already`,
    { fix: 'end it first with `sluice flink drain` or `sluice flink cancel --keep`' },
  );
}

/** Throws `SluiceError` `flink-job-ambiguous`. */
async function requireNoOther(rest: FlinkRest, topology: string, id: string): Promise<void> {
  const other = (await listJobs(rest)).find(
    (job) => job.name === topology && job.id !== id && !isEnded(job),
  );
  if (other === undefined) return;
  throw new SluiceError(
    'flink-job-ambiguous',
    `job ${other.id} of '${topology}' was submitted at the same time as ${id}: both run at ${rest.shown}`,
    { fix: `cancel one, such as with \`sluice flink cancel ${topology} --job ${id}\`` },
  );
}

/** A jar's name has its digest, so that the same one is not uploaded twice. */
async function uploadOnce(
  rest: FlinkRest,
  jar: Buffer<ArrayBuffer>,
  note: (text: string) => void,
): Promise<string> {
  const digest = createHash('sha256').update(jar).digest('hex').slice(0, 16);
  const name = `sluice-${digest}.jar`;
  const { files = [] } = (await rest.get('/jars')) as {
    readonly files?: readonly { readonly id: string; readonly name: string }[];
  };
  const known = files.find((file) => file.name === name);
  if (known !== undefined) return known.id;
  note(`uploading the job (${(jar.length / 1_048_576).toFixed(1)} MiB)`);
  return rest.upload(name, jar);
}

/** None where the jar has the topology in it. Throws `SluiceError` `flink-bundle`. */
function argumentsOf({ bundle, settings }: FlinkParts, jar: Buffer): readonly string[] {
  const inside = entryIn(jar, 'sluice/bundle.js');
  if (inside !== undefined) {
    if (inside === bundle.bundle) return [];
    throw new SluiceError(
      'flink-bundle',
      'the topology in the jar is another one than that of the file',
      {
        fix: 'build the jar again with `sluice flink build --into`',
      },
    );
  }
  const args = [
    ...['--plan64', base64(bundle.planText)],
    ...['--bundle64', base64(bundle.bundle)],
    ...['--settings64', base64(settings)],
  ];
  if (args.join('').length <= argumentsMaxBytes) return args;
  throw new SluiceError('flink-bundle', 'the topology is too large to be sent as arguments', {
    fix: 'put it into the jar: sluice flink build FILE --into topology.jar, then submit with --jar topology.jar',
  });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
