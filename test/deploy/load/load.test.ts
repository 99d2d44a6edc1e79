/**
 * The load injector: its schedule, that a stalling server is charged for the stall, and its report.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LoadAnswer, LoadConnection, LoadRequest } from '../../../deploy/load/connection.ts';
import { noAnswer } from '../../../deploy/load/connection.ts';
import { readAnswer } from '../../../deploy/load/http-connection.ts';
import { startInjector } from '../../../deploy/load/injector.ts';
import { createMeasures } from '../../../deploy/load/measures.ts';
import { reportPage } from '../../../deploy/load/page.ts';
import type { LoadReport } from '../../../deploy/load/report.ts';
import { reportOf } from '../../../deploy/load/report.ts';
import { createSchedule } from '../../../deploy/load/schedule.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { sluice, startSluice } from '../support.ts';

const accepted: LoadAnswer = {
  ...noAnswer(''),
  status: 200,
  ack: 'replicated',
  route: 'kinesis',
  unknown: false,
};

describe('a schedule', () => {
  it('is even without a ramp', () => {
    const schedule = createSchedule({ rate: 100, durationMs: 1_000 });
    expect([schedule.count, schedule.dueMs(0), schedule.dueMs(50), schedule.dueMs(100)]).toEqual([
      100,
      0,
      500,
      undefined,
    ]);
  });

  it('rises evenly over its first half, then holds: what is due by a time is the area under its rate', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 2, max: 60 }),
        (from, rate, seconds) => {
          const schedule = createSchedule({ rate, durationMs: seconds * 1_000, rampFrom: from });
          let area = 0;
          for (let atMs = 0.5; atMs < seconds * 1_000; atMs++)
            area += schedule.rateAt(atMs) / 1_000;
          expect(Math.abs(schedule.count - area)).toBeLessThanOrEqual(1 + area / 1_000);
          let last = -1;
          for (let n = 0; n < schedule.count; n += Math.max(1, Math.floor(schedule.count / 50))) {
            const due = schedule.dueMs(n) as number;
            expect(due).toBeGreaterThanOrEqual(last);
            expect(due).toBeLessThan(seconds * 1_000);
            last = due;
          }
        },
      ),
      { numRuns: 30 },
    );
  });
});

/** A server with one place that answers when it is told. */
function heldServer() {
  const waiting: ((answer: LoadAnswer) => void)[] = [];
  let ready = (): void => undefined;
  const sent: LoadRequest[] = [];
  const connection: LoadConnection = {
    get room() {
      return waiting.length === 0 ? 1 : 0;
    },
    send(request, done) {
      sent.push(request);
      waiting.push(done);
    },
    close: () => undefined,
  };
  return {
    sent,
    open: (onReady: () => void) => {
      ready = onReady;
      return connection;
    },
    answer() {
      waiting.shift()?.(accepted);
      ready();
    },
  };
}

describe('the injector', () => {
  it('charges a server that stalls for a second with all that was due meanwhile, and shows what would be hidden', () => {
    const clock = manualClock();
    const server = heldServer();
    const measures = createMeasures();
    const schedule = createSchedule({ rate: 100, durationMs: 2_000 });
    const requestOf = (n: number): LoadRequest => ({ id: String(n), key: 'k', body: '{}' });
    const injector = startInjector({
      schedule,
      connections: 1,
      open: server.open,
      requestOf,
      measures,
      clock,
      graceMs: 10_000,
    });
    for (let ms = 0; ms < 2_100; ms++) {
      clock.advance(1);
      const stalled = ms >= 500 && ms < 1_500;
      // It answers at once, but for one second.
      while (!stalled && injector.counts().inFlight > 0) server.answer();
    }
    expect(server.sent).toHaveLength(200);
    expect(measures.count).toBe(200);
    const { endToEnd, service } = {
      endToEnd: measures.summary('endToEnd'),
      service: measures.summary('service'),
    };
    // One request was under way through the stall; a hundred waited for it.
    expect(service.p90).toBeLessThan(5);
    expect(endToEnd.p50).toBeLessThan(20);
    expect(endToEnd.p90).toBeGreaterThan(700);
    expect(endToEnd.max).toBeGreaterThan(950);
  });

  it('counts what it could not send, and ends after its grace', async () => {
    const clock = manualClock();
    const never: LoadConnection = { room: 0, send: () => undefined, close: () => undefined };
    const measures = createMeasures();
    const schedule = createSchedule({ rate: 10, durationMs: 1_000 });
    const injector = startInjector({
      schedule,
      connections: 1,
      open: () => never,
      requestOf: (n) => ({ id: String(n), key: 'k', body: '' }),
      measures,
      clock,
      graceMs: 500,
    });
    clock.advance(2_000);
    await injector.done;
    expect(injector.counts()).toMatchObject({ sent: 0, notSent: 10, waiting: 10 });
  });

  it('reads an answer only once it is whole', () => {
    const text =
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Sluice-Ack: replicated\r\nX-Network-Latency: 9ms\r\nX-Processing-Latency: 14ms\r\nServer-Timing: recv;dur=0.1, check;dur=0.2, bus;dur=13.7\r\nContent-Length: 27\r\n\r\n{"id":"a","route":"kafka"}\n';
    for (let end = 0; end < text.length; end++)
      expect(readAnswer(text.slice(0, end))).toBeUndefined();
    expect(readAnswer(text)).toEqual({
      status: 200,
      ack: 'replicated',
      route: 'kafka',
      networkMs: 9,
      processingMs: 14,
      busMs: 13.7,
      error: '',
      unknown: false,
    });
  });
});

describe('the page', () => {
  it('loads nothing, runs nothing, and escapes what came from outside', () => {
    const measures = createMeasures();
    for (let n = 0; n < 500; n++)
      measures.answered(n * 10, n / 10, n / 20, {
        ...accepted,
        error: n === 3 ? '<script>alert(1)</script>' : '',
      });
    const schedule = createSchedule({ rate: 100, durationMs: 5_000 });
    const plan = {
      target: 'http://127.0.0.1:1',
      stream: '"><img src=x>/b',
      protocol: 'http',
      rate: 100,
      rampFrom: undefined,
      durationSeconds: 5,
      sizeBytes: 200,
      connections: 4,
      keys: 10,
      startAt: undefined,
      parts: 1,
      part: 0,
    } as const;
    const counts = {
      sent: 500,
      notSent: 0,
      inFlight: 0,
      waiting: 0,
      bytes: 100_000,
      elapsedMs: 5_000,
    };
    const page = reportPage(reportOf(plan, schedule, counts, measures, 0));
    expect(page).not.toMatch(/<script|<img|<link|@import|url\(|src=x>|https?:\/\/(?!127\.0\.0\.1)/);
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    // Every element that is opened is closed.
    const open: string[] = [];
    for (const [, slash, name = '', self] of page.matchAll(/<(\/?)([a-z1-6]+)[^>]*?(\/?)>/g)) {
      if (slash === '/') expect(open.pop()).toBe(name);
      else if (self !== '/' && name !== 'meta') open.push(name);
    }
    expect(open).toEqual([]);
  });
});

describe('sluice load', () => {
  it.each(['http', 'ws'])('sends over %s to a running instance and reports', async (protocol) => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-load-'));
    writeFileSync(join(dir, 'sluice.yaml'), 'streams: [{team: d, app: e}]\ningress: {port: 0}\n');
    const started = await startSluice(join(dir, 'data'), ['--config', join(dir, 'sluice.yaml')]);
    try {
      const page = join(dir, 'report.html');
      const args = [
        '--stream',
        'd/e',
        '--rate',
        '200',
        '--ramp',
        '100:200',
        '--duration',
        '2s',
        '--size',
        '5kb',
        '--connections',
        '4',
      ];
      const ran = await sluice([
        '--dir',
        join(dir, 'data'),
        '--json',
        'load',
        ...args,
        '--protocol',
        protocol,
        '--html',
        page,
      ]);
      expect(ran.err).not.toContain('defect');
      const report = JSON.parse(ran.out) as LoadReport;
      expect(ran.code).toBe(0);
      expect(report).toMatchObject({
        intended: 350,
        sent: 350,
        accepted: 350,
        notSent: 0,
        statuses: { 200: 350 },
        acks: { replicated: 350 },
        errors: {},
      });
      expect(report.latency.endToEnd.count).toBe(350);
      if (protocol === 'http')
        expect([report.latency.network.count, report.latency.bus.count]).toEqual([350, 350]);
      expect(readFileSync(page, 'utf8')).toContain('Latency by percentile');
      const status = JSON.parse(
        (await sluice(['--dir', join(dir, 'data'), '--json', 'status'])).out,
      ) as { ingress: { received: number } };
      expect(status.ingress.received).toBe(350);
    } finally {
      await started.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('says what is wrong with its flags, and goes nowhere else unless told so', async () => {
    const load = async (...args: string[]) =>
      (await sluice(['load', '--stream', 'd/e', ...args])).err;
    expect(await load()).toContain('a load needs a rate');
    expect(await load('--rate', '5', '--ramp', '1:6')).toContain('--ramp ends at 6');
    expect(await load('--rate', '5', '--size', 'big')).toContain("invalid --size 'big'");
    expect(await load('--rate', '5', '--url', 'http://example.com')).toContain('--remote');
  });
});
