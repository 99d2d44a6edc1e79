/**
 * `npm run example:late`: what a smaller out-of-orderness does to the hourly departures. Runs the
 * shipped topology in the test driver over the file in its own order, 500 events a turn with a
 * watermark after each, and compares the late rows with a computation of its own.
 *
 *   --data DIR              another folder of the same form
 *   --out-of-orderness H    hours, comma-separated (default 24,12,6,1)
 *   --list N                how many late rows to list of each (default 3)
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import flights from '../../topology/examples/flights/topology.ts';
import type { Topology } from '../../topology/index.ts';
import { createDriver, event } from '../../topology/testing.ts';
import type { Line } from './flights-checks.ts';
import { checks, readLines } from './flights-checks.ts';

const example = fileURLToPath(new URL('../../../topology/examples/flights/', import.meta.url));
const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: join(example, 'data') },
    'out-of-orderness': { type: 'string', default: '24,12,6,1' },
    list: { type: 'string', default: '3' },
  },
});
const hourMs = 3_600_000;
const turnEvents = 500;
const processingTimeMs = Date.parse('2100-01-01T00:00:00Z');

/** The same topology with another out-of-orderness: a plan is data. */
function withOutOfOrderness(made: Topology, outOfOrdernessMs: number): Topology {
  const nodes = made.plan.nodes.map((node) =>
    node.kind === 'eventTime' ? { ...node, outOfOrdernessMs } : node,
  );
  return { ...made, plan: { ...made.plan, nodes } };
}

function turnsOf(lines: readonly Line[]): readonly (readonly Line[])[] {
  return Array.from({ length: Math.ceil(lines.length / turnEvents) }, (_, turn) =>
    lines.slice(turn * turnEvents, (turn + 1) * turnEvents),
  );
}

/** A row is late when its hour was over at the watermark of the turn before. */
function lateByHand(
  turns: readonly (readonly Line[])[],
  outOfOrdernessMs: number,
): readonly string[] {
  const late: string[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (const turn of turns) {
    const watermark = latest - outOfOrdernessMs - 1;
    for (const { id, fields } of turn) {
      if (typeof fields['departed'] !== 'string') continue;
      const departed = Date.parse(fields['departed']);
      const hourEnd = Math.floor(departed / hourMs) * hourMs + hourMs;
      if (hourEnd - 1 <= watermark) late.push(id);
      latest = Math.max(latest, departed);
    }
  }
  return late;
}

async function lateInDriver(
  turns: readonly (readonly Line[])[],
  outOfOrdernessMs: number,
): Promise<{ late: readonly string[]; counted: number }> {
  const rows = (file: string): readonly unknown[] =>
    JSON.parse(readFileSync(join(example, 'data', file), 'utf8')) as unknown[];
  const driver = await createDriver(withOutOfOrderness(flights, outOfOrdernessMs), {
    now: processingTimeMs,
    tables: {
      'data/airlines.json': rows('airlines.json'),
      'data/planes.json': rows('planes.json'),
    },
  });
  for (const turn of turns) {
    const events = turn.map(({ id, fields }) =>
      event(fields, { id, team: 'nyc', app: 'departures' }),
    );
    await driver.push('departures', events);
    await driver.tick();
  }
  await driver.advanceWatermark('max');
  const late = driver
    .read('departures-hourly-late')
    .map(({ value }) => (value as { readonly id: string }).id);
  const windows = driver
    .read('departures-hourly-table')
    .map(({ value }) => (value as { readonly departures: number }).departures);
  driver.close();
  return { late, counted: windows.reduce((sum, departures) => sum + departures, 0) };
}

const { check, result } = checks();
const lines = readLines(options.data, 'departures');
const turns = turnsOf(lines);
const departed = lines.filter(({ fields }) => fields['departed'] !== null).length;
for (const hours of options['out-of-orderness'].split(',').map(Number)) {
  const expected = lateByHand(turns, hours * hourMs);
  const { late, counted } = await lateInDriver(turns, hours * hourMs);
  check(
    `out of order by ${hours} h: late rows, and those unlike the computation by hand`,
    unlike(late, expected),
    [expected.length, 0],
  );
  check(
    `out of order by ${hours} h: rows in windows and late ones are all rows`,
    counted + late.length,
    departed,
  );
  for (const id of late.slice(0, Number(options.list))) console.log(`      late: ${id}`);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;

function unlike(found: readonly string[], expected: readonly string[]): readonly [number, number] {
  const wanted = new Set(expected);
  return [
    found.length,
    found.filter((id) => !wanted.has(id)).length + Math.abs(expected.length - found.length),
  ];
}
