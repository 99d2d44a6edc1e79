/**
 * Watermarks: how a source makes them (`watermarks`), and how those of several inputs become one
 * (`merge`).
 */
import type { Topology } from '../../../topology/index.ts';
import { collect } from '../../../topology/index.ts';
import { event } from '../../../topology/testing.ts';
import type { Config, Operation } from '../case.ts';
import type { CaseDriver, Running, Session } from '../session.ts';
import { driverSession } from '../session.ts';
import { rows, timed, topologyOf } from './common.ts';

export function watermarksTopology(config: Config): Topology {
  const { delay = 0, idleAfter = 0 } = config as {
    readonly delay?: number;
    readonly idleAfter?: number;
  };
  return topologyOf((t) => timed(t, 'in', { delay, idleAfter }).sinkTo('out', collect()));
}

export function watermarksSubject(config: Config, running: Running): Promise<Session> {
  return driverSession(
    {
      topology: watermarksTopology(config),
      feed: (driver, operations) =>
        driver.push(
          'in',
          operations.map(({ value: at }) => event({ at })),
        ),
      take: (driver) => ({ expect: driver.signals('out') }),
    },
    running,
  );
}

type Place = { readonly source: string; readonly split?: string };

export function mergeTopology(config: Config): Topology {
  return config['rule'] === 'combined'
    ? topologyOf((t) => rows(t, 'in').sinkTo('out', collect()))
    : unionTopology(config['inputs'] as number);
}

/** Valve: a union of sources. Combined: one source of several splits. */
export function mergeSubject(config: Config, running: Running): Promise<Session> {
  const inputs = config['inputs'] as number;
  const combined = config['rule'] === 'combined';
  const placeOf = (input: number): Place =>
    combined ? { source: 'in', split: `${input}` } : { source: `in-${input}` };
  return driverSession(
    {
      topology: mergeTopology(config),
      splits: combined ? { in: Array.from({ length: inputs }, (_, input) => `${input}`) } : {},
      begin: async (driver) => {
        if (combined || inputs !== 1) return;
        // What Flink's operators are given as the end of time is the end of an input.
        if (running.open === undefined) await driver.idle(placeOf(1));
        else await driver.advanceWatermark('max', placeOf(1));
      },
      feed: () => Promise.reject(new Error('a merge takes no elements')),
      act: (driver, operation) => act(driver, operation, placeOf),
      take: (driver) => ({ expect: driver.signals('out') }),
    },
    running,
  );
}

/**
 * A union has two inputs at least. What is missing is made up by sources that no step names: idle
 * from the beginning they count for nothing beside one that is active; without any input they stay
 * silent.
 */
function unionTopology(inputs: number): Topology {
  return topologyOf((t) => {
    const [first, second, ...others] = Array.from({ length: Math.max(inputs, 2) }, (_, input) =>
      rows(t, `in-${input}`),
    );
    if (first === undefined || second === undefined) return;
    first.union('union', second, ...others).sinkTo('out', collect());
  });
}

async function act(
  driver: CaseDriver,
  operation: Operation,
  placeOf: (input: number) => Place,
): Promise<void> {
  switch (operation.key) {
    case 'watermark': {
      const { input, at } = operation.value as {
        readonly input: number;
        readonly at: number | 'max';
      };
      return driver.advanceWatermark(at, placeOf(input));
    }
    case 'idle':
      return driver.idle(placeOf(operation.value as number));
    case 'end':
      return driver.advanceWatermark('max', placeOf(operation.value as number));
    case 'active':
      return driver.active(placeOf(operation.value as number));
    default:
      throw new Error(`no step ${operation.key}`);
  }
}
