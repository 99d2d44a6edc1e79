/**
 * `sluice flink positions`: settings of a job that begins where the topology's last checkpoint here
 * ends.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Manifest } from '../../../../topology/checkpoint/manifest.ts';
import { checkpointStore } from '../../../../topology/checkpoint/store.ts';
import { boundedBundle } from '../../../flink/check/evaluate.ts';
import { movedSettings } from '../../../flink/positions.ts';
import { readSettings } from '../../../flink/read-settings.ts';
import type { Context } from '../../command.ts';
import { withSavepoints } from '../savepoint/savepoint-store.ts';

export interface PositionsOptions {
  readonly file: string;
  readonly settings: string | undefined;
  readonly out: string | undefined;
  readonly notDrained: boolean;
}

/**
 * Resolves with the exit code. Throws what `boundedBundle` and `readSettings` throw, and
 * `flink-positions`.
 */
export async function flinkPositionsCommand(
  context: Context,
  { file, settings, out, notDrained }: PositionsOptions,
): Promise<number> {
  const { output, clock } = context;
  const { plan } = await boundedBundle(file, clock);
  const given = readSettings(settings, plan);
  const manifest = await lastCheckpoint(context, plan.name);
  const moved = movedSettings(given, manifest, { orOpen: notDrained });
  for (const note of moved.notes) output.note(note);
  const text = JSON.stringify(moved.settings, null, 2);
  if (out === undefined) {
    output.line(text);
    return 0;
  }
  mkdirSync(dirname(resolve(out)), { recursive: true });
  writeFileSync(out, `${text}\n`);
  const { checkpoint } = manifest;
  const { splits } = moved;
  if (output.json)
    output.line(JSON.stringify({ topology: plan.name, checkpoint, splits, written: out }));
  else
    output.line(
      `${relative(process.cwd(), resolve(out))} written: the job begins behind checkpoint ${checkpoint} of ${plan.name}, at ${splits} splits`,
    );
  return 0;
}

async function lastCheckpoint(context: Context, topology: string): Promise<Manifest> {
  const found = await withSavepoints(context, (blobs) => checkpointStore(blobs, topology).latest());
  if (found !== undefined) return found;
  throw new SluiceError('flink-positions', `'${topology}' has no checkpoint here`, {
    fix: 'name the folder of the instance with --dir, or the configuration of `sluice enrich` with --config',
  });
}
