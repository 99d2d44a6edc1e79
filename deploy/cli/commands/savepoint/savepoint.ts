/**
 * `sluice savepoint TOPOLOGY`, `savepoint list` and `savepoint delete`: has a running topology keep
 * its state under a name, and shows and deletes what is kept.
 */
import type { Environment } from '../../../../schemas/config-file.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import type { SavepointInfo } from '../../../../topology/index.ts';
import { deleteSavepoint, listSavepoints } from '../../../../topology/index.ts';
import type { SavepointReply } from '../../../host/commands.ts';
import { commandInstance } from '../../ask.ts';
import type { Output } from '../../output.ts';
import { withSavepoints } from './savepoint-store.ts';

export interface SavepointCommand {
  readonly topology: string;
  readonly of: string | undefined;
  readonly savepoint: string | undefined;
  /** Of a new one. */
  readonly name: string | undefined;
  readonly config: string | undefined;
  readonly dir: string;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

const startingMaxMs = 30_000;
const pollMs = 100;
const mebi = 1_048_576;

/** Throws `SluiceError` `savepoint-invalid`, and what the action throws. */
export function savepointCommand(command: SavepointCommand): Promise<number> {
  const { topology, of, savepoint, name } = command;
  if (topology === 'list') {
    const more = savepoint ?? name;
    if (more !== undefined) throw invalid('list [TOPOLOGY]', more);
    return list(command);
  }
  if (topology === 'delete') {
    if (of === undefined || savepoint === undefined || name !== undefined)
      throw invalid('delete TOPOLOGY NAME', name);
    return remove(command, of, savepoint);
  }
  if (of !== undefined) throw invalid('TOPOLOGY [--name NAME]', of);
  return take(command);
}

/** `more`: what does not belong there. */
function invalid(expected: string, more?: string): SluiceError {
  const found = more === undefined ? '' : `unexpected '${more}': `;
  return new SluiceError('savepoint-invalid', `${found}expected \`sluice savepoint ${expected}\``);
}

/**
 * Throws `SluiceError` `not-running`, `topology-unknown`, `savepoint-name-invalid`,
 * `savepoint-exists`, `savepoint-failed`.
 */
async function take({ topology, name, dir, clock, output }: SavepointCommand): Promise<number> {
  const asked = name ?? nameOfTime(clock.now());
  let reply = await begin({ dir, topology, name: asked, clock });
  while (reply.state === 'taking') {
    if (!output.json) output.note(`the savepoint '${asked}' of ${topology} is being taken`);
    reply = await ask(dir, { topology, name: asked, again: true });
  }
  const { savepoint } = reply;
  if (output.json) {
    output.line(JSON.stringify(savepoint));
    return 0;
  }
  output.line(
    `savepoint '${savepoint.name}' of ${savepoint.topology}: checkpoint ${savepoint.checkpoint ?? '?'}, ${sizeOf(savepoint)}`,
  );
  output.line(`start from it with --from savepoint:${savepoint.topology}/${savepoint.name}`);
  return 0;
}

/** A topology that is starting is asked again for a while. */
async function begin({
  dir,
  clock,
  ...request
}: {
  readonly dir: string;
  readonly topology: string;
  readonly name: string;
  readonly clock: Clock;
}): Promise<SavepointReply> {
  const deadline = clock.monotonic() + startingMaxMs;
  for (;;) {
    try {
      return await ask(dir, { ...request, again: false });
    } catch (thrown) {
      const isStarting = thrown instanceof SluiceError && thrown.code === 'topology-starting';
      if (!isStarting || clock.monotonic() > deadline) throw thrown;
    }
    await sleep(clock, pollMs);
  }
}

async function ask(dir: string, request: object): Promise<SavepointReply> {
  return (await commandInstance(dir, '/_sluice/savepoint', request)) as SavepointReply;
}

async function list(command: SavepointCommand): Promise<number> {
  const { output, of } = command;
  const all = await withSavepoints(command, (blobs) => listSavepoints(blobs));
  const shown = of === undefined ? all : all.filter(({ topology }) => topology === of);
  if (output.json) output.line(JSON.stringify({ savepoints: shown }));
  else if (shown.length === 0) output.line('there are no savepoints');
  else for (const savepoint of shown) output.line(lineOf(savepoint));
  return 0;
}

/** Throws `SluiceError` `savepoint-unknown`. */
async function remove(command: SavepointCommand, topology: string, name: string): Promise<number> {
  const { output } = command;
  await withSavepoints(command, (blobs) => deleteSavepoint(blobs, topology, name));
  output.line(
    output.json
      ? JSON.stringify({ deleted: { topology, name } })
      : `deleted the savepoint '${name}' of ${topology}`,
  );
  return 0;
}

function lineOf(savepoint: SavepointInfo): string {
  const { topology, name, problem, takenAtMs, checkpoint } = savepoint;
  if (problem !== null) return `${topology}  ${name}  ${problem}`;
  if (takenAtMs === null)
    return `${topology}  ${name}  not finished: nothing can start from it; delete it`;
  const at = new Date(takenAtMs).toISOString();
  return `${topology}  ${name}  ${at}  checkpoint ${checkpoint ?? '?'}  ${sizeOf(savepoint)}`;
}

function sizeOf({ files, bytes }: SavepointInfo): string {
  return `${files} files, ${(bytes / mebi).toFixed(1)} MiB`;
}

function nameOfTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}
