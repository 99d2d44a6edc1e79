/** A topology as a local run (deploy/flink/job/src/test, `JobRun`). */
import type { FlinkLine } from '../../../deploy/flink/jar.ts';
import type { FlinkSettings } from '../../../deploy/flink/settings.ts';
import { LocalRun } from './local-run.ts';

export interface JobRunOptions {
  /** Of plan.json and bundle.js. */
  readonly folder: string;
  readonly settings: FlinkSettings;
  readonly parallelism: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly savepoint?: string | undefined;
  /** Default: that of `builtJob`. */
  readonly flink?: FlinkLine;
}

export function startJob(options: JobRunOptions): Promise<LocalRun> {
  const { folder, settings, parallelism, env, savepoint, flink } = options;
  const args = [folder, JSON.stringify(settings), String(parallelism)];
  if (savepoint !== undefined) args.push(savepoint);
  return LocalRun.start({ mainClass: 'JobRun', args, heapMb: 768, env, flink });
}
