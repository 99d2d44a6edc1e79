/**
 * `npm run bench:operators`: what each operator costs an element, in a job of its own over records
 * that lie ready in memory (operators-run.ts). Each measurement is a new process with the heap that
 * `sluice` starts with; builds take turns, and the ratio is the median of the rounds' own.
 *
 *   --rows N      of each measurement (default 400,000)
 *   --rounds N    (default 5)
 *   --beside DIR  also another build, in the same turns: before and after a change
 *   --only NAME   one operator
 *   --json        one JSON object
 */
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { heapFlags } from './ingress-processes.ts';
import type { Operator } from './operators-names.ts';
import { operators } from './operators-names.ts';
import type { OperatorRound } from './operators-run.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '400000' },
    rounds: { type: 'string', default: '5' },
    beside: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const here = fileURLToPath(new URL('../..', import.meta.url));
const builds = options.beside === '' ? [here] : [here, join(resolve(options.beside), 'dist')];
const chosen = operators.filter(
  (name) => options.only === '' || name === options.only || name === 'source',
);
if (!chosen.some((name) => name === (options.only || 'source'))) {
  console.error(`expected --only of ${operators.join(', ')}`);
  process.exit(2);
}

function run(build: string, operator: Operator): Promise<OperatorRound> {
  const script = fileURLToPath(new URL('operators-run.js', import.meta.url));
  return new Promise((done, failed) => {
    execFile(
      process.execPath,
      [...heapFlags, script, build, operator, options.rows],
      (error, stdout, stderr) => {
        if (error === null) done(JSON.parse(stdout) as OperatorRound);
        else failed(new Error(`${operator} failed: ${stderr}`, { cause: error }));
      },
    );
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** By operator, by build: microseconds of CPU for an element, one a round. */
const took = new Map(chosen.map((name) => [name, builds.map((): number[] => [])]));
const out = new Map<Operator, number>();
for (let round = 0; round < Number(options.rounds); round++) {
  for (const operator of chosen) {
    for (const [index, build] of builds.entries()) {
      const measured = await run(build, operator);
      took.get(operator)?.[index]?.push(measured.cpuUs);
      const before = out.get(operator) ?? measured.out;
      if (measured.out !== before)
        throw new Error(
          `${operator}: ${build} gave ${measured.out} results, and before there were ${before}`,
        );
      out.set(operator, before);
    }
  }
}

const report = chosen.map((operator) => {
  const [own = [], beside = []] = took.get(operator) ?? [];
  const source = took.get('source')?.[0] ?? [];
  return {
    operator,
    /** With all that comes before it. */
    cpuUs: median(own),
    /** Beyond the source alone. */
    ownUs: median(own.map((us, round) => us - (source[round] ?? 0))),
    results: out.get(operator),
    /** Speed against the other build's: above 1 is faster. */
    ...(builds.length > 1
      ? {
          besideUs: median(beside),
          speed: median(own.map((us, round) => (beside[round] ?? Number.NaN) / us)),
        }
      : {}),
  };
});
if (options.json) console.log(JSON.stringify(report));
else {
  console.log(
    `us of CPU an element of ${options.rows}, medians of ${options.rounds} rounds; 'own' is beyond the source alone`,
  );
  for (const { operator, cpuUs, ownUs, besideUs, speed } of report) {
    const compared =
      speed === undefined
        ? ''
        : `   the other build ${besideUs?.toFixed(2).padStart(6)}   ${speed.toFixed(2)} of its speed`;
    console.log(
      `${operator.padEnd(32)} ${cpuUs.toFixed(2).padStart(6)}   own ${ownUs.toFixed(2).padStart(6)}${compared}`,
    );
  }
}
