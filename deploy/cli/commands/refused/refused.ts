/**
 * `sluice refused`: events that were acknowledged from a spool and that their stream then refused
 * permanently. They are in `spool/<team>/<app>/<route>.refused` and nowhere else: this lists them,
 * shows them, sends them again through the ingress, or drops them. The ingress may run meanwhile.
 *
 * Invariants:
 * 1. An event leaves the file only once the ingress acknowledged it, or somebody said by name that
 *    it is to be dropped.
 * 2. One that is refused again stays, behind the others.
 */
import type { Spool, SpooledRecord } from '../../../../ingest/delivery/spool.ts';
import { openSpool } from '../../../../ingest/delivery/spool.ts';
import type { SpoolFolder } from '../../../../ingest/delivery/spool-folders.ts';
import { isSpool, listSpoolFolders } from '../../../../ingest/delivery/spool-folders.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import { spoolDir } from '../../../host/layout.ts';
import type { Output } from '../../output.ts';
import { streamOf } from '../send/send-options.ts';
import type { ResendOptions } from './refused-send.ts';
import { decodeSpooled, sendAgain } from './refused-send.ts';

/** How long a command waits for the file of refused events, and characters of data shown. */
const refusedLockMaxMs = 5_000;
const refusedShownMaxChars = 2_000;

export interface RefusedCommand {
  readonly action: string;
  /** `team/app`; default all. */
  readonly stream: string | undefined;
  /** Events that `show` prints. */
  readonly limit: string;
  readonly yes: boolean;
  readonly url: string | undefined;
  readonly key: string | undefined;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

/** A batch that is read at once. */
const readBounds = { maxRecords: 100, maxBytes: limits.batchMaxBytes };
const lockPauseMs = 100;

/**
 * Returns the exit code: 1 when events are still refused. Throws `SluiceError` `refused-action`,
 * `stream-invalid`, `not-confirmed`, `folder-in-use`, and those of sending.
 */
export async function refusedCommand(command: RefusedCommand): Promise<number> {
  const { action, output } = command;
  const folders = await foldersOf(command);
  switch (action) {
    case 'list':
      return list(folders, command);
    case 'show':
      return show(folders, command);
    case 'send':
      return send(folders, command);
    case 'drop':
      return drop(folders, command);
    default:
      output.note('sluice refused list | show | send | drop');
      throw new SluiceError(
        'refused-action',
        `unknown action '${action}': expected list, show, send or drop`,
      );
  }
}

async function foldersOf({ dir, stream }: RefusedCommand): Promise<readonly SpoolFolder[]> {
  const named = stream === undefined ? undefined : streamOf(stream);
  const found: SpoolFolder[] = [];
  for (const folder of await listSpoolFolders(spoolDir(dir))) {
    if (
      folder.holds === 'refused' &&
      (named === undefined || folder.stream === named) &&
      (await isSpool(folder))
    )
      found.push(folder);
  }
  return found;
}

/** An ingress that runs has a folder for moments only: that is waited for. */
async function within<T>(
  { dir }: SpoolFolder,
  { clock }: RefusedCommand,
  what: (spool: Spool) => Promise<T>,
): Promise<T> {
  const begunMs = clock.monotonic();
  for (;;) {
    let spool: Spool;
    try {
      spool = await openSpool({ dir, clock, maxBytes: Number.MAX_SAFE_INTEGER });
    } catch (thrown) {
      const isHeld = thrown instanceof SluiceError && thrown.code === 'folder-in-use';
      if (!isHeld || clock.monotonic() - begunMs >= refusedLockMaxMs) throw thrown;
      await sleep(clock, lockPauseMs);
      continue;
    }
    try {
      return await what(spool);
    } finally {
      await spool.close();
    }
  }
}

async function list(folders: readonly SpoolFolder[], command: RefusedCommand): Promise<number> {
  const { clock, output } = command;
  const held: {
    readonly stream: string;
    readonly path: string;
    readonly events: number;
    readonly bytes: number;
    readonly since: string;
  }[] = [];
  for (const folder of folders) {
    const { stream, route } = folder;
    await within(folder, command, async (spool) => {
      if (spool.records === 0) return;
      const since = new Date(clock.now() - spool.oldestAgeMs(clock.now())).toISOString();
      held.push({ stream, path: route, events: spool.records, bytes: spool.bytes, since });
    });
  }
  if (output.json) output.line(JSON.stringify({ refused: held }));
  else if (held.length === 0) output.line('no refused events');
  else
    for (const { stream, path, events, bytes, since } of held)
      output.line(`${stream} ${path}: ${events} events, ${bytes} bytes, since ${since}`);
  return 0;
}

async function show(folders: readonly SpoolFolder[], command: RefusedCommand): Promise<number> {
  const max = Number(command.limit);
  if (!Number.isSafeInteger(max) || max < 1)
    throw new SluiceError(
      'option-invalid',
      `invalid --limit '${command.limit}': expected a number of events`,
    );
  let left = max;
  for (const folder of folders) {
    await within(folder, command, async (spool) => {
      while (left > 0) {
        const found = await spool.read({
          ...readBounds,
          maxRecords: Math.min(left, readBounds.maxRecords),
        });
        if (found.length === 0) return;
        for (const record of found) command.output.line(JSON.stringify(shown(folder, record)));
        left -= found.length;
      }
    });
  }
  return 0;
}

/** One line of JSON. Data beyond a bound is cut, as text. */
function shown({ stream, route }: SpoolFolder, spooled: SpooledRecord): object {
  const decoded = decodeSpooled(spooled);
  if ('problem' in decoded)
    return { stream, path: route, offset: spooled.offset, problem: decoded.problem };
  const { attributes, text } = decoded;
  const data =
    text.length <= refusedShownMaxChars
      ? (JSON.parse(text) as unknown)
      : `${text.slice(0, refusedShownMaxChars)}...`;
  return {
    stream,
    path: route,
    offset: spooled.offset,
    dataBytes: decoded.data.length,
    attributes,
    data,
  };
}

async function send(folders: readonly SpoolFolder[], command: RefusedCommand): Promise<number> {
  const { output } = command;
  let [sent, refused] = [0, 0];
  for (const folder of folders) {
    const options: ResendOptions = { ...command, folder, bounds: readBounds };
    const done = await within(folder, command, (spool) => sendAgain(spool, options));
    sent += done.sent;
    refused += done.refused;
    for (const [reason, count] of done.reasons)
      output.note(`${folder.stream} ${folder.route}: ${count} refused again: ${reason}`);
  }
  output.line(
    output.json
      ? JSON.stringify({ sent, refused })
      : `${sent} events sent, ${refused} refused again and kept`,
  );
  return refused === 0 ? 0 : 1;
}

async function drop(folders: readonly SpoolFolder[], command: RefusedCommand): Promise<number> {
  const { output, stream, yes } = command;
  if (stream === undefined || !yes) {
    throw new SluiceError('not-confirmed', 'dropped events exist nowhere else', {
      fix: 'look at them with `sluice refused show`, then pass the stream and --yes',
    });
  }
  let dropped = 0;
  for (const folder of folders) {
    await within(folder, command, async (spool) => {
      const { records } = spool;
      let last: number | undefined;
      for (
        let found = await spool.read(readBounds);
        found.length > 0;
        found = await spool.read(readBounds)
      )
        last = found.at(-1)?.offset;
      if (last !== undefined) await spool.drainedTo(last);
      dropped += records;
    });
  }
  output.line(output.json ? JSON.stringify({ dropped }) : `${dropped} events dropped`);
  return 0;
}
