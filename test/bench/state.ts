/**
 * `npm run bench:state`: what large state costs. Each load (state-loads.ts) runs in a process of
 * its own (state-run.ts): its state is filled, takes its declared rate with checkpoints every 10 s,
 * and is restored.
 *
 *   --load NAME       deduplicate, join or windows (default: all)
 *   --seconds N       at the declared rate (default 600)
 *   --scale F         of the state (default 1); 10: ten times as many keys, for ten times as long
 *   --backend NAME    where state rests: memory or disk (default memory)
 *   --checkpoint-ms N (default 10000)
 *   --json            one JSON array
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LoadName } from './state-loads.ts';
import { loadNames } from './state-loads.ts';
import type { StateMeasure } from './state-run.ts';

const { values: options } = parseArgs({
  options: {
    load: { type: 'string', default: '' },
    seconds: { type: 'string', default: '600' },
    scale: { type: 'string', default: '1' },
    backend: { type: 'string', default: 'memory' },
    'checkpoint-ms': { type: 'string', default: '10000' },
    json: { type: 'boolean', default: false },
  },
});
const chosen = loadNames.filter((name) => options.load === '' || name === options.load);
if (chosen.length === 0) {
  console.error(`expected --load of ${loadNames.join(', ')}`);
  process.exit(2);
}

if (options.backend !== 'memory' && options.backend !== 'disk') {
  console.error('expected --backend of memory, disk');
  process.exit(2);
}

/** A topology's thread may have a heap of half the machine's memory; a load, what it is allowed. */
const heapMiB = 3_500;

function run(name: LoadName): Promise<StateMeasure> {
  const script = fileURLToPath(new URL('state-run.js', import.meta.url));
  const { scale, seconds, backend } = options;
  const args = [`--max-old-space-size=${heapMiB}`, script, name, scale, seconds];
  return new Promise((done, failed) => {
    execFile(
      process.execPath,
      [...args, options['checkpoint-ms'], backend],
      (error, stdout, stderr) => {
        if (error === null) done(JSON.parse(stdout) as StateMeasure);
        else failed(new Error(`${name} failed: ${stderr}`, { cause: error }));
      },
    );
  });
}

const mebi = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

const measures: StateMeasure[] = [];
for (const name of chosen) {
  const measure = await run(name);
  measures.push(measure);
  if (options.json) continue;
  const { entries, events, seconds, declaredRate } = measure;
  console.log(
    [
      `${name} on ${measure.backend}: ${entries} entries, filled in ${measure.fillSeconds.toFixed(1)} s`,
      `  ${events} events in ${seconds.toFixed(0)} s (${declaredRate}/s declared), ${measure.checkpoints} checkpoints of ${mebi(measure.writtenBytesPerCheckpoint)}, ${mebi(measure.fileBytes)} in ${measure.runs} runs`,
      `  stall of a checkpoint at most ${measure.stallMaxMs.toFixed(1)} ms; event loop late at most ${measure.loopMaxMs.toFixed(1)} ms, p99 ${measure.loopP99Ms.toFixed(1)} ms`,
      `  memory at most ${mebi(measure.memoryMaxBytes)}, ${mebi(measure.restingBytes)} at rest; restored ${measure.restoredEntries} entries in ${measure.restoreSeconds.toFixed(1)} s`,
    ].join('\n'),
  );
}
if (options.json) console.log(JSON.stringify(measures));
