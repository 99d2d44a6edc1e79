/**
 * `sluice load`: sends events at a rate that nothing slows down, and tells what became of them.
 */
import { writeFileSync } from 'node:fs';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import { uuidv7 } from '../../../../schemas/kernel/random.ts';
import { findInstance } from '../../../host/instance.ts';
import type { OpenConnection } from '../../../load/connection.ts';
import { httpConnection } from '../../../load/http-connection.ts';
import type { Injector } from '../../../load/injector.ts';
import { startInjector } from '../../../load/injector.ts';
import type { Measures } from '../../../load/measures.ts';
import { createMeasures } from '../../../load/measures.ts';
import { reportPage } from '../../../load/page.ts';
import type { LoadPlan, LoadReport } from '../../../load/report.ts';
import { reportLines, reportOf, scheduleOf } from '../../../load/report.ts';
import { partOf } from '../../../load/schedule.ts';
import { wsConnection } from '../../../load/ws-connection.ts';
import type { Output } from '../../output.ts';
import type { LoadOptions } from './load-plan.ts';
import { planOf } from './load-plan.ts';
import { beginOf, waitFor } from './load-start.ts';

export interface LoadCommand {
  readonly own: LoadOptions;
  /** The key of the environment. */
  readonly environmentKey: string | undefined;
  /** Which of several injectors this is, as the environment says. */
  readonly index: string | undefined;
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
  const plan = planOf(own, url, command.index);
  const { part = 0, parts, keys } = plan;
  const schedule = partOf(scheduleOf(plan), part, parts);
  const begin = beginOf(plan.startAt, clock);
  const isInterrupted = await waitFor(begin, command);
  const measures = createMeasures();
  const run = uuidv7(clock.now(), random);
  const bodyOf = bodies(plan.sizeBytes, run);
  const injector = startInjector({
    schedule,
    connections: plan.connections,
    open: connectionsTo(command, url, plan),
    requestOf: (share) => {
      const n = share * parts + part;
      return { id: `${run}-${n}`, key: `key-${n % keys}`, body: bodyOf(n) };
    },
    measures,
    clock,
    startMs: begin.monotonicMs,
    graceMs,
  });
  if (isInterrupted) injector.stop();
  void command.interrupted.then(() => injector.stop());
  const progress = showProgress(injector, measures, clock, output);
  await injector.done;
  progress.stop();
  return giveReport(
    reportOf(plan, schedule, injector.counts(), measures, begin.epochMs),
    own['html'],
    output,
  );
}

/** 0 when every event that was intended was accepted, else 1. */
export function giveReport(
  report: LoadReport,
  page: string | boolean | undefined,
  output: Output,
): number {
  if (typeof page === 'string') {
    writeFileSync(page, reportPage(report));
    output.note(`the report with plots is in ${page}`);
  }
  if (output.json) output.line(JSON.stringify(report));
  else for (const line of reportLines(report)) output.line(line);
  return report.accepted === report.intended ? 0 : 1;
}

function connectionsTo(
  { own, environmentKey, clock }: LoadCommand,
  url: URL,
  { stream, protocol }: LoadPlan,
): OpenConnection {
  const apiKey = (own['key'] ?? environmentKey) as string | undefined;
  const target = { url, stream, apiKey, now: () => clock.now() };
  return (ready) =>
    protocol === 'ws' ? wsConnection(target, ready) : httpConnection(target, ready);
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
