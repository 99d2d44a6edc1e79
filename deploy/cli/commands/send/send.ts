/**
 * `sluice send`: posts the events of a file or of standard input, in their order. Waits when it is
 * told to, rides out an ingress that is started again, and resumes a file where it was interrupted.
 *
 * Invariants:
 * 1. Progress is a low-water mark: every event before it was accepted or refused permanently.
 *    Events after it may be sent twice, under their ids.
 * 2. The key is in no output.
 */
import { checkJson, findPointer, isFault } from '../../../../schemas/json-scan.ts';
import { assert } from '../../../../schemas/kernel/assert.ts';
import { mebi } from '../../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import { findInstance } from '../../../host/instance.ts';
import type { Output } from '../../output.ts';
import { noteOfPlain } from '../../plain-secret.ts';
import type { SendInput } from './send-input.ts';
import { openInput } from './send-input.ts';
import { Lanes } from './send-lanes.ts';
import type { Marker } from './send-marker.ts';
import { markerOf } from './send-marker.ts';
import type { SendOptions } from './send-options.ts';
import { sendOptions, targetOf } from './send-options.ts';
import type { InputEvent } from './send-pieces.ts';
import type { Interruption } from './send-post.ts';
import { Interrupted, postEvents } from './send-post.ts';
import { sendProgress } from './send-progress.ts';
import { openSender } from './send-request.ts';
import type { Totals } from './send-totals.ts';
import { countRefused, emptyTotals, reportTotals } from './send-totals.ts';
import { eventsOf } from './send-values.ts';

/** An event that is read, which is more than an ingress accepts, and the events of one request. */
const sendEventMaxBytes = 64 * mebi;
const sendBodyMaxBytes = 4 * mebi;
assert(
  limits.bodyDecodedMaxBytes <= sendEventMaxBytes,
  'what is too large for an ingress is reported in its own words',
);

export interface SendCommand {
  readonly file: string;
  readonly own: Readonly<Record<string, string | boolean | undefined>>;
  /** The key of the environment, which other users of the machine cannot see. */
  readonly environmentKey: string | undefined;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

const defaultUrl = 'http://127.0.0.1:8080';
const saveEveryMs = 250;
/** How long events wait for more to go with. */
const lingerMs = 200;
const signalExitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Returns the exit code: 0 when every event was accepted, 1 when some were refused, 130 and 143
 * when it was interrupted.
 */
export async function sendCommand(command: SendCommand): Promise<number> {
  const { file, own, clock, output } = command;
  const options = sendOptions(own, command.environmentKey);
  const url = own['url'];
  const target = targetOf(
    typeof url === 'string' ? url : ((await findInstance(command.dir))?.url ?? defaultUrl),
    options.stream,
  );
  const input = openInput(file);
  const marker =
    input.stats === undefined
      ? undefined
      : markerOf(command.dir, file, input.stats, target, options.resume);
  if (marker !== undefined && marker.events > 0)
    output.note(`${file}: resuming after ${marker.events} events that were sent before`);
  if (options.key !== undefined) noteOfPlain('the key', target, output);
  const totals = emptyTotals();
  const startedMs = clock.monotonic();
  const { interruption, signal, release } = interruptions();
  try {
    await sendAll({ command, options, target, input, marker, totals, interruption });
  } catch (thrown) {
    if (!(thrown instanceof Interrupted)) throw withProgress(thrown, totals, marker);
  } finally {
    release();
  }
  const seconds = (clock.monotonic() - startedMs) / 1_000;
  const caught = signal();
  if (caught !== undefined) {
    const next =
      marker === undefined ? `${input.name} cannot be resumed` : 'run the same command to resume';
    output.note(`interrupted after ${totals.sent} events; ${next}`);
    return signalExitCodes[caught];
  }
  marker?.clear();
  reportTotals(totals, seconds, options.stream, output);
  return totals.refused > 0 ? 1 : 0;
}

interface Run {
  readonly command: SendCommand;
  readonly options: SendOptions;
  readonly target: URL;
  readonly input: SendInput;
  readonly marker: Marker | undefined;
  readonly totals: Totals;
  readonly interruption: Interruption;
}

function lanesOf(
  { command, options, target, totals, interruption }: Omit<Run, 'input' | 'marker'>,
  sender: ReturnType<typeof openSender>,
): Lanes {
  const { clock, random, output } = command;
  const { timeoutMs } = options;
  const context = { sender, target, timeoutMs, totals, clock, random, interruption };
  return new Lanes({
    lanes: options.concurrency,
    maxEvents: options.batchEvents,
    maxBytes: sendBodyMaxBytes,
    keyOf: keyedBy(options.keyPointer),
    post: (events) => postEvents(events, { ...context, note: output.note }),
  });
}

/** Keeps the progress also when it fails. */
async function sendAll({
  command,
  options,
  target,
  input,
  marker,
  totals,
  interruption,
}: Run): Promise<void> {
  const { clock, output } = command;
  const sender = openSender(target, options.key, options.concurrency);
  const lanes = lanesOf({ command, options, target, totals, interruption }, sender);
  const progress = sendProgress(input.stats?.size ?? 0, output, clock);
  const settled = (): number => totals.sent + totals.refused;
  let last = marker?.events ?? 0;
  let savedMs = clock.monotonic();
  const save = (): void => {
    savedMs = clock.monotonic();
    const problem = marker?.save(lanes.lowWater(last));
    if (problem !== undefined) output.note(problem);
  };
  // Ends the reading too, whatever it waits for.
  void interruption.happened.then(() => input.close());
  try {
    const groups = eventsOf(input.chunks, input.name, options.format, sendEventMaxBytes);
    for await (const group of untilQuiet(groups, clock)) {
      if (group === 'quiet') await lanes.flush();
      else
        for (const event of group) {
          if (interruption.requested) throw new Interrupted();
          if (event.number <= last) continue;
          if (event.fault !== undefined) countRefused(totals, event.line, event.fault);
          else await lanes.add(event);
          last = event.number;
        }
      lanes.check();
      if (clock.monotonic() - savedMs > saveEveryMs) {
        save();
        progress.update(settled(), input.consumed());
      }
    }
    if (interruption.requested) throw new Interrupted();
    await lanes.flush();
    await lanes.settled();
    lanes.check();
  } catch (thrown) {
    // What was read before the input failed is sent.
    if (!interruption.requested) await lanes.flush().catch(() => undefined);
    await lanes.settled();
    save();
    throw interruption.requested ? new Interrupted() : thrown;
  } finally {
    progress.stop(settled(), input.consumed());
    input.close();
    sender.close();
  }
}

/**
 * The groups, and that none came for a while: a source that is slow, such as a pipe, must not keep
 * back what it gave.
 */
async function* untilQuiet(
  groups: AsyncGenerator<readonly InputEvent[]>,
  clock: Clock,
): AsyncGenerator<readonly InputEvent[] | 'quiet'> {
  for (;;) {
    const next = groups.next();
    const first = await orQuiet(next, clock);
    if (first === 'quiet') yield first;
    const { done, value } = first === 'quiet' ? await next : first;
    if (done === true) return;
    yield value;
  }
}

function orQuiet<T>(next: Promise<T>, clock: Clock): Promise<T | 'quiet'> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(lingerMs, () => resolve('quiet'));
    void next.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** What in an event must keep its order; all that have none are of one key. */
function keyedBy(
  pointer: readonly string[] | undefined,
): ((event: InputEvent) => string) | undefined {
  if (pointer === undefined) return undefined;
  return ({ text }) => {
    const checked = checkJson(text);
    const found = isFault(checked) ? undefined : findPointer(text, checked, pointer);
    return found === undefined ? '' : text.toString('latin1', found.start, found.end);
  };
}

/** The failure, and how far the command came. */
function withProgress(
  thrown: unknown,
  { sent, refused }: Totals,
  marker: Marker | undefined,
): unknown {
  if (!(thrown instanceof SluiceError) || sent + refused === 0) return thrown;
  const resume =
    marker === undefined ? 'standard input cannot be resumed' : 'the same command resumes';
  const fix = thrown.fix === undefined ? resume : `${thrown.fix}; ${resume}`;
  return new SluiceError(thrown.code, `${thrown.message} (${sent} events were accepted before)`, {
    cause: thrown,
    retryable: thrown.retryable,
    fix,
  });
}

/** The first SIGINT or SIGTERM ends the command in order, a second one at once. */
function interruptions(): {
  readonly interruption: Interruption;
  signal: () => keyof typeof signalExitCodes | undefined;
  release: () => void;
} {
  let caught: keyof typeof signalExitCodes | undefined;
  let happen = (): void => undefined;
  const interruption: Interruption = {
    requested: false,
    happened: new Promise((resolve) => {
      happen = resolve;
    }),
  };
  const on = (signal: keyof typeof signalExitCodes): void => {
    caught ??= signal;
    interruption.requested = true;
    happen();
    release();
  };
  const release = (): void => {
    process.removeListener('SIGINT', on);
    process.removeListener('SIGTERM', on);
  };
  process.once('SIGINT', on);
  process.once('SIGTERM', on);
  return { interruption, signal: () => caught, release };
}
