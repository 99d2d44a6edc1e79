/**
 * The graph sink on a real database: the contract of all sinks, then a crash at each of its own
 * steps, fencing, order, files.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import type { GraphDatabase } from '../../../enrich/graph/graph-database.ts';
import { graphSink, graphStagedMaxFiles } from '../../../enrich/graph/graph-sink.ts';
import { graphChunkMaxWrites } from '../../../enrich/graph/pending-writes.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { runName } from '../../../schemas/run-id.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphDatabaseRig } from '../../contract/graph-database.ts';
import { sinkContract } from '../../contract/sink.ts';
import { runOf } from '../../runs.ts';
import { saying } from '../../said.ts';
import { temporaryFolders } from '../support.ts';
import { ladybugRig, writesBatch } from './support.ts';

const newFolder = temporaryFolders('graph-sink');

const steps = graphModel({
  nodes: { Step: { key: 'n', props: { n: 'integer', last: 'string', seen: 'integer' } } },
  edges: { NEXT: { from: 'Step', to: 'Step', props: { weight: 'number' } } },
});

class Crash extends Error {}

/**
 * One graph and one folder for staged writes, run after run; every chunk that was applied is noted,
 * and a step can be made to fail.
 */
class Rig {
  readonly folder = newFolder();
  readonly applied: string[] = [];
  /**
   * Called before and after each chunk's transaction, and before a sink is opened; throws to crash
   * there.
   */
  at: (step: string) => void = () => undefined;
  /** What each chunk waits for. */
  gate: Promise<void> = Promise.resolve();
  #graph: Promise<GraphDatabaseRig> | undefined;

  graph(): Promise<GraphDatabaseRig> {
    mkdirSync(this.folder, { recursive: true });
    return (this.#graph ??= ladybugRig(this.folder));
  }

  get staging(): string {
    return join(this.folder, 'staged');
  }

  get files(): readonly string[] {
    return existsSync(this.staging) ? readdirSync(this.staging).sort() : [];
  }

  sink(attempt: number): Sink {
    const database: GraphDatabase = {
      openSink: async (claim) => {
        this.at('open');
        return (await this.graph()).database.openSink(claim);
      },
      applyChunk: async (chunk, writes) => {
        const name = `${chunk.checkpoint}.${chunk.chunk}`;
        await this.gate;
        this.at(`before ${name}`);
        const outcome = await (await this.graph()).database.applyChunk(chunk, writes);
        if (outcome === 'applied') this.applied.push(name);
        this.at(`after ${name}`);
        return outcome;
      },
    };
    const staging = localBlobStore(this.folder);
    return graphSink({
      database,
      model: steps.definition,
      staging,
      folder: 'staged',
      sink: 't/graph',
      run: runOf(attempt),
    });
  }

  async ask(statement: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.graph()).ask(statement);
  }

  async numbers(): Promise<readonly number[]> {
    const known = await this.ask("CALL SHOW_TABLES() WHERE name = 'Step' RETURN name");
    return known.length === 0
      ? []
      : ((await this.ask('MATCH (s:Step) RETURN s.n ORDER BY s.n')).flat() as number[]);
  }
}

const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;

sinkContract('the graph sink', {
  make: () => {
    const rig = new Rig();
    return {
      sink: (attempt) => rig.sink(attempt),
      batch: (n) => writesBatch([steps.Step({ n })]),
      visible: () => rig.numbers(),
      wait: () => undefined,
    };
  },
  checkpointsMax: 1,
  runs: 8,
});

/** A node and an edge each: three chunks. */
const elements = 1.2 * graphChunkMaxWrites;
const element = (n: number, last: string): unknown => [
  steps.Step({ n, last }),
  steps.NEXT({ from: n, to: n + 1, weight: n / 3 }),
];
const all = (last: string): ReturnType<typeof writesBatch> =>
  writesBatch(...Array.from({ length: elements }, (_, n) => element(n, last)));

describe('the graph sink, crashed', () => {
  const places = ['before 2.1', 'after 2.1', 'before 2.2', 'after 2.2', 'before 2.3', 'after 2.3'];

  it.each(places)(
    '%s chunk, applies every chunk once and in order when it is started again',
    async (place) => {
      const rig = new Rig();
      const first = rig.sink(1);
      await first.open(undefined);
      await first.write(all('one'));
      await first.prepare(1, false);
      await first.commit(1);
      await first.write(all('two'));
      const state = stored(await first.prepare(2, false));
      rig.at = (step) => {
        if (step === place) throw new Crash(step);
      };
      await expect(first.commit(2)).rejects.toThrow(Crash);
      expect(first.pendingRows()).toBe(elements);

      // A second run crashes there too; the third finds it mended. A transaction that was durable
      // counts, though nobody heard of it.
      const again = rig.sink(2).open(state);
      if (place.startsWith('before')) await expect(again).rejects.toThrow(Crash);
      else await again.catch(() => undefined);
      rig.at = () => undefined;
      const last = rig.sink(3);
      await last.open(state);
      expect(rig.applied).toEqual(['1.1', '1.2', '1.3', '2.1', '2.2', '2.3']);
      expect(last.pendingRows()).toBe(0);
      expect(await rig.ask("MATCH (s:Step) WHERE s.last = 'two' RETURN count(*)")).toEqual([
        [elements],
      ]);
      expect(
        await rig.ask('MATCH (:Step)-[e:NEXT]->(:Step) RETURN count(*), max(e.weight)'),
      ).toEqual([[elements, (elements - 1) / 3]]);

      // And it goes on from there.
      await last.write(writesBatch(element(0, 'three')));
      await last.prepare(5, false);
      await last.commit(5);
      expect(await rig.ask('MATCH (s:Step) WHERE s.n = 0 RETURN s.last')).toEqual([['three']]);
    },
  );

  it('before it has staged, or staged and not in a checkpoint, leaves no trace', async () => {
    for (const stages of [false, true]) {
      const rig = new Rig();
      const first = rig.sink(1);
      await first.open(undefined);
      await first.write(writesBatch([steps.Step({ n: 1 })]));
      if (stages) await first.prepare(1, false);
      expect(rig.files).toHaveLength(stages ? 1 : 0);
      const second = rig.sink(2);
      await second.open(undefined);
      expect([rig.files, await rig.numbers(), second.pendingRows()]).toEqual([[], [], 0]);
    }
  });

  it('after the checkpoint, applies what the state names, also when the graph was closed in between', async () => {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    const run = async (
      attempt: number,
      work: (sink: Sink) => Promise<void>,
    ): Promise<GraphDatabaseRig> => {
      const rig = await ladybugRig(folder);
      const staging = localBlobStore(folder);
      await work(
        graphSink({
          database: rig.database,
          model: steps.definition,
          staging,
          folder: 'staged',
          sink: 't/graph',
          run: runOf(attempt),
        }),
      );
      return rig;
    };
    let state: SinkState;
    const first = await run(1, async (sink) => {
      await sink.open(undefined);
      await sink.write(all('one'));
      state = stored(await sink.prepare(1, false));
    });
    await first.close();
    const second = await run(2, (sink) => sink.open(state));
    expect(await second.ask('MATCH (s:Step) RETURN count(*)')).toEqual([[elements + 1]]);
  });
});

describe('the graph sink', () => {
  it('is refused once a newer run has opened, and has changed nothing by then', async () => {
    const rig = new Rig();
    const stale = rig.sink(1);
    await stale.open(undefined);
    await stale.write(writesBatch([steps.Step({ n: 1 })]));
    await stale.prepare(1, false);
    await rig.sink(2).open(undefined);
    writeFileSync(
      join(rig.staging, `${runName(runOf(1))}-0.ndjson`),
      `${JSON.stringify([steps.Step({ n: 1 })])}\n`,
    );
    const fenced = {
      code: 'fenced',
      details: { sink: 't/graph', attempt: 1, by: 2, restarted: false },
    };
    await expect(stale.commit(1)).rejects.toMatchObject(fenced);
    await expect(rig.sink(1).open(undefined)).rejects.toMatchObject(fenced);
    expect(await rig.numbers()).toEqual([]);
  });

  it('keeps the order of writes, within a batch, over batches, spilled files and checkpoints', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    const step = (last: string, more: object = {}): unknown => [
      steps.Step({ n: 1, last, ...more }),
    ];
    await sink.write(
      writesBatch(step('a', { seen: 1 }), step('b'), [
        steps.Step({ n: 1, last: 'c' }),
        steps.Step({ n: 1, last: 'd' }),
      ]),
    );
    await sink.write(writesBatch(step('e')));
    await sink.prepare(1, false);
    await sink.write(writesBatch(step('f')));
    await sink.prepare(2, false);
    await sink.commit(2);
    expect(await rig.ask('MATCH (s:Step) RETURN s.last, s.seen')).toEqual([['f', 1]]);
    await sink.write(
      writesBatch(
        [steps.Step({ n: 1, seen: null })],
        [steps.Step({ n: 2, last: 'x' })],
        [steps.Step({ n: 2, last: null })],
      ),
    );
    await sink.prepare(3, false);
    await sink.commit(3);
    expect(await rig.ask('MATCH (s:Step) RETURN s.n, s.last, s.seen ORDER BY s.n')).toEqual([
      [1, 'f', null],
      [2, null, null],
    ]);
  });

  it('hands back an element whose writes do not fit, whole, with the place, and takes the others', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    const refused = await sink.write(
      writesBatch(
        [steps.Step({ n: 1 }), { kind: 'node', label: 'Step', props: { n: 'one' } }],
        [steps.Step({ n: 2 })],
        steps.Step({ n: 3 }),
        [],
        [{ kind: 'edge', type: 'NEXT', from: 1, to: 2, props: { weight: 'heavy' } }],
      ),
    );
    expect(refused).toEqual([
      { index: 0, pointer: '/1/props/n', message: saying({ names: ['one'] }) },
      { index: 2, pointer: '', message: saying({ names: [] }) },
      { index: 4, pointer: '/0/props/weight', message: saying({ names: ['heavy'] }) },
    ]);
    expect(sink.pendingRows()).toBe(1);
    await sink.prepare(1, false);
    await sink.commit(1);
    expect(await rig.numbers()).toEqual([2]);
  });

  it('takes ten thousand elements in one checkpoint, stages them early past the bound, and applies them in bounded chunks', {
    timeout: 120_000,
  }, async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    const count = 10_000;
    for (let begin = 0; begin < count; begin += 1_000) {
      // A node, and edges enough to pass the bound of writes in memory.
      const values = Array.from({ length: 1_000 }, (_, i) => {
        const n = begin + i;
        return [
          steps.Step({ n, last: `s${n}` }),
          ...Array.from({ length: 5 }, (__, k) =>
            steps.NEXT({ from: n, to: (n + k + 1) % count, weight: k }),
          ),
        ];
      });
      expect(await sink.write(writesBatch(...values))).toEqual([]);
    }
    expect(rig.files).toHaveLength(1);
    expect(sink.pendingRows()).toBe(count);
    const state = (await sink.prepare(1, false)) as {
      readonly files: readonly {
        readonly first: number;
        readonly chunks: number;
        readonly rows: number;
      }[];
    };
    expect(state.files.reduce((sum, { rows }) => sum + rows, 0)).toBe(count);
    expect(state.files[1]?.first).toBe((state.files[0]?.chunks ?? 0) + 1);
    await sink.commit(1);
    const chunks = state.files.reduce((sum, file) => sum + file.chunks, 0);
    expect(chunks).toBeLessThan((6 * count) / graphChunkMaxWrites + 3);
    expect(rig.applied).toEqual(Array.from({ length: chunks }, (_, n) => `1.${n + 1}`));
    expect(await rig.ask('MATCH (s:Step) RETURN count(*), count(s.last)')).toEqual([
      [count, count],
    ]);
    expect(await rig.ask('MATCH (:Step)-[e:NEXT]->(:Step) RETURN count(*), sum(e.weight)')).toEqual(
      [[5 * count, 10 * count]],
    );
  });

  it('keeps applied files until the next commit, and no others', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    const counts: number[] = [];
    for (let checkpoint = 1; checkpoint <= 4; checkpoint++) {
      if (checkpoint < 4) await sink.write(writesBatch([steps.Step({ n: checkpoint })]));
      await sink.prepare(checkpoint, false);
      await sink.commit(checkpoint);
      await sink.commit(checkpoint);
      counts.push(rig.files.length);
    }
    expect(counts).toEqual([0, 0, 0, 0]);
    await sink.write(writesBatch([steps.Step({ n: 9 })]));
    await sink.prepare(5, false);
    await sink.commit(5);
    expect(rig.files).toHaveLength(1);
  });

  it('says what is lost: staged writes, or a graph that does not belong to the checkpoint', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(writesBatch([steps.Step({ n: 1 })]));
    const first = stored(await sink.prepare(1, false));
    rmSync(join(rig.staging, `${runName(runOf(1))}-0.ndjson`));
    await expect(rig.sink(2).open(first)).rejects.toMatchObject({
      code: 'staged-file-missing',
      details: {
        key: expect.stringMatching(new RegExp(`/${runName(runOf(1))}-0\\.ndjson$`)) as string,
        found: 'nothing',
      },
    });

    const other = new Rig();
    const behind = { applied: 7, files: [] };
    await expect(other.sink(1).open(behind)).rejects.toMatchObject({
      code: 'graph-behind',
      details: { sink: 't/graph', found: 0, wanted: 7 },
      fix: saying({ code: ['sluice reset'] }),
    });
  });

  it('cuts what a disk left behind staged writes, and applies none of a chunk that is torn', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(all('one'));
    const state = stored(await sink.prepare(1, false));
    const [file = ''] = rig.files;
    const path = join(rig.staging, file);
    const whole = readFileSync(path);
    const torn = Buffer.from(whole);
    torn.fill(0, whole.length - 100);
    writeFileSync(path, torn);
    await expect(rig.sink(2).open(state)).rejects.toMatchObject({
      code: 'staged-file-missing',
      details: { key: expect.stringMatching(new RegExp(`/${file}$`)) as string, found: 'damaged' },
    });
    expect(await rig.numbers()).toEqual([]);
    writeFileSync(path, Buffer.concat([whole, Buffer.alloc(4_096)]));
    await rig.sink(3).open(state);
    expect(rig.applied).toEqual(['1.1', '1.2', '1.3']);
  });

  it('stages beside a commit that takes long, and keeps what a checkpoint names', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(writesBatch([steps.Step({ n: 1 })]));
    await sink.prepare(1, false);
    let open = (): void => undefined;
    rig.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = sink.commit(1);
    await sink.write(writesBatch([steps.Step({ n: 2 })]));
    const second = stored(await sink.prepare(2, false)) as {
      readonly files: readonly { readonly file: string }[];
    };
    open();
    await first;
    expect(await rig.numbers()).toEqual([1]);
    expect(sink.pendingRows()).toBe(1);
    // What the second checkpoint names stays until a third is complete, whether it is applied or
    // not.
    expect(second.files.map(({ file }) => file)).toEqual(rig.files);
    await sink.commit(2);
    expect(rig.files).toEqual(second.files.map(({ file }) => file));
    expect(await rig.numbers()).toEqual([1, 2]);
    await sink.prepare(3, false);
    await sink.commit(3);
    expect(rig.files).toEqual([]);
  });

  it('that fails is tried again by the next commit, and applies every chunk once and in order', async () => {
    const rig = new Rig();
    const sink = rig.sink(1);
    await sink.open(undefined);
    await sink.write(all('one'));
    await sink.prepare(1, false);
    let fails = 2;
    rig.at = (step) => {
      if (/^(before 1.2|after 1.3)$/.test(step) && fails-- > 0)
        throw new SluiceError('graph-unreachable', 'gone', { retryable: true });
    };
    await expect(sink.commit(1)).rejects.toMatchObject({ code: 'graph-unreachable' });
    await sink.write(writesBatch([steps.Step({ n: 9_999_999 })]));
    await sink.prepare(2, false);
    await expect(sink.commit(2)).rejects.toMatchObject({ code: 'graph-unreachable' });
    await sink.commit(2);
    expect(rig.applied).toEqual(['1.1', '1.2', '1.3', '2.1']);
    expect(sink.pendingRows()).toBe(0);
  });

  it('is full when it holds as much as it may that the graph has not', async () => {
    const rig = new Rig();
    const files = Array.from({ length: graphStagedMaxFiles }, (_, n) => ({
      file: `1-${n}.ndjson`,
      checkpoint: n + 1,
      first: 1,
      chunks: 1,
      rows: 1,
    }));
    const sink = graphSink({
      database: {
        openSink: () =>
          Promise.reject(new SluiceError('graph-unreachable', 'gone', { retryable: true })),
        applyChunk: () => Promise.reject(new Error('not opened')),
      },
      ...{
        model: steps.definition,
        staging: localBlobStore(rig.folder),
        folder: 'staged',
        sink: 't/graph',
        run: runOf(2),
        clock: manualClock(0),
      },
    });
    await sink.open({ applied: 0, files: files.slice(1) });
    expect(sink.isFull).toBe(false);
    await sink.write(writesBatch([steps.Step({ n: 1 })]));
    await sink.prepare(files.length, false);
    expect(sink.isFull).toBe(true);
  });

  it('tells of a folder it cannot write into', async () => {
    const rig = new Rig();
    await rig.graph();
    writeFileSync(rig.staging, 'a file');
    await expect(rig.sink(1).open(undefined)).rejects.toMatchObject({
      code: 'blob-store-failed',
      retryable: true,
    });
  });
});
