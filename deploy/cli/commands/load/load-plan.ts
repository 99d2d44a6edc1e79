/**
 * The options of `load` as a plan, checked. Pure.
 */
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { loadPartsMax, loadSecondsMax } from '../../../load/find-reports.ts';
import type { LoadPlan } from '../../../load/report.ts';
import { streamOf } from '../send/send-options.ts';

export type LoadOptions = Readonly<Record<string, string | boolean | undefined>>;

/**
 * `index`: of this injector, as the environment says. Throws `SluiceError` with the code of the
 * option that is wrong.
 */
export function planOf(own: LoadOptions, url: URL, index: string | undefined): LoadPlan {
  const stream = streamOf(own['stream']);
  const protocol = String(own['protocol']);
  if (protocol !== 'http' && protocol !== 'ws')
    throw new SluiceError(
      'protocol-invalid',
      `invalid --protocol '${protocol}': expected http or ws`,
    );
  const ramp = own['ramp'] as string | undefined;
  const [from, to] = ramp === undefined ? [undefined, undefined] : rampOf(ramp);
  const rate = own['rate'] === undefined ? to : positive(own['rate'], 'rate');
  if (rate === undefined)
    throw new SluiceError('rate-missing', 'a load needs a rate', {
      fix: '--rate 4500 or --ramp 2500:4500',
    });
  if (to !== undefined && to !== rate) {
    throw new SluiceError('ramp-invalid', `--ramp ends at ${to} and --rate says ${rate}`, {
      fix: 'make them the same, or pass only one',
    });
  }
  return {
    target: url.origin,
    stream,
    protocol,
    rate,
    rampFrom: from,
    durationSeconds: secondsOf(String(own['duration'])),
    sizeBytes: bytesOf(String(own['size'])),
    connections: positive(own['connections'], 'connections'),
    keys: positive(own['keys'], 'keys'),
    ...shareOf(own, index),
  };
}

/** Which part of the load this injector has, and when all of them begin. */
function shareOf(
  own: LoadOptions,
  index: string | undefined,
): Pick<LoadPlan, 'parts' | 'part' | 'startAt'> {
  const parts = positive(own['parts'], 'parts');
  if (parts > loadPartsMax)
    throw new SluiceError('parts-invalid', `invalid --parts '${parts}'`, {
      fix: `expected at most ${loadPartsMax}`,
    });
  const text = own['part'] ?? (parts === 1 ? '0' : (index ?? ''));
  const part = /^\d{1,4}$/.test(String(text)) ? Number(text) : parts;
  if (part >= parts)
    throw new SluiceError('part-invalid', `invalid --part '${String(text)}'`, {
      fix: `expected a whole number from 0 to ${parts - 1}, here or as JOB_COMPLETION_INDEX`,
    });
  if (own['startAt'] === undefined && parts > 1)
    throw new SluiceError('start-at-invalid', 'parts of a load need an instant to begin at', {
      fix: 'pass the same --start-at to all of them, some minutes ahead',
    });
  return { parts, part, startAt: own['startAt'] as string | undefined };
}

function rampOf(text: string): readonly [number, number] {
  const match = /^(\d+):(\d+)$/.exec(text);
  const [from, to] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || from === 0 || to === 0)
    throw new SluiceError(
      'ramp-invalid',
      `invalid --ramp '${text}': expected FROM:TO in events a second, such as 2500:4500`,
    );
  return [from, to];
}

const invalid = {
  connections: 'connections-invalid',
  keys: 'keys-invalid',
  parts: 'parts-invalid',
  rate: 'rate-invalid',
} as const;

function positive(value: unknown, name: keyof typeof invalid): number {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new SluiceError(
    invalid[name],
    `invalid --${name} '${String(value)}': expected a whole number above 0`,
  );
}

/** `30s`, `5m` or seconds. */
function secondsOf(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(s|m)?$/.exec(text);
  if (match === null)
    throw new SluiceError(
      'duration-invalid',
      `invalid --duration '${text}': expected a time such as 30s or 5m`,
    );
  const seconds = Number(match[1]) * (match[2] === 'm' ? 60 : 1);
  if (seconds <= loadSecondsMax) return seconds;
  throw new SluiceError(
    'duration-invalid',
    `invalid --duration '${text}': expected at most ${loadSecondsMax / 60}m, a day`,
  );
}

/** `5kb`, `1mb` or bytes; 1 kb is 1,024 bytes. */
function bytesOf(text: string): number {
  const match = /^(\d+)(b|kb|mb)?$/i.exec(text);
  if (match === null)
    throw new SluiceError(
      'size-invalid',
      `invalid --size '${text}': expected a size such as 200b, 5kb or 1mb`,
    );
  return (
    Number(match[1]) *
    { b: 1, kb: 1_024, mb: 1_048_576 }[(match[2] ?? 'b').toLowerCase() as 'b' | 'kb' | 'mb']
  );
}
