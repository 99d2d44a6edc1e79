/**
 * `npm run bench:state`: what large state costs. Of each load (state-loads.ts) the state is filled
 * and takes its declared rate with checkpoints every 10 s, in a process of its own (state-run.ts),
 * and is restored in another.
 *
 *   --load NAME       deduplicate, join or windows (default: all)
 *   --seconds N       at the declared rate (default 600)
 *   --scale F         of the state (default 1); 10: ten times as many keys, for ten times as long
 *   --backend NAME    where state rests: memory or disk (default memory)
 *   --checkpoint-ms N (default 10000)
 *   --json            one JSON array
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { LoadName } from './state-loads.ts';
import { loadNames } from './state-loads.ts';
import type { Backend, PhaseOptions, RestoreMeasure, RunMeasure } from './state-run.ts';

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

const backend = options.backend as Backend;
if (backend !== 'memory' && backend !== 'disk') {
  console.error('expected --backend of memory, disk');
  process.exit(2);
}

/** A topology's thread may have a heap of half the machine's memory; a load, what it is allowed. */
const heapMiB = 3_500;

interface StateMeasure extends RunMeasure, RestoreMeasure {}

function phase<T>(name: 'run' | 'restore', of: PhaseOptions): Promise<T> {
  const script = fileURLToPath(new URL('state-run.js', import.meta.url));
  const args = [`--max-old-space-size=${heapMiB}`, script, name, JSON.stringify(of)];
  return new Promise((done, failed) => {
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error === null) done(JSON.parse(stdout) as T);
      else failed(new Error(`${of.load} failed: ${stderr}`, { cause: error }));
    });
  });
}

async function measured(load: LoadName): Promise<StateMeasure> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-state-'));
  try {
    const of: PhaseOptions = {
      load,
      backend,
      scale: Number(options.scale),
      seconds: Number(options.seconds),
      checkpointMs: Number(options['checkpoint-ms']),
      dir,
    };
    const ran = await phase<RunMeasure>('run', of);
    return { ...ran, ...(await phase<RestoreMeasure>('restore', of)) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const mebi = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;

const measures: StateMeasure[] = [];
for (const name of chosen) {
  const measure = await measured(name);
  measures.push(measure);
  if (options.json) continue;
  const { entries, events, seconds, declaredRate } = measure;
  console.log(
    [
      `${name} on ${measure.backend}: ${entries} entries, filled in ${measure.fillSeconds.toFixed(1)} s`,
      `  ${events} events in ${seconds.toFixed(0)} s (${declaredRate}/s declared), ${measure.checkpoints} checkpoints of ${mebi(measure.writtenBytesPerCheckpoint)}, ${mebi(measure.fileBytes)} in ${measure.runs} runs`,
      `  stall of a checkpoint at most ${measure.stallMaxMs.toFixed(1)} ms; event loop late at most ${measure.loopMaxMs.toFixed(1)} ms, p99 ${measure.loopP99Ms.toFixed(1)} ms`,
      `  memory at most ${mebi(measure.memoryMaxBytes)}, ${mebi(measure.restingBytes)} at rest; restored ${measure.restoredEntries} entries in ${measure.restoreSeconds.toFixed(1)} s with ${mebi(measure.restoreMemoryMaxBytes)}`,
    ].join('\n'),
  );
}
if (options.json) console.log(JSON.stringify(measures));
