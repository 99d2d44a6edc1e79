/**
 * `sluice load`: sends events at a rate that nothing slows down, and tells what became of them.
 */
import { writeFileSync } from 'node:fs';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import { uuidv7 } from '../../../../schemas/kernel/random.ts';
import { findInstance } from '../../../host/instance.ts';
import type { LoadConnection } from '../../../load/connection.ts';
import { httpConnection } from '../../../load/http-connection.ts';
import type { Injector } from '../../../load/injector.ts';
import { startInjector } from '../../../load/injector.ts';
import type { Measures } from '../../../load/measures.ts';
import { createMeasures } from '../../../load/measures.ts';
import { reportPage } from '../../../load/page.ts';
import type { LoadPlan } from '../../../load/report.ts';
import { reportLines, reportOf } from '../../../load/report.ts';
import { createSchedule } from '../../../load/schedule.ts';
import { wsConnection } from '../../../load/ws-connection.ts';
import type { Output } from '../../output.ts';
import { streamOf } from '../send/send-options.ts';

export interface LoadCommand {
  readonly own: Readonly<Record<string, string | boolean | undefined>>;
  /** The key of the environment. */
  readonly environmentKey: string | undefined;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
  /** Resolves when the person wants to end early. */
  readonly interrupted: Promise<void>;
}

const defaultUrl = 'http://127.0.0.1:8080';
const graceMs = 30_000;
const progressMs = 1_000;

/** 0 when every event that was intended was accepted, else 1. */
export async function loadCommand(command: LoadCommand): Promise<number> {
  const { own, clock, random, output } = command;
  const url = await targetOf(command);
  const plan = planOf(own, url);
  const schedule = createSchedule({
    rate: plan.rate,
    durationMs: plan.durationSeconds * 1_000,
    ...(plan.rampFrom === undefined ? {} : { rampFrom: plan.rampFrom }),
  });
  const measures = createMeasures();
  const run = uuidv7(clock.now(), random);
  const keys = positive(own['keys'], 'keys');
  const target = {
    url,
    stream: plan.stream,
    apiKey: (own['key'] ?? command.environmentKey) as string | undefined,
    now: () => clock.now(),
  };
  const open = (ready: () => void): LoadConnection =>
    plan.protocol === 'ws' ? wsConnection(target, ready) : httpConnection(target, ready);
  const bodyOf = bodies(plan.sizeBytes, run);
  const injector = startInjector({
    schedule,
    connections: plan.connections,
    open,
    requestOf: (n) => ({ id: `${run}-${n}`, key: `key-${n % keys}`, body: bodyOf(n) }),
    measures,
    clock,
    graceMs,
  });
  void command.interrupted.then(() => injector.stop());
  const progress = showProgress(injector, measures, clock, output);
  await injector.done;
  progress.stop();
  const report = reportOf(plan, schedule, injector.counts(), measures);
  const page = own['html'];
  if (typeof page === 'string') {
    writeFileSync(page, reportPage(report));
    output.note(`the report with plots is in ${page}`);
  }
  if (output.json) output.line(JSON.stringify(report));
  else for (const line of reportLines(report)) output.line(line);
  return report.accepted === report.intended ? 0 : 1;
}

async function targetOf({ own, dir }: LoadCommand): Promise<URL> {
  const given = own['url'] as string | undefined;
  const text = given ?? (await findInstance(dir))?.url ?? defaultUrl;
  if (!URL.canParse(text) || new URL(text).protocol !== 'http:') {
    throw new SluiceError(
      'url-invalid',
      `invalid --url '${text}': expected an http address such as http://127.0.0.1:8080`,
    );
  }
  const url = new URL(text);
  if (!/^(?:127\.[\d.]+|localhost|\[::1\])$/.test(url.hostname) && own['remote'] !== true) {
    throw new SluiceError('load-remote', `${url.host} is not this machine`, {
      fix: 'pass --remote to send the load there',
    });
  }
  return url;
}

function planOf(own: LoadCommand['own'], url: URL): LoadPlan {
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
  };
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
  return Number(match[1]) * (match[2] === 'm' ? 60 : 1);
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

/** JSON objects of about `size` bytes that differ in their number. */
function bodies(size: number, run: string): (n: number) => string {
  const words = 'small events take the short way and large ones the long way; ';
  const frame = `{"run":"${run}","n":,"text":""}`.length + 8;
  const text = words
    .repeat(Math.ceil(Math.max(0, size - frame) / words.length))
    .slice(0, Math.max(0, size - frame));
  return (n) => `{"run":"${run}","n":${n},"text":"${text}"}`;
}

function showProgress(
  injector: Injector,
  measures: Measures,
  clock: Clock,
  output: Output,
): { stop(): void } {
  const onTerminal = process.stderr.isTTY && !output.json;
  let before = 0;
  let second = 0;
  const show = (): void => {
    second++;
    const { sent, inFlight, waiting, notSent } = injector.counts();
    const { p50, p99 } = measures.summary('endToEnd');
    const errors = Object.values(measures.errors).reduce((sum, count) => sum + count, 0);
    const text = `${second} s: ${measures.count - before}/s answered, ${sent} sent, ${inFlight} in flight, ${waiting} waiting, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ${errors} errors, ${notSent} not sent`;
    before = measures.count;
    if (onTerminal) process.stderr.write(`\r\u001b[K${text}`);
    else if (second % 5 === 0) output.note(text);
    timer = clock.setTimer(progressMs, show);
  };
  let timer = clock.setTimer(progressMs, show);
  return {
    stop() {
      timer.cancel();
      if (onTerminal) process.stderr.write('\r\u001b[K');
    },
  };
}
