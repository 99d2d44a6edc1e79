/**
 * A topology changes places: what a drained run here leaves is where a job on Flink begins, and what
 * such a job says at its end is where a run here goes on, with each record read once. The jobs of
 * the second part are those of the engine; what a job says is text as the job writes it.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { commandLine } from '../../../deploy/cli/command-line.ts';
import { findEntries } from '../../../deploy/cli/find-commands.ts';
import { boundedBundle } from '../../../deploy/flink/check/evaluate.ts';
import type { Positions } from '../../../deploy/flink/positions.ts';
import {
  movedSettings,
  positionsManifest,
  positionsOfAccumulators,
  positionsOfText,
} from '../../../deploy/flink/positions.ts';
import type { FlinkSettings } from '../../../deploy/flink/settings.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { encodeManifest } from '../../../topology/checkpoint/manifest.ts';
import { createSavepoint, openSavepoint } from '../../../topology/checkpoint/savepoints.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { commandsOf, root } from '../../repo/support.ts';
import { flowNamed, SavepointWorld } from '../../topology/runtime/savepoint-world.ts';
import { sluice } from '../support.ts';

const settings: FlinkSettings = {
  sources: {
    in: [
      { connector: 'kinesis', stream: 's' },
      { connector: 'kafka', topic: 't' },
    ],
  },
  sinks: {},
  rejected: { connector: 'lines', path: '/r' },
};
const lines = { connector: 'lines', path: '/x' };
const drained: Manifest = {
  ...positionsManifest(flowNamed('t').plan, { in: { 'kinesis shardId-0': '4959' } }, 7),
  checkpoint: 12,
};
const shown = { orOpen: false };

describe('settings of a job', () => {
  it('begin at the positions of each path, and behind what the topology began with', () => {
    const {
      settings: moved,
      splits,
      notes,
    } = movedSettings(
      settings,
      {
        ...drained,
        positions: { in: { 'kinesis shardId-0': '4959', 'kafka partition-0-aBc': '17' } },
        marks: {
          in: {
            'kafka partition-1-aBc': { begins: '30' },
            'kafka partition-2-aBc': { begins: '0' },
            'kinesis shardId-1': { fromMs: 5 },
          },
        },
      },
      shown,
    );
    expect(moved.sources).toEqual({
      in: [
        { connector: 'kinesis', stream: 's', from: { positions: { 'shardId-0': '4959' } } },
        {
          connector: 'kafka',
          topic: 't',
          from: { positions: { 'partition-0-aBc': '17', 'partition-1-aBc': '29' } },
        },
      ],
    });
    expect(splits).toBe(3);
    expect(notes).toEqual([
      'in: nothing was read of kinesis shardId-1 yet: the job begins with its oldest record',
    ]);
  });

  it('are refused of a checkpoint that no drain ended, unless open windows may be lost', () => {
    const { drained: _, ...open } = drained;
    expect(() => movedSettings(settings, open, shown)).toThrow(
      "checkpoint 12 of 't' is not the end of a drain: windows that are open in it would be lost",
    );
    expect(movedSettings(settings, open, { orOpen: true }).splits).toBe(1);
  });

  it('are refused where no place reads what was read here', () => {
    const one = { ...settings, sources: { in: { connector: 'kafka', topic: 't' } } };
    expect(() => movedSettings(one, drained, shown)).toThrow(
      'sources.in has no place with the connector kinesis, and 1 splits of that path were read',
    );
  });
});

describe('positions of a job', () => {
  it('are the later ones of what its parts say, as accumulators and in a log', () => {
    const found = { in: { 'kafka partition-0': '100', 'kinesis shardId-0': '4960' } };
    expect(
      positionsOfAccumulators([
        ['numRecords', '7'],
        ['sluice.positions.in', '{"kafka partition-0":"100","kinesis shardId-0":"4960"}'],
      ]),
    ).toEqual(found);
    const log = [
      '{"message":"sluice.positions.in {\\"kafka partition-0\\":\\"99\\"}","level":"INFO"}',
      'INFO Positions - sluice.positions.in {"kafka partition-0":"100","kinesis shardId-0":"4960"}',
      'INFO something else {"kafka partition-0":"1000"}',
    ].join('\n');
    expect(positionsOfText(log)).toEqual(found);
    expect(() => positionsOfText('sluice.positions.in {"shard": "x"}')).toThrow(
      'positions of a job cannot be read: expected {"kafka partition-0": "17"}, found {"shard"',
    );
  });

  it.each<readonly [Positions, string]>([
    [{ other: { 'kafka partition-0': '1' } }, "'t' has no source 'other'; it has 'in'"],
    [{}, "the job has no position of 'in'"],
  ])('%j are refused by what the topology has', (positions, message) => {
    expect(() => positionsManifest(flowNamed('t').plan, positions, 0)).toThrow(message);
  });
});

/** The ids of the rows, each as often as it is there. */
const idsOf = (rows: readonly string[]): readonly string[] =>
  rows.map((row) => (JSON.parse(row) as { id: string }).id).sort();

it('a topology goes to a job and comes back, and each event is counted once', async () => {
  const made = new SavepointWorld();
  made.send(1, 20);
  const run = await made.begin();
  await run.pass(10);
  void run.job.drain();
  await run.pass(20);
  expect(run.end()).toBe('stopped');
  await run.job.close();
  const here = made.rows('rows');
  const last = (await checkpointStore(made.blobs, 't').latest()) as Manifest;
  const place = { connector: 'kinesis' };
  const { settings: moved } = movedSettings({ ...settings, sources: { in: place } }, last, shown);
  const begins = (moved.sources['in'] as { from?: unknown }).from;
  expect(begins).toEqual({ positions: { 'shard-0': last.positions['in']?.['kinesis shard-0'] } });
  const readHere = Number(last.positions['in']?.['kinesis shard-0']);

  // The job reads ten more, and ends.
  made.send(21, 40);
  const positions = { in: { 'kinesis shard-0': String(readHere + 20) } };
  const back = positionsManifest(flowNamed('t').plan, positions, 9);
  const name = { topology: 't', name: 'back' };
  await createSavepoint(made.blobs, name, encodeManifest(back), () => false);
  const again = await made.begin({ savepoint: 'back' });
  await again.pass(20);
  void again.job.drain();
  await again.pass(20);
  await again.job.close();
  const after = idsOf(made.rows('rows').filter((row) => !here.includes(row)));
  const expected = Array.from({ length: 10 }, (_, n) => `e${31 + n}`);
  expect([idsOf(here).length, after]).toEqual([20, expected]);
});

// Three commands, of which each evaluates the topology in a process of its own.
const commandsMaxMs = 120_000;

it('the commands write settings and a savepoint, and say what is missing', {
  timeout: commandsMaxMs,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-positions-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'topology.ts');
  const data = join(dir, 'data');
  writeFileSync(
    file,
    `import { stream, table, schemaOf, topology } from 'sluice';
const row = schemaOf<{ id: string }>({ $id: 'row', type: 'object', properties: { id: { type: 'string' } } });
export default topology('clicks', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('in', stream('shop/clicks')).map((e) => ({ id: e.id })).sinkTo('rows', table('rows', row));
});
`,
  );
  const log = join(dir, 'job.log');
  writeFileSync(log, 'sluice.positions.in {"kinesis shardId-0":"4960"}\n');
  const asked = ['flink', 'return', file, '--log', log, '--name', 'back'];
  const back = await sluice(['--dir', data, ...asked]);
  expect([back.code, back.out, back.err]).toEqual([
    0,
    "savepoint 'back' of clicks: positions of 1 splits, no state\nstart from it with --from savepoint:clicks/back\n",
    '',
  ]);
  const { manifest } = await openSavepoint(localBlobStore(data), 'clicks', 'back');
  expect(manifest).toMatchObject({
    drained: true,
    positions: { in: { 'kinesis shardId-0': '4960' } },
  });
  const given = join(dir, 'settings.json');
  writeFileSync(
    given,
    JSON.stringify({ ...settings, sources: { in: lines }, sinks: { rows: lines } }),
  );
  const moving = ['--dir', data, 'flink', 'positions', file, '--settings', given];
  const none = await sluice(moving);
  expect([none.code, none.err]).toEqual([
    1,
    expect.stringContaining("'clicks' has no checkpoint here") as string,
  ]);
  const store = checkpointStore(localBlobStore(data), 'clicks');
  await store.takeOver(seededRandom(1), (attempt, checkpoint, _previous, lineage) => ({
    ...manifest,
    ...{ attempt, checkpoint, lineage, positions: {} },
  }));
  const out = join(dir, 'moved.json');
  const written = await sluice(['--json', ...moving, '--out', out]);
  expect([written.code, JSON.parse(written.out)]).toEqual([
    0,
    { topology: 'clicks', checkpoint: 1, splits: 0, written: out },
  ]);
  expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ sources: { in: lines } });
});

it('a topology whose module never ends, or ends its process, is given up', {
  timeout: commandsMaxMs,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-positions-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'topology.ts');
  writeFileSync(file, 'while (true);\nexport default 1;\n');
  const clock = manualClock();
  const given = boundedBundle(file, clock);
  clock.advance(70_000);
  await expect(given).rejects.toMatchObject({
    code: 'topology-load',
    message: `${file} was not evaluated within 70 s`,
  });
  writeFileSync(file, 'process.exit(3);\nexport default 1;\n');
  const ran = await sluice(['flink', 'build', file]);
  expect([ran.code, ran.err]).toEqual([
    1,
    expect.stringContaining(
      'topology.ts ended the process that evaluated it (exit code 3)',
    ) as string,
  ]);
});

it('the pages show commands that the command line takes', async () => {
  const shown = ['flink-move.md', 'flink-aws.md'].flatMap((page) =>
    commandsOf(readFileSync(join(root, 'docs/operating', page), 'utf8')),
  );
  const taken: string[] = [];
  for (const line of shown.filter((each) => each.startsWith('npx --no sluice '))) {
    const program = commandLine('0', async () => void taken.push(line), await findEntries());
    await program.parseAsync(line.split(' ').slice(3), { from: 'user' });
  }
  expect(taken.length).toBeGreaterThanOrEqual(10);
  expect(taken).toEqual(shown.filter((each) => !each.startsWith('aws ')));
});
