import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { pythonMissing } from '../servers/cache.ts';
import type { IngressReport } from './ingress-report.ts';
import { textOf } from './ingress-report.ts';

const main = fileURLToPath(new URL('ingress.js', import.meta.url));

describe('the ingress benchmark, in its short form', () => {
  it('finds every event that was answered in the stub, of each server, and gives all its figures', {
    timeout: 120_000,
  }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      main,
      '--short',
      ...(pythonMissing() === undefined ? [] : ['--no-seed']),
      '--json',
    ]);
    const report = JSON.parse(stdout) as IngressReport;
    const throughputs = [
      ...Object.values(report.compared),
      ...Object.values(report.small),
      report.seedTried,
      [report.webSockets],
    ].flat();
    expect(Object.keys(report.compared)).toEqual(expect.arrayContaining(['bare', 'naive', 'full']));
    expect(report.ratios.rateOverSeed.length).toBe(report.seedTried.length);
    for (const { events, failed, isComplete, cpuUsPerEvent, latency } of throughputs) {
      expect({ failed, isComplete }).toEqual({ failed: 0, isComplete: true });
      expect(events).toBeGreaterThan(0);
      expect(cpuUsPerEvent).toBeGreaterThan(0);
      expect(latency.p50).toBeLessThanOrEqual(latency.p99);
    }
    for (const { failed, isComplete, answeredPerSecond, rate } of [report.steady, report.ordered]) {
      expect({ failed, isComplete }).toEqual({ failed: 0, isComplete: true });
      expect(Math.round(answeredPerSecond)).toBe(rate);
    }
    expect(report.ratios.cpuOverNaive.length).toBe(1);
    expect(report.ratios.cpuOverNaive[0]).toBeGreaterThan(0);
    const text = textOf(report);
    expect(text.startsWith('ratio: ')).toBe(true);
    expect(text).not.toMatch(/NaN|undefined|FAILED|NOT ALL/);
  });
});
