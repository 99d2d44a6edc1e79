/**
 * Windows: `window` sums values per key, `assign` looks only at which windows an element belongs
 * to.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { SluiceEvent, Topology } from '../../../topology/index.ts';
import { collect, count, sum } from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import type { Config, Json } from '../case.ts';
import type { Found, Running, Session } from '../session.ts';
import { driverSession } from '../session.ts';
import type { Row } from './common.ts';
import { feedRows, rows, topologyOf, windowOf } from './common.ts';

interface WindowRow {
  readonly key: Json;
  readonly total: number;
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly pane: { readonly index: number; readonly timing: string; readonly last: boolean };
}

/** `grown`: with a stateless node more. */
export function windowTopology(config: Config, grown = false): Topology {
  return topologyOf((t) => {
    const events = rows(t, 'in');
    const summed = (grown ? events.map((e) => e) : events)
      .keyBy((e) => e.data.key)
      .window('window', windowOf(config), {
        late: 'side',
        allowedLateness: (config['allowedLateness'] ?? 0) as number,
        mode: (config['mode'] ?? 'accumulating') as 'accumulating' | 'discarding',
        ...(config['early'] === undefined ? {} : { early: config['early'] as number }),
      })
      .aggregate({ total: sum((e) => e.data.value as number) });
    summed.out.sinkTo('out', collect());
    summed.late.sinkTo('late', collect());
  });
}

export function windowSubject(config: Config, running: Running): Promise<Session> {
  return driverSession(
    {
      topology: windowTopology(config),
      feed: feedRows,
      take: (driver) => ({
        expect: driver.read('out').map(({ value, timestamp }) => {
          const { key, total, windowStart, windowEnd, pane } = value as WindowRow;
          const row = [key, total, windowStart, windowEnd, timestamp];
          return config['panes'] === true ? [...row, pane.index, pane.timing, pane.last] : row;
        }),
        expectLate: driver.read('late').map(({ value, timestamp }) => {
          const { data } = value as SluiceEvent<Row>;
          return [data.key, data.value, timestamp];
        }),
        expectWatermarks: driver.signals('out'),
      }),
    },
    running,
  );
}

export function assignTopology(config: Config): Topology {
  return topologyOf((t) => {
    const counted = rows(t, 'in')
      .keyBy((e) => e.data.key)
      .window('window', windowOf(config), {})
      .aggregate({ n: count() });
    counted.out.sinkTo('out', collect());
  });
}

/**
 * Each element has a driver of its own, drained at once: windows of different elements must not
 * meet.
 */
export async function assignSubject(config: Config, running: Running): Promise<Session> {
  const topology = assignTopology(config);
  // What the language refuses is told before the first step.
  (await createDriver(topology)).close();
  const open = running.open ?? createDriver;
  let found: Json[] = [];
  const assign = async (at: number): Promise<void> => {
    const driver = await open(topology, { parallelism: running.parallelisms[0] ?? 1 });
    await driver.push('in', event({ key: 'k', value: 1, at }));
    await driver.restore(await driver.snapshot());
    await driver.advanceWatermark('max');
    for (const { value } of driver.read('out')) {
      const row = value as WindowRow;
      found.push([row.windowStart, row.windowEnd]);
    }
    driver.close();
  };
  return {
    async feed(operations) {
      for (const operation of operations) await assign(operation.value as number);
    },
    act: (operation) => Promise.reject(new Error(`no step ${operation.key}`)),
    restore: () => Promise.resolve(),
    take() {
      const taken: Found = { expect: found };
      found = [];
      return taken;
    },
    close: () => undefined,
  };
}

/**
 * Whether the language refuses the configuration, as a topology that is invalid and in no other
 * way.
 */
export async function refusesWindow(config: Config): Promise<boolean> {
  try {
    (await createDriver(assignTopology(config))).close();
    return false;
  } catch (thrown) {
    if (thrown instanceof SluiceError && thrown.code === 'topology-invalid') return true;
    throw thrown;
  }
}
