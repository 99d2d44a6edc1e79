/**
 * Look-ups by a connector on the job's operators, against a real server: the rows, rejections and
 * requests that the engine here gives, in its order and with its time.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { httpLookup } from '../../../enrich/lookup/http-lookup.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import type { Config } from '../../conformance/case.ts';
import { askedTopology, spinning, throwing } from '../../conformance/flink/asked.ts';
import { CaseServer } from '../../conformance/flink/case-server.ts';
import type { FlinkDriver } from '../../conformance/flink/flink-driver.ts';
import { flinkOpener } from '../../conformance/flink/flink-driver.ts';
import type { CaseDriver } from '../../conformance/session.ts';
import { javaMissing } from '../../servers/jars.ts';

const buildMaxMs = 600_000;
const runMaxMs = 240_000;
const functionMaxMs = 1_000;
/** How long one wait for answers may be. */
const lookMs = 20;

const rows = (...keys: readonly unknown[]): readonly unknown[] =>
  keys.map((key, at) => event({ key, at }));
const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const valuesOf = (driver: CaseDriver, sink: string): readonly unknown[] =>
  driver.read(sink).map(({ value }) => value);

describe.skipIf(javaMissing() !== undefined)('a look-up by a connector on Flink', () => {
  let cases: CaseServer;
  let prices: Server;
  let url: string;
  /** Paths that were asked for since the test began. */
  const asked: string[] = [];
  /** By path: what waits for the test to answer. */
  const held = new Map<string, ServerResponse[]>();
  let failing = 0;
  let after: string | undefined;

  function answer({ url: path = '' }: IncomingMessage, response: ServerResponse): void {
    asked.push(path);
    if (/held|never/.test(path)) held.set(path, [...(held.get(path) ?? []), response]);
    else if (path.includes('miss')) response.writeHead(404).end();
    else if (path.includes('wrong')) response.end('{"not');
    else if (path.includes('cut')) response.destroy();
    else if (path.includes('busy') && failing-- > 0)
      response.writeHead(503, after === undefined ? {} : { 'retry-after': after }).end();
    else setTimeout(() => response.end(JSON.stringify({ path })), path.includes('slow') ? 60 : 0);
  }

  beforeAll(async () => {
    await builtJob({ harness: true });
    cases = await CaseServer.start();
    prices = createServer(answer);
    await new Promise<void>((resolve) => prices.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(prices.address() as AddressInfo).port}/p/{key}`;
  }, buildMaxMs);
  afterAll(async () => {
    prices.closeAllConnections();
    prices.close();
    await cases.stop();
  }, runMaxMs);
  beforeEach(() => {
    asked.length = 0;
    held.clear();
    failing = 0;
    after = undefined;
  });
  const open: CaseDriver[] = [];
  let answering: NodeJS.Timeout | undefined;
  afterEach(() => {
    clearInterval(answering);
    for (const driver of open.splice(0)) driver.close();
  });

  async function opened(config: Config = {}, parallelism = 1): Promise<FlinkDriver> {
    const settings = { lookups: { prices: { url } }, functionMaxMs };
    const given = { operator: 'asked', config };
    const driver = await flinkOpener(
      cases,
      given,
      settings,
    )(askedTopology(config), { parallelism });
    open.push(driver);
    return driver;
  }

  /** What came out of a sink, once there are so many. */
  async function until(
    driver: FlinkDriver,
    sink: string,
    many: number,
  ): Promise<readonly unknown[]> {
    const found: unknown[] = [];
    for (let looks = 0; found.length < many && looks < runMaxMs / 2 / lookMs; looks++) {
      found.push(...valuesOf(driver, sink));
      if (found.length < many) await driver.answers(lookMs);
    }
    return found;
  }

  const sorted = (all: readonly unknown[]): readonly string[] =>
    all.map((one) => JSON.stringify(one)).sort();

  it(
    'gives the rows, the rejections and the requests of the engine here, in its order',
    async () => {
      const keys = ['a', 'slow', "é?#&='%{key}$&", ['a/b', 'c d'], 7, true, 'a', 'miss'];
      const all = rows(...keys, '..', '.', '', null, throwing, 'b');
      const config: Config = { cached: 100 };
      const here = await createDriver(askedTopology(config), {
        lookups: { prices: httpLookup('prices', { url, headers: {} }) },
      });
      await here.push('in', all);
      await here.advanceWatermark('max');
      const wanted = { out: valuesOf(here, 'out'), paths: [...asked] };
      asked.length = 0;
      const there = await opened(config);
      await there.push('in', all);
      await there.advanceWatermark('max');
      expect(await until(there, 'out', wanted.out.length)).toEqual(wanted.out);
      for (const sink of ['out-counts', 'out-again']) {
        const values = sorted(valuesOf(here, sink));
        expect(sorted(await until(there, sink, values.length)), sink).toEqual(values);
      }
      expect(sorted(asked)).toEqual(sorted(wanted.paths));
      const rejected = (driver: CaseDriver): readonly string[] =>
        sorted(driver.rejected().map(({ operator, code, value }) => [operator, code, value]));
      const rejectedHere = rejected(here);
      expect([rejected(there), rejectedHere.length]).toEqual([rejectedHere, 2]);
      here.close();
    },
    runMaxMs,
  );

  it(
    'holds the watermark back until what came before it is answered; unordered, answers overtake each other alone',
    async () => {
      const driver = await opened({ order: 'unordered' });
      await driver.push('in', rows('held', 'quick'));
      await driver.advanceWatermark(50);
      expect(await until(driver, 'out', 1)).toMatchObject([{ key: 'quick' }]);
      await driver.answers(lookMs);
      expect([driver.signals('out'), valuesOf(driver, 'out-counts')]).toEqual([[], []]);
      for (const response of held.get('/p/held') ?? []) response.end('1');
      expect(await until(driver, 'out', 1)).toEqual([{ key: 'held', found: 1 }]);
      expect(driver.signals('out')).toEqual([50]);
      expect(sorted(await until(driver, 'out-counts', 2))).toHaveLength(2);
    },
    runMaxMs,
  );

  it.each([
    [1, 1],
    [2, 1],
    [1, 2],
  ])(
    'asks again for what waited in a snapshot, from parallelism %i to %i, and gives it once',
    async (before, later) => {
      const first = await opened({}, before);
      await first.push('in', rows('a', 'b', 'held-c'));
      await until(first, 'out', 2);
      const again = await until(first, 'out-again', 2);
      await first.advanceWatermark(20);
      const snapshot = await first.snapshot();
      first.close();
      const next = await opened({}, later);
      await next.restore(snapshot);
      await next.push('in', [event({ key: 'd', at: 21 })]);
      await next.advanceWatermark('max');
      while ((held.get('/p/held-c') ?? []).length < 2) await next.answers(lookMs);
      answering = setInterval(() => {
        for (const response of held.get('/p/held-c') ?? []) response.end('3');
      }, lookMs);
      expect(await until(next, 'out', 2)).toMatchObject([
        { key: 'held-c', found: 3 },
        { key: 'd' },
      ]);
      expect([...sorted(again), ...sorted(await until(next, 'out-again', 2))]).toHaveLength(4);
      expect(await until(next, 'out-counts', 4)).toHaveLength(4);
      expect(next.rejected()).toEqual([]);
    },
    runMaxMs,
  );

  it(
    'tries again by the clock, leaves a server alone for as long as it asks, and rejects what stays without an answer',
    async () => {
      const driver = await opened({ whenFailing: 'reject', retry: { attempts: 2 } as never });
      [failing, after] = [1, '2'];
      await driver.push('in', rows('busy'));
      for (let looks = 0; asked.length < 1 || looks < 3; looks++) await driver.answers(lookMs);
      await driver.setClock(1_990);
      await driver.answers(lookMs);
      expect(asked).toEqual(['/p/busy']);
      await driver.setClock(2_010);
      expect(await until(driver, 'out', 1)).toMatchObject([{ key: 'busy' }]);
      [failing, after] = [9, undefined];
      await driver.push('in', rows('cut', 'wrong', 'busy'));
      let clock = 2_010;
      const rejected: string[] = [];
      while (rejected.length < 3 && clock < 60_000) {
        await driver.setClock((clock += 50));
        await driver.answers(lookMs);
        const more = driver.rejected().filter(({ operator }) => operator === 'price');
        rejected.push(...more.map(({ code, message }) => `${code}: ${message}`));
      }
      const failed =
        "lookup-failed: the look-up failed 2 times, the last time with: the look-up 'prices'";
      expect(rejected.toSorted(byText)).toEqual([
        `${failed}: the answer (200) is not JSON in UTF-8`,
        `${failed}: the server answered 503`,
        expect.stringContaining(`${failed}: there was no complete answer (`) as string,
      ]);
    },
    runMaxMs,
  );

  it(
    'bounds each try in time, and takes no more than its capacity',
    async () => {
      const driver = await opened({ capacity: 2, timeout: 100 });
      await driver.push('in', rows('never-1', 'never-2'));
      while (asked.length < 2) await driver.answers(lookMs);
      await driver.setClock(150);
      await driver.answers(lookMs);
      await driver.setClock(400);
      while (asked.length < 4) await driver.answers(lookMs);
      expect(sorted(asked)).toEqual(
        sorted(['/p/never-1', '/p/never-2', '/p/never-1', '/p/never-2']),
      );
      // The clock stands: a machine that is slow by ten times the bound ends no try.
      await new Promise((resolve) => setTimeout(resolve, 1_300));
      for (const response of [...held.values()].flat()) response.end('1');
      expect(await until(driver, 'out', 2)).toHaveLength(2);
    },
    runMaxMs,
  );

  it(
    'rejects an element whose function does not return, and goes on with the next',
    async () => {
      const driver = await opened();
      await driver.push('in', rows('a', spinning, 'b'));
      expect(await until(driver, 'out', 2)).toMatchObject([{ key: 'a' }, { key: 'b' }]);
      expect(driver.rejected()).toMatchObject([{ operator: 'price', code: 'function-stuck' }]);
    },
    runMaxMs,
  );
});
