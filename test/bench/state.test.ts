/**
 * The short form of `npm run bench:state`: every load keeps what it must, and all of it is there
 * again after a restore; how large and how fast is the long form's to say.
 */
import { expect, it } from 'vitest';
import { runScript } from '../repo/support.ts';
import { loadNames, loadOf } from './state-loads.ts';
import type { RestoreMeasure, RunMeasure } from './state-run.ts';

const scale = 0.002;

it.each(['memory', 'disk'])(
  'fills, measures and restores every load, with state at rest in %s',
  {
    timeout: 300_000,
  },
  async (backend) => {
    const said = await runScript(
      'bench/state.js',
      ...['--scale', String(scale), '--seconds', '3', '--checkpoint-ms', '500', '--json'],
      ...['--backend', backend],
    );
    const line = said.split('\n').find((text) => text.startsWith('[')) ?? '[]';
    const measures = JSON.parse(line) as readonly (RunMeasure & RestoreMeasure)[];
    expect(measures.map((measure) => [measure.load, measure.backend])).toEqual(
      loadNames.map((name) => [name, backend]),
    );
    for (const { load, entries, restoredEntries, checkpoints, events, fileBytes } of measures) {
      const { filled, streams, rate } = loadOf(load, scale);
      // Every key once; of the others what a time that is as long holds, and of two ms more: that of
      // the watermark, which is one behind, and that of the latest event.
      const least = filled * streams.length;
      const most =
        load === 'windows' ? least : least + 2 * Math.ceil(rate / 1_000) * streams.length;
      expect([load, entries >= least && entries <= most, entries]).toEqual([load, true, entries]);
      expect([load, restoredEntries]).toEqual([load, entries]);
      expect([load, checkpoints > 0, events > 0, fileBytes > 0]).toEqual([load, true, true, true]);
    }
  },
);

it('says which loads and backends there are', async () => {
  expect(await runScript('bench/state.js', '--load', 'none')).toContain(
    'expected --load of deduplicate, join, windows',
  );
  expect(await runScript('bench/state.js', '--backend', 'tape')).toContain(
    'expected --backend of memory, disk',
  );
});
