/**
 * Plays one seeded script on the engine here and on Flink's operators, and gives the first step
 * after which they differ.
 */
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import type { CaseDriver } from '../session.ts';
import type { CaseServer } from './case-server.ts';
import { flinkOpener } from './flink-driver.ts';
import { mixedSinks, mixedTopology } from './mixed.ts';

/** What is done in one step to both. */
type Step =
  | { readonly kind: 'push'; readonly source: string; readonly value: unknown }
  | { readonly kind: 'watermark' | 'clock'; readonly at: number }
  | { readonly kind: 'restore' };

export interface Difference {
  readonly step: number;
  readonly did: Step;
  readonly here: readonly string[];
  readonly there: readonly string[];
}

/** How far behind the last time elements come. */
const behindMax = 30;

/** `count` steps, and the end of input. */
function scriptOf(seed: number, count: number): readonly Step[] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random.next() * limit);
  let [time, watermark, clock] = [0, -10, 0];
  return Array.from({ length: count }, (): Step => {
    const chance = random.next();
    if (chance < 0.72) {
      time += below(4);
      const key = [`k${below(3)}`, below(2), true][below(3)];
      const at = time - (random.next() < 0.2 ? below(behindMax) : below(4));
      const source = random.next() < 0.65 ? 'left' : 'right';
      return { kind: 'push', source, value: event({ key, value: below(40), at }) };
    }
    if (chance < 0.84) {
      watermark = Math.max(watermark, time - 3 - below(8));
      return { kind: 'watermark', at: watermark };
    }
    if (chance < 0.95) {
      clock += below(5);
      return { kind: 'clock', at: clock };
    }
    return { kind: 'restore' };
  });
}

async function play(driver: CaseDriver, step: Step): Promise<void> {
  switch (step.kind) {
    case 'push':
      return driver.push(step.source, step.value);
    case 'watermark':
      return driver.advanceWatermark(step.at);
    case 'clock':
      return driver.setClock(step.at);
    case 'restore':
      return driver.restore(await driver.snapshot());
  }
}

/** What came out since the last step, in no order. */
function takenOf(driver: CaseDriver): readonly string[] {
  const rows = mixedSinks.flatMap((sink) =>
    driver.read(sink).map(({ value, timestamp }) => JSON.stringify([sink, timestamp, value])),
  );
  const rejected = driver
    .rejected()
    .map(({ operator, code, value }) => JSON.stringify(['rejected', operator, code, value]));
  return [...rows, ...rejected].sort();
}

export async function compare(
  server: CaseServer,
  seed: number,
  { steps, parallelism }: { readonly steps: number; readonly parallelism: number },
): Promise<{ readonly difference: Difference | undefined; readonly rows: number }> {
  const topology = mixedTopology();
  const here = await createDriver(topology);
  const open = flinkOpener(server, { operator: 'mixed', config: {} });
  const there = await open(topology, { parallelism });
  let rows = 0;
  try {
    const script = [
      ...scriptOf(seed, steps),
      { kind: 'watermark', at: Number.POSITIVE_INFINITY } as const,
    ];
    for (const [step, did] of script.entries()) {
      if (did.kind === 'watermark' && did.at === Number.POSITIVE_INFINITY) {
        await here.advanceWatermark('max');
        await there.advanceWatermark('max');
      } else {
        await play(here, did);
        await play(there, did);
      }
      const [given, other] = [takenOf(here), takenOf(there)];
      rows += given.length;
      if (JSON.stringify(given) !== JSON.stringify(other))
        return { difference: { step, did, here: given, there: other }, rows };
    }
    return { difference: undefined, rows };
  } finally {
    here.close();
    there.close();
  }
}
