/**
 * Functions that do not return, on the job's operators: each is interrupted, what it was given is
 * rejected as the engine here does, and everything else passes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scriptEngines } from '../../../deploy/flink/jar.ts';
import { event } from '../../../topology/testing.ts';
import { CaseServer } from '../../conformance/flink/case-server.ts';
import { flinkOpener } from '../../conformance/flink/flink-driver.ts';
import { everOther, stuckOn, stuckSinks, stuckTopology } from '../../conformance/flink/stuck.ts';
import type { CaseDriver } from '../../conformance/session.ts';
import { javaMissing } from '../../servers/jars.ts';

const functionMaxMs = 250;
const buildMaxMs = 600_000;
const runMaxMs = 240_000;

const row = (value: number, at: number) => event({ key: 'a', value, at });
/** Of an element, or the start of a window. */
const valueOf = (value: unknown): unknown => {
  const { data, windowStart } = value as {
    readonly data?: { readonly value: unknown };
    readonly windowStart?: unknown;
  };
  return data?.value ?? windowStart;
};
const given = { operator: 'stuck', config: {} } as const;

describe.skipIf(javaMissing() !== undefined).each(scriptEngines)(
  'a function that does not return, on %s,',
  (engine) => {
    let server: CaseServer;
    beforeAll(async () => {
      server = await CaseServer.start({ engine });
    }, buildMaxMs);
    afterAll(() => server.stop());

    const open = (): Promise<CaseDriver> =>
      flinkOpener(server, given, { functionMaxMs, batchRows: 4 })(stuckTopology(), {});

    it(
      'has what it was given rejected, wherever it is, and nothing else',
      async () => {
        const driver = await open();
        // Some before and behind each, of which none may be lost, doubled or late.
        const values = [20, ...Object.values(stuckOn), 21];
        for (const [n, value] of values.entries()) await driver.push('in', [row(value, n * 10)]);
        await driver.advanceWatermark('max');
        const rejected = driver
          .rejected()
          .map(({ operator, code, message, value }) => [
            operator,
            code,
            /'.*'/.exec(message)?.[0],
            valueOf(value),
          ]);
        const { time, map, caught, key, add, result, onElement, join, pattern } = stuckOn;
        const code = 'function-stuck';
        expect(rejected.map((one) => JSON.stringify(one)).sort()).toEqual(
          [
            ['time', code, "'timestamp'", time],
            ...[map, caught, pattern].map((value) => ['time/map/map', code, "'function'", value]),
            ['sums', code, "'key'", key],
            ['steps', code, "'key'", key],
            ['pairs', code, "'leftKey'", key],
            ['pairs', code, "'rightKey'", key],
            ['sums', code, "'total:add'", add],
            ['sums', code, "'total:result'", values.indexOf(result) * 10],
            ['steps', code, "'onElement'", onElement],
            ['pairs', code, "'join'", join],
          ]
            .map((one) => JSON.stringify(one))
            .sort(),
        );
        const rows = stuckSinks.map((sink) => driver.read(sink).map(({ value }) => value));
        const passed = (...less: readonly number[]): readonly number[] =>
          values.filter((value) => ![time, map, caught, pattern, key, ...less].includes(value));
        expect(rows[0]?.map((value) => (value as { readonly total: number }).total)).toEqual(
          passed(add, result),
        );
        expect(rows[1]).toEqual(passed(onElement));
        expect(rows[2]).toEqual(passed(join).map((value) => [value, value]));
        driver.close();
      },
      runMaxMs,
    );

    it(
      'ends its task where it is given another element each time',
      async () => {
        const driver = await open();
        const fourOf = Array.from({ length: 4 }, () => row(everOther, 10));
        await expect(driver.push('in', fourOf)).rejects.toThrow(
          /function-stuck: a function of the topology did not return within 250 ms/,
        );
      },
      runMaxMs,
    );
  },
);
