/**
 * `npm run bench:threads`: what it gives to spread the keyed nodes of a topology over threads
 * (`parallelism`), where they do little for an element and where a function of the author takes most
 * of the time. Each round is a process of its own (threads-run.ts); parallelisms take turns, and the
 * ratio is the median of the rounds' own.
 *
 *   --rows N    of each round (default 200,000 light ones, 60,000 heavy ones)
 *   --rounds N  (default 5)
 *   --up-to N   threads (default 2)
 *   --json      one JSON array
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { heapFlags } from './ingress-processes.ts';
import type { ThreadsRound } from './threads-run.ts';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '' },
    rounds: { type: 'string', default: '5' },
    'up-to': { type: 'string', default: '2' },
    json: { type: 'boolean', default: false },
  },
});
const loads = [
  ['light', 200_000],
  ['heavy', 60_000],
] as const;
const parallelisms = Array.from({ length: Number(options['up-to']) }, (_, n) => n + 1);

function run(load: string, parallelism: number, rows: number): Promise<ThreadsRound> {
  const script = fileURLToPath(new URL('threads-run.js', import.meta.url));
  const args = [...heapFlags, script, load, String(parallelism), String(rows)];
  return new Promise((done, failed) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error === null) done(JSON.parse(stdout) as ThreadsRound);
      else failed(new Error(`${load} failed: ${stderr}`, { cause: error }));
    });
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const measures: object[] = [];
for (const [load, few] of loads) {
  const rounds: (readonly ThreadsRound[])[] = [];
  for (let round = 0; round < Number(options.rounds); round++) {
    const measured: ThreadsRound[] = [];
    for (const parallelism of parallelisms)
      measured.push(await run(load, parallelism, Number(options.rows || few)));
    rounds.push(measured);
  }
  for (const [index, parallelism] of parallelisms.entries()) {
    const of = rounds.flatMap((measured) => measured[index] ?? []);
    const eventsPerSecond = median(of.map((round) => round.eventsPerSecond));
    const ratio = median(
      rounds.map(
        (measured) =>
          (measured[index]?.eventsPerSecond ?? 0) / (measured[0]?.eventsPerSecond ?? Number.NaN),
      ),
    );
    const threads = of.map((round) => round.parallelism);
    measures.push({
      load,
      parallelism,
      eventsPerSecond,
      ratio,
      threads,
      out: of.map((one) => one.out),
    });
    if (options.json) continue;
    console.log(
      `${load.padEnd(6)} parallelism ${parallelism}: ${eventsPerSecond.toFixed(0).padStart(8)} events/s, ${ratio.toFixed(2)} of parallelism 1`,
    );
  }
}
if (options.json) console.log(JSON.stringify(measures));
