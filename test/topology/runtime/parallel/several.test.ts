/**
 * Several operators that share the keys of a node give what one gives: the same rows in the same
 * order, the same rejections, signals and counts, whatever happens.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collect } from '../../../../topology/index.ts';
import type { Driver } from '../../../../topology/testing.ts';
import { createDriver, event } from '../../../../topology/testing.ts';
import type { Happening } from './several-topology.ts';
import { happenings, severalTo, sinks } from './several-topology.ts';

const several = severalTo(() => collect());

const keyed = ['once', 'windowed', 'again', 'sessions', 'joined', 'timed', 'again-timed'];

class Played {
  readonly told: unknown[] = [];
  #driver: Driver | undefined;
  #nowMs = 1_000;

  async open(parallelism: number): Promise<Driver> {
    this.#driver?.close();
    this.#driver = await createDriver(several, { now: this.#nowMs, parallelism });
    return this.#driver;
  }

  async play(happening: Happening, sameParallelism: boolean): Promise<void> {
    const driver = this.#driver ?? (await this.open(1));
    switch (happening.do) {
      case 'push':
        await driver.pushAll(
          happening.rows.map(([source, row]) => ({ source, value: event(row) })),
        );
        break;
      case 'watermark': {
        const { at, source } = happening;
        await driver.advanceWatermark(at, source === undefined ? {} : { source });
        break;
      }
      case 'idle':
        await driver.idle({ source: happening.source });
        break;
      case 'active':
        await driver.active({ source: happening.source });
        break;
      case 'clock':
        this.#nowMs += happening.onMs;
        await driver.setClock(this.#nowMs);
        break;
      case 'tick':
        await driver.tick();
        break;
      case 'restore': {
        const snapshot = driver.snapshot();
        const next = await this.open(sameParallelism ? 1 : happening.parallelism);
        await next.restore(snapshot);
        break;
      }
    }
    this.#tell();
  }

  async end(): Promise<void> {
    const driver = this.#driver ?? (await this.open(1));
    await driver.advanceWatermark('max');
    this.#tell();
    driver.close();
  }

  #tell(): void {
    const driver = this.#driver;
    if (driver === undefined) return;
    this.told.push({
      rows: sinks.map((sink) => driver.read(sink)),
      signals: sinks.map((sink) => driver.signals(sink)),
      rejected: driver.rejected(),
      counts: keyed.map((node) => driver.counts(node)),
    });
  }
}

async function toldOf(all: readonly Happening[], parallelism: number): Promise<readonly unknown[]> {
  const played = new Played();
  await played.open(parallelism);
  for (const happening of all) await played.play(happening, parallelism === 1);
  await played.end();
  return played.told;
}

describe('several operators of a node', () => {
  it.each([2, 3])(
    'give what one gives, in its order, in %i parts',
    async (parallelism) => {
      let rows = 0;
      let rejected = 0;
      await fc.assert(
        fc.asyncProperty(happenings, async (all) => {
          const one = await toldOf(all, 1);
          expect(await toldOf(all, parallelism)).toEqual(one);
          const text = JSON.stringify(one);
          rows += text.split('"timestamp"').length - 1;
          rejected += text.split('"pointer"').length - 1;
        }),
        { numRuns: 100, seed: 20_261_130 },
      );
      expect(rows).toBeGreaterThan(4_000);
      expect(rejected).toBeGreaterThan(1_000);
    },
    120_000,
  );

  it.each([0, 1.5, 129, Number.NaN])('are not %d', async (parallelism) => {
    await expect(createDriver(several, { parallelism })).rejects.toMatchObject({
      code: 'option-invalid',
      message: `invalid parallelism ${parallelism}: expected a whole number from 1 to 128`,
    });
  });
});
