/**
 * Several injectors share one load, and their reports add up to what one injector would have
 * measured: as a property, and with real processes against a real ingress.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import type { LoadOptions } from '../../../deploy/cli/commands/load/load-plan.ts';
import { planOf } from '../../../deploy/cli/commands/load/load-plan.ts';
import { beginOf } from '../../../deploy/cli/commands/load/load-start.ts';
import type { LoadAnswer } from '../../../deploy/load/connection.ts';
import { noAnswer } from '../../../deploy/load/connection.ts';
import { findReports } from '../../../deploy/load/find-reports.ts';
import type { Measures } from '../../../deploy/load/measures.ts';
import { createMeasures, stages } from '../../../deploy/load/measures.ts';
import { mergeReports } from '../../../deploy/load/merge.ts';
import { reportPage } from '../../../deploy/load/page.ts';
import type { LoadPlan, LoadReport } from '../../../deploy/load/report.ts';
import { reportLines, reportOf, scheduleOf } from '../../../deploy/load/report.ts';
import { createSchedule, partOf } from '../../../deploy/load/schedule.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Ran, Started } from '../support.ts';
import { sluice, startSluice } from '../support.ts';

const plan: LoadPlan = {
  target: 'http://127.0.0.1:1',
  stream: 'd/e',
  protocol: 'http',
  rate: 100,
  rampFrom: undefined,
  durationSeconds: 3,
  sizeBytes: 200,
  connections: 4,
  keys: 10,
  startAt: '2026-01-02T09:00:00Z',
  parts: 1,
  part: 0,
};

interface Answered {
  readonly atMs: number;
  readonly latencyMs: number;
  readonly lagMs: number;
  readonly status: number;
}

function measuresOf(all: readonly Answered[]): Measures {
  const measures = createMeasures();
  for (const { atMs, latencyMs, lagMs, status } of all) {
    const answer: LoadAnswer = {
      ...noAnswer(status === 200 ? '' : 'busy'),
      status,
      ack: status === 200 ? 'replicated' : '',
      processingMs: latencyMs / 3,
      unknown: status === 0,
    };
    measures.answered(atMs, latencyMs, latencyMs / 2, answer);
    measures.lag(lagMs);
  }
  return measures;
}

/** As a pod prints it, and a program reads it. */
function reportIn(all: readonly Answered[], part: number, parts: number): LoadReport {
  const own = { ...plan, parts, part };
  const counts = {
    sent: all.length + part,
    notSent: part,
    inFlight: 0,
    waiting: 0,
    bytes: all.length * 200,
    elapsedMs: 3_000 + part,
  };
  const schedule = partOf(scheduleOf(own), part, parts);
  const report = reportOf(own, schedule, counts, measuresOf(all), Date.parse('2026-01-02T09:00Z'));
  return JSON.parse(JSON.stringify(report)) as LoadReport;
}

const found = (reports: readonly LoadReport[]) =>
  reports.map((report, index) => ({ place: `file-${index}`, report }));
const merged = (reports: readonly LoadReport[], isPartial = false): LoadReport =>
  mergeReports(found(reports), isPartial);
function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof SluiceError) return `${thrown.code}: ${thrown.message}`;
    throw thrown;
  }
  return 'nothing';
}

const answered: fc.Arbitrary<Answered> = fc.record({
  atMs: fc.integer({ min: 0, max: 3_500 }),
  latencyMs: fc.oneof(
    fc.double({ min: 0, max: 20, noNaN: true }),
    fc.double({ min: 0, max: 60_000, noNaN: true }),
  ),
  lagMs: fc.double({ min: 0, max: 50, noNaN: true }),
  status: fc.constantFrom(200, 200, 503, 0),
});

describe('parts of a load', () => {
  it('are together the whole load, each request once and at its time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 7 }),
        (rate, rampFrom, parts) => {
          const whole = createSchedule({ rate, rampFrom, durationMs: 2_000 });
          const times = Array.from({ length: parts }, (_, part) => {
            const share = partOf(whole, part, parts);
            expect(share.dueMs(share.count)).toBeUndefined();
            return Array.from({ length: share.count }, (_unused, n) => share.dueMs(n) as number);
          }).flat();
          const expected = Array.from({ length: whole.count }, (_, n) => whole.dueMs(n));
          expect(times.sort((a, b) => a - b)).toEqual(expected);
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('merged reports', () => {
  it('have the counts of all, and the percentiles of one histogram of all values', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(answered, { maxLength: 60 }), { minLength: 2, maxLength: 5 }),
        (parts) => {
          const reports = parts.map((all, part) => reportIn(all, part, parts.length));
          const whole = reportIn(parts.flat(), 0, 1);
          const sum = merged(reports.toReversed());
          for (const name of ['answered', 'accepted', 'unknown', 'bytes'] as const)
            expect(sum[name]).toBe(whole[name]);
          for (const name of ['statuses', 'acks', 'routes', 'errors'] as const)
            expect(sum[name]).toEqual(whole[name]);
          expect(sum.intended).toBe(whole.intended);
          expect(sum.latency).toEqual(whole.latency);
          expect(sum.percentiles).toEqual(whole.percentiles);
          expect(sum.injector.lag).toEqual(whole.injector.lag);
          expect(sum.bySecond).toEqual(whole.bySecond);
          const extra = (parts.length * (parts.length - 1)) / 2;
          expect([sum.notSent, sum.sent]).toEqual([extra, sum.answered + extra]);
          expect(sum.seconds).toBe(3 + (parts.length - 1) / 1_000);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('say which injector fell behind, however few values it has', () => {
    const value = (lagMs: number): Answered => ({ atMs: 1, latencyMs: 1, lagMs, status: 200 });
    const good = Array.from({ length: 500 }, () => value(1));
    const sum = merged([reportIn(good, 0, 2), reportIn([value(400)], 1, 2)]);
    expect([sum.injector.keptUp, sum.injector.lag.p99 < 20]).toEqual([false, true]);
    expect(reportLines(sum).join('\n')).toMatch(/injectors fell behind: part 1 was 40\d\.\d ms/);
  });

  const one = (part: number, change: Partial<LoadPlan> = {}): LoadReport => {
    const report = reportIn([{ atMs: 1, latencyMs: 1, lagMs: 0, status: 200 }], part, 3);
    return { ...report, plan: { ...report.plan, ...change } };
  };

  it('are refused where they are not of one load, with what differs', () => {
    const all = [one(0), one(1), one(2)];
    expect(refusalOf(() => merged(all))).toBe('nothing');
    const other = [one(0), one(1, { target: 'http://127.0.0.1:2' }), one(2)];
    expect(refusalOf(() => merged(other))).toBe(
      'reports-mixed: file-0 and file-1 are not of one load: target is http://127.0.0.1:1 and http://127.0.0.1:2',
    );
    for (const change of [
      { stream: 'd/f' },
      { rate: 99 },
      { rampFrom: 5 },
      { startAt: '2026-01-02T09:00:01Z' },
      { connections: 5 },
    ] satisfies Partial<LoadPlan>[])
      expect(refusalOf(() => merged([one(0), one(1, change), one(2)]))).toContain(
        `${Object.keys(change)[0]} is `,
      );
    expect(refusalOf(() => merged([one(0), one(1), one(1)]))).toBe(
      'reports-mixed: file-1 and file-2 are both of part 1',
    );
    expect(refusalOf(() => merged([merged(all)]))).toContain('merged already');
    const { startAt: _, ...without } = one(0).plan;
    expect(refusalOf(() => merged([{ ...one(0), plan: without as LoadPlan }]))).toContain(
      'began when it was called',
    );
  });

  it('are refused where a part is missing, unless that is wanted: then they say so', () => {
    const some = [one(0), one(2)];
    expect(refusalOf(() => merged(some))).toBe(
      'report-missing: the load had 3 parts, and no report is of part 1',
    );
    expect(reportLines(merged(some, true)).join('\n')).toContain(
      'without part 1: these figures are not the whole load',
    );
    expect(merged(some, true).intended).toBe(200);
  });

  it('are refused where one was cut or changed', () => {
    const line = JSON.stringify(one(0));
    const changed = (change: (report: LoadReport) => object): string =>
      refusalOf(() => findReports(JSON.stringify({ ...one(0), ...change(one(0)) }), 'f'));
    expect(findReports(`starting\n${line}\n{"kind":1}\n${line}`, 'f').map((r) => r.place)).toEqual([
      'f:2',
      'f:4',
    ]);
    expect(refusalOf(() => findReports(line.slice(0, -9), 'f'))).toContain('no report of a load');
    expect(changed(() => ({ sent: '5' }))).toContain("a 'sent' that is not as it was written");
    expect(changed(() => ({ histograms: undefined }))).toContain("no 'histograms'");
    expect(changed(({ plan: own }) => ({ plan: { ...own, parts: 1e9 } }))).toContain("a 'plan'");
    const { histograms } = one(0);
    const damaged = { ...histograms, lag: 'AAAA' };
    expect(refusalOf(() => merged([{ ...one(0), histograms: damaged }, one(1), one(2)]))).toContain(
      'a histogram of the report in file-0 cannot be read',
    );
    expect(refusalOf(() => merged([{ ...one(0), answered: 2 }, one(1), one(2)]))).toContain(
      'has 2 answers, and 1 in its histogram',
    );
  });
});

describe('a report that somebody made', () => {
  const own = reportIn([{ atMs: 1, latencyMs: 1, lagMs: 0, status: 200 }], 0, 1);
  const said = (change: object): string =>
    refusalOf(() => merge(JSON.stringify({ ...own, ...change })));
  const merge = (text: string): LoadReport => mergeReports(findReports(text, 'f'), false);
  const planned = (change: object): string => said({ plan: { ...own.plan, ...change } });

  it('goes on as it is', () => {
    expect([said({}), planned({ rampFrom: 5 })]).toEqual(['nothing', 'nothing']);
  });

  it('has no markup where a number or a name belongs, and none in the page', () => {
    const markup = '<img src=x onerror=alert(1)>';
    for (const name of Object.keys(own.plan).filter((key) => !['target', 'stream'].includes(key)))
      expect([name, planned({ [name]: [markup] })]).toEqual([
        name,
        expect.stringContaining("a 'plan' that is not as it was written"),
      ]);
    expect(planned({ rampFrom: null })).toContain("a 'plan'");
    const names = { [markup]: 1, constructor: 2 };
    const page = reportPage({
      ...merge(JSON.stringify({ ...own, routes: names })),
      plan: {
        ...own.plan,
        target: markup,
        stream: markup,
        sizeBytes: markup,
        connections: markup,
      } as never,
    });
    expect([page.includes('<img'), page.includes('&lt;img')]).toEqual([false, true]);
    expect(page).toContain('<td>constructor</td><td>2</td>');
  });

  it('takes no more than one of a load, and is refused in a sentence', () => {
    const bySecond = (rows: number): object => ({
      histograms: { ...own.histograms, bySecond: Array<string>(rows).fill(own.histograms.lag) },
    });
    expect(said(bySecond(63))).toBe('nothing');
    expect(said(bySecond(64))).toContain('more seconds in its histograms than in its plan');
    expect(planned({ durationSeconds: 86_401 })).toContain("a 'plan'");
    expect(said({ seconds: 1e300 })).toContain("a 'seconds'");
    expect(said({ startedAt: '+275760-09-13T00:00:00Z' })).toContain("a 'startedAt'");
    const lag = (text: string): string => said({ histograms: { ...own.histograms, lag: text } });
    expect(lag('A'.repeat(2 ** 20 + 1))).toContain("a 'histograms'");
    expect(lag(histogramOf(Buffer.alloc(64 * 2 ** 20)))).toContain('cannot be read');
    expect(lag(histogramOf(plainOf()))).toBe('nothing');
    expect(lag(histogramOf(plainOf({ digits: 5 })))).toContain('it has 5 digits from 1 on, not 3');
    expect(lag(histogramOf(plainOf({ highest: 2n ** 62n })))).toContain('its highest value is 46');
    // Zeros that are left out, as many as a number can say: a walk over them would never end.
    const endless = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07]);
    expect(lag(histogramOf(plainOf({ counts: endless })))).toContain(
      'it has more than 34816 counts',
    );
    expect(lag(histogramOf(plainOf({ counts: Buffer.alloc(9, 0xff) })))).toContain(
      'it has a count above 2^53 - 1',
    );
    expect(lag(histogramOf(plainOf({ counts: Buffer.from([0x80]) })))).toContain('are cut off');
  });
});

/** As HdrHistogram inflates it. */
function plainOf({ digits = 3, highest = 3_600_000_000n, counts = Buffer.from([2]) } = {}): Buffer {
  const head = Buffer.alloc(40);
  head.writeInt32BE(0x1c849313, 0);
  head.writeInt32BE(counts.length, 4);
  head.writeInt32BE(digits, 12);
  head.writeBigInt64BE(1n, 16);
  head.writeBigInt64BE(highest, 24);
  return Buffer.concat([head, counts]);
}

function histogramOf(plain: Buffer): string {
  const body = deflateSync(plain);
  const head = Buffer.alloc(8);
  head.writeInt32BE(0x1c849314, 0);
  head.writeInt32BE(body.length, 4);
  return Buffer.concat([head, body]).toString('base64');
}

/** For a machine that does much else. */
const slow = { timeout: 300_000 };

describe('sluice load in parts', () => {
  const args = (startAt: string): readonly string[] => [
    ...['load', '--stream', 'd/e', '--rate', '150', '--ramp', '50:150', '--duration', '2s'],
    ...['--size', '1kb', '--connections', '2', '--parts', '2', '--start-at', startAt],
  ];

  /** Both parts, on an instant by which both run; later where the machine is slow. */
  async function runParts(data: string, aheadMs = 4_000): Promise<readonly Ran[]> {
    const startAt = new Date(Date.now() + aheadMs).toISOString();
    const ran = await Promise.all(
      ['0', '1'].map((index) =>
        sluice(['--dir', data, '--json', ...args(startAt)], undefined, {
          JOB_COMPLETION_INDEX: index,
        }),
      ),
    );
    const isLate = ran.some(({ out }) => out.includes('"start-at-invalid"'));
    return isLate && aheadMs < 100_000 ? runParts(data, aheadMs * 4) : ran;
  }

  async function withInstance(run: (dir: string, started: Started) => Promise<void>) {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-load-parts-'));
    writeFileSync(join(dir, 'sluice.yaml'), 'streams: [{team: d, app: e}]\ningress: {port: 0}\n');
    const started = await startSluice(join(dir, 'data'), ['--config', join(dir, 'sluice.yaml')]);
    try {
      await run(dir, started);
    } finally {
      await started.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }

  it('sends the whole load from two processes, and merges what they printed', slow, async () => {
    await withInstance(async (dir) => {
      const ran = await runParts(join(dir, 'data'));
      for (const { code, out, err } of ran)
        expect([code, err, out.length > 0]).toEqual([
          0,
          expect.not.stringContaining('defect'),
          true,
        ]);
      const logs = join(dir, 'logs.txt');
      // As the logs of pods come: notes and reports, one pod behind the other.
      writeFileSync(logs, ran.map(({ out, err }) => `${err}${out}`).join(''));
      const page = join(dir, 'all.html');
      const whole = await sluice(['--json', 'load', 'merge', logs, '--html', page]);
      expect(whole.code).toBe(0);
      const report = JSON.parse(whole.out) as LoadReport;
      const parts = ran.map(({ out }) => JSON.parse(out) as LoadReport);
      expect(parts.map(({ plan: { part } }) => part)).toEqual([0, 1]);
      expect(parts.map(({ startedAt }) => startedAt)).toEqual([report.startedAt, report.startedAt]);
      expect(report).toMatchObject({ intended: 250, sent: 250, accepted: 250, notSent: 0 });
      expect(parts.map(({ accepted }) => accepted)).toEqual([125, 125]);
      const status = JSON.parse(
        (await sluice(['--dir', join(dir, 'data'), '--json', 'status'])).out,
      ) as { ingress: { received: number } };
      expect(status.ingress.received).toBe(250);
      for (const stage of stages) {
        const [sum, ...more] = parts.map(({ histograms }) =>
          decodeFromCompressedBase64(histograms.byStage[stage]),
        );
        for (const other of more) sum?.add(other);
        const { p50, p99, p999, max, count } = report.latency[stage];
        expect(count).toBe(sum?.totalCount);
        if (count > 0)
          expect([p50, p99, p999, max]).toEqual(
            [50, 99, 99.9, 100].map((p) => (sum?.getValueAtPercentile(p) ?? Number.NaN) / 1_000),
          );
      }
      const text = await sluice(['load', 'merge', logs]);
      expect(text.out).toMatch(/2 connections in each of 2 parts.*\n {2}all parts together, from /);
      expect(readFileSync(page, 'utf8')).toContain('All parts together, from');
    });
  });

  it('says what is wrong with the parts before it sends anything', () => {
    const url = new URL('http://127.0.0.1:1');
    const plain = {
      ...{ stream: 'd/e', rate: '5', duration: '1s', size: '1kb', connections: '1' },
      ...{ protocol: 'http', keys: '1', parts: '1' },
    };
    const plans = (own: LoadOptions, index?: string): string =>
      refusalOf(() => planOf({ ...plain, ...own }, url, index));
    expect(plans({}, '3')).toBe('nothing');
    expect(plans({ parts: '4', startAt: '2026-01-02T09:00:00Z' }, '3')).toBe('nothing');
    expect(plans({ parts: '2', part: '1' })).toContain('need an instant to begin at');
    expect(plans({ parts: '2', part: '2' })).toBe("part-invalid: invalid --part '2'");
    expect(plans({ parts: '2' }, '2')).toBe("part-invalid: invalid --part '2'");
    expect(plans({ parts: '2' })).toBe("part-invalid: invalid --part ''");
    expect(plans({ parts: '0' })).toContain('invalid --parts');
    expect(plans({ parts: '5000' })).toContain('invalid --parts');
    expect(plans({ duration: '1440m' })).toBe('nothing');
    expect(plans({ duration: '86401s' })).toContain('expected at most 1440m, a day');
    const clock = manualClock(Date.parse('2026-01-02T09:00:00Z'));
    const begins = (text: string): string => refusalOf(() => beginOf(text, clock));
    expect(begins('2026-01-02T09:00:01Z')).toBe('nothing');
    expect(begins('2026-01-02T08:59:58Z')).toContain('it was 2.0 s ago');
    expect(begins('2026-01-02T12:00:00Z')).toContain('it is 180 minutes ahead');
    expect(begins('soon')).toContain("invalid --start-at 'soon'");
  });

  it('asks for what it needs, and leaves `load merge` alone with it', async () => {
    const [load, merge] = await Promise.all([
      sluice(['load']),
      sluice(['load', 'merge', '/none/x.json']),
    ]);
    const foreign = await sluice(['load', 'merge', '/none/x.json', '--rate', '5']);
    expect([foreign.code, foreign.err]).toEqual([
      2,
      expect.stringContaining("unknown option '--rate'"),
    ]);
    expect([load.code, load.err]).toEqual([
      2,
      expect.stringContaining("required option '--stream <team/app>' not specified"),
    ]);
    expect([merge.code, merge.err]).toEqual([1, expect.stringContaining('/none/x.json')]);
  });
});
