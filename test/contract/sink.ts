/**
 * What every sink must do under checkpoints, commits and crashes (topology/nodes/sink.ts has the
 * invariants). A crash is simulated by forgetting the sink after a step; the next one opens with
 * the last state that a checkpoint kept.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ElementBatch, Sink, SinkState } from '../../topology/index.ts';

/** One place that sinks write to, run after run. */
export interface SinkRig {
  sink(attempt: number): Sink;
  /** The nth element, as a batch. */
  batch(n: number): ElementBatch;
  /** The elements that a reader sees, as often as it sees them, sorted. */
  visible(): Promise<readonly number[]>;
  /** Lets time pass between two checkpoints. */
  wait(): void;
}

export interface SinkContractOptions {
  readonly make: () => SinkRig;
  /** How many checkpoints it may take until an element is visible. */
  readonly checkpointsMax: number;
  readonly runs: number;
}

const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, n) => n);

type Step = 'write' | 'prepare' | 'keep' | 'commit' | 'crash';

/**
 * Carries steps out as the engine may: never a commit before the checkpoint is kept, replays after
 * a crash from what it kept.
 */
class SinkRun {
  readonly #rig: SinkRig;
  #sink: Sink | undefined;
  #attempt = 0;
  #checkpoint = 0;
  #written = 0;
  #prepared: { readonly state: SinkState; readonly written: number } | undefined;
  #kept: { readonly state: SinkState; readonly written: number } | undefined;

  constructor(rig: SinkRig) {
    this.#rig = rig;
  }

  get kept(): number {
    return this.#kept?.written ?? 0;
  }

  async #running(): Promise<Sink> {
    if (this.#sink !== undefined) return this.#sink;
    const sink = this.#rig.sink(++this.#attempt);
    await sink.open(this.#kept?.state);
    this.#written = this.kept;
    this.#prepared = undefined;
    this.#sink = sink;
    return sink;
  }

  async step(step: Step): Promise<void> {
    const sink = await this.#running();
    switch (step) {
      case 'write':
        expect(await sink.write(this.#rig.batch(this.#written))).toEqual([]);
        this.#written++;
        return;
      case 'prepare':
        this.#rig.wait();
        this.#prepared = {
          state: stored(await sink.prepare(++this.#checkpoint, false)),
          written: this.#written,
        };
        return;
      case 'keep':
        this.#kept = this.#prepared ?? this.#kept;
        return;
      case 'commit':
        if (this.#prepared === undefined || this.#kept !== this.#prepared) return;
        await sink.commit(this.#checkpoint);
        return;
      case 'crash':
        this.#sink = undefined;
        await sink.close();
        return;
    }
  }

  async checkpoint(): Promise<void> {
    for (const step of ['prepare', 'keep', 'commit'] as const) await this.step(step);
  }

  async pendingRows(): Promise<number> {
    return (await this.#running()).pendingRows();
  }
}

async function finish(
  run: SinkRun,
  rig: SinkRig,
  options: SinkContractOptions,
  elements: number,
): Promise<void> {
  await run.checkpoint();
  while (run.kept < elements) {
    await run.step('write');
    await run.checkpoint();
  }
  for (let i = 0; i < options.checkpointsMax; i++) await run.checkpoint();
  expect(await run.pendingRows()).toBe(0);
  expect(await rig.visible()).toEqual(upTo(run.kept));
  await run.step('crash');
}

export function sinkContract(name: string, options: SinkContractOptions): void {
  describe(`${name}, as a sink`, () => {
    it('shows nothing of a checkpoint before its commit, and all of it once it is due', async () => {
      const rig = options.make();
      const run = new SinkRun(rig);
      await run.step('write');
      await run.step('write');
      expect(await run.pendingRows()).toBeGreaterThan(0);
      await run.step('prepare');
      expect(await rig.visible()).toEqual([]);
      expect(await run.pendingRows()).toBeGreaterThan(0);
      await finish(run, rig, options, 2);
    });

    it('publishes what a restart finds in the last checkpoint, once, however often it is restarted', async () => {
      const rig = options.make();
      const run = new SinkRun(rig);
      for (let n = 0; n < 3; n++) {
        await run.step('write');
        await run.checkpoint();
      }
      await run.step('write');
      await run.step('prepare');
      await run.step('keep');
      for (let n = 0; n < 3; n++) await run.step('crash');
      await finish(run, rig, options, 4);
    });

    it('makes up for a lost commit with the next one', async () => {
      const rig = options.make();
      const run = new SinkRun(rig);
      for (let n = 0; n < 3; n++) {
        await run.step('write');
        await run.step('prepare');
        await run.step('keep');
      }
      await run.step('crash');
      await run.step('write');
      await run.step('prepare');
      await run.step('keep');
      await run.step('write');
      await finish(run, rig, options, 5);
    });

    it('repeats a commit without effect, and takes rows beside it', async () => {
      const rig = options.make();
      const sink = rig.sink(1);
      await sink.open(undefined);
      for (let checkpoint = 1; checkpoint <= 4; checkpoint++) {
        rig.wait();
        await sink.write(rig.batch(checkpoint * 2 - 2));
        await sink.prepare(checkpoint, false);
        await Promise.all([
          sink.commit(checkpoint),
          sink.write(rig.batch(checkpoint * 2 - 1)),
          sink.commit(checkpoint),
        ]);
        await sink.commit(checkpoint);
      }
      for (let checkpoint = 5; checkpoint < 6 + options.checkpointsMax; checkpoint++) {
        rig.wait();
        await sink.prepare(checkpoint, false);
        await sink.commit(checkpoint);
      }
      expect(await rig.visible()).toEqual(upTo(8));
      await sink.close();
    });

    it('loses and repeats nothing, whatever the order of writes, checkpoints, commits and crashes', async () => {
      const step = fc.oneof(
        { weight: 4, arbitrary: fc.constant('write' as const) },
        { weight: 3, arbitrary: fc.constant('checkpoint' as const) },
        { weight: 2, arbitrary: fc.constant('prepare' as const) },
        { weight: 2, arbitrary: fc.constant('keep' as const) },
        { weight: 2, arbitrary: fc.constant('commit' as const) },
        { weight: 1, arbitrary: fc.constant('crash' as const) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
          const rig = options.make();
          const run = new SinkRun(rig);
          for (const next of steps) {
            if (next === 'checkpoint') await run.checkpoint();
            else await run.step(next);
            const seen = await rig.visible();
            expect(seen).toEqual([...new Set(seen)]);
            expect(seen.filter((n) => n >= run.kept)).toEqual([]);
          }
          await finish(run, rig, options, run.kept + 1);
        }),
        { numRuns: options.runs },
      );
    });

    it('is killed after each step in turn and ends with every element once', async () => {
      const cycle: readonly Step[] = ['write', 'prepare', 'keep', 'commit'];
      for (let killAt = 0; killAt < 2 * cycle.length; killAt++) {
        const rig = options.make();
        const run = new SinkRun(rig);
        for (let step = 0; step <= killAt; step++)
          await run.step(cycle[step % cycle.length] as Step);
        await run.step('crash');
        await finish(run, rig, options, 3);
      }
    });
  });
}
