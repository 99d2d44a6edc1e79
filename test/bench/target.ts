/**
 * `npm run bench:target`: the same topology on the engine here and on Flink, each on one core,
 * warm; events a second, CPU an event, start-up, memory, and their ratio.
 *
 *   --load NAMES   of fused, sums, author, process, with commas between (default all)
 *   --engines NAMES  what functions run on there, of graaljs, v8 (default both)
 *   --rows N       events there are for Flink, which takes what its time allows (default 3,000,000);
 *                  the engine here takes them all, or 600,000
 *   --warm-up S    seconds before the measurement on Flink (default 60)
 *   --seconds S    of the measurement there (default 10)
 *   --core N       (default 0); the JobManager and this process have the others
 *   --jvm OPTION   one more for the task manager, such as -XX:StartFlightRecording=...
 *   --json         one JSON array
 */
import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import type { ScriptEngine } from '../../deploy/flink/jar.ts';
import { scriptEngines } from '../../deploy/flink/jar.ts';
import { heapFlags } from './ingress-processes.ts';
import type { RanThere } from './target-flink.ts';
import { runOnFlink } from './target-flink.ts';
import type { RanHere } from './target-here.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../../', import.meta.url));
const { values: options } = parseArgs({
  options: {
    load: { type: 'string', default: 'fused,sums,author,process' },
    engines: { type: 'string', default: scriptEngines.join(',') },
    rows: { type: 'string', default: '3000000' },
    'warm-up': { type: 'string', default: '60' },
    seconds: { type: 'string', default: '10' },
    core: { type: 'string', default: '0' },
    jvm: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});
const named = options.engines.split(',');
const engines = scriptEngines.filter((one) => named.includes(one));
if (engines.length !== named.length) {
  console.error(`expected --engines of ${scriptEngines.join(', ')}, got ${options.engines}`);
  process.exit(2);
}
const rows = Number(options.rows);
/** They lie in memory. */
const rowsHereMax = 600_000;

/** Empty where a process cannot be kept on one core. */
const pinned =
  spawnSync('taskset', ['-c', options.core, 'true']).status === 0
    ? ['taskset', '-c', options.core]
    : [];

async function runHere(file: string): Promise<RanHere> {
  const script = fileURLToPath(new URL('target-here.js', import.meta.url));
  const [command = '', ...args] = [...pinned, process.execPath, ...heapFlags];
  const { stdout } = await run(command, [
    ...args,
    script,
    file,
    String(Math.min(rows, rowsHereMax)),
  ]);
  return JSON.parse(stdout) as RanHere;
}

const rateOf = (of: RanHere | RanThere): string =>
  `${of.eventsPerSecond.toFixed(0)}/s, ${of.cpuUs.toFixed(1)} us of CPU an event`;

function printHere(name: string, here: RanHere): void {
  console.log(`${name}`);
  console.log(
    `  here           ${rateOf(here)}, started in ${ms(here.startMs)}, ${mb(here.rssMb)}`,
  );
}

function printThere(engine: ScriptEngine, ratio: number, there: RanThere): void {
  console.log(
    `  Flink, ${engine.padEnd(7)} ${rateOf(there)}, cluster in ${ms(there.clusterMs)}, job in ${ms(there.submitMs)}, ` +
      `${mb(there.taskManagerRssMb)} and ${mb(there.jobManagerRssMb)} of the JobManager; ratio ${ratio.toFixed(2)}`,
  );
}

const ms = (value: number): string => `${value.toFixed(0)} ms`;
const mb = (value: number): string => `${value.toFixed(0)} MiB`;

const measures: object[] = [];
for (const name of options.load.split(',')) {
  const file = join(root, 'test/bench/target', `${name}.ts`);
  const here = await runHere(file);
  if (!options.json) printHere(name, here);
  for (const engine of engines) {
    const there = await runOnFlink({
      ...{ name, file, rows, engine, pinned, jvm: options.jvm },
      warmUpMs: Number(options['warm-up']) * 1_000,
      measureMs: Number(options.seconds) * 1_000,
    });
    const ratio = there.eventsPerSecond / here.eventsPerSecond;
    measures.push({ load: name, engine, pinned: pinned.length > 0, ratio, here, there });
    if (!options.json) printThere(engine, ratio, there);
  }
}
if (options.json) console.log(JSON.stringify(measures));
