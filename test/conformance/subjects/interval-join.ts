/**
 * Interval joins: two sources, joined by key and time.
 */
import type { SluiceEvent, Topology } from '../../../topology/index.ts';
import { collect } from '../../../topology/index.ts';
import type { Config, Json, Operation } from '../case.ts';
import type { CaseDriver, Running, Session } from '../session.ts';
import { driverSession } from '../session.ts';
import type { Row } from './common.ts';
import { rowEvent, rows, topologyOf } from './common.ts';

const sides = ['left', 'right'] as const;

interface JoinOptions {
  readonly lower: number;
  readonly upper: number;
  readonly lowerExclusive?: boolean;
  readonly upperExclusive?: boolean;
  readonly join?: 'inner' | 'left';
}

/**
 * A case that does not say what becomes of late elements may still expect them: they are looked at
 * unless it says `drop`.
 */
export function joinTopology(config: Config): Topology {
  const { late = 'side', ...options } = config as unknown as JoinOptions & {
    readonly late?: 'drop' | 'side';
  };
  return topologyOf((t) => {
    const [left, right] = [
      rows(t, 'left').keyBy((e) => e.data.key),
      rows(t, 'right').keyBy((e) => e.data.key),
    ];
    const row = (l: SluiceEvent<Row>, r: SluiceEvent<Row> | undefined) => [
      l.data.at,
      r?.data.at ?? null,
    ];
    if (late === 'drop') {
      left.intervalJoin('join', right, { ...options, late }, row).out.sinkTo('out', collect());
      return;
    }
    const joined = left.intervalJoin('join', right, { ...options, late }, row);
    joined.out.sinkTo('out', collect());
    joined.lateLeft.sinkTo('late-left', collect());
    joined.lateRight.sinkTo('late-right', collect());
  });
}

/** A batch of each side, in one turn. */
async function feed(driver: CaseDriver, operations: readonly Operation[]): Promise<void> {
  await driver.pushAll(
    operations.map((operation) => ({ source: operation.key, value: rowEvent(operation) })),
  );
}

async function watermark(driver: CaseDriver, at: Json): Promise<void> {
  if (typeof at !== 'object') {
    await driver.advanceWatermark(at as number | 'max');
    return;
  }
  for (const [source, own] of Object.entries(at as Record<string, number | 'max'>))
    await driver.advanceWatermark(own, { source });
}

export function intervalJoinSubject(config: Config, running: Running): Promise<Session> {
  return driverSession(
    {
      topology: joinTopology(config),
      feed,
      act: (driver, operation) => watermark(driver, operation.value),
      take: (driver) => ({
        expect: driver
          .read('out')
          .map(({ value, timestamp }) => [...(value as readonly Json[]), timestamp]),
        expectWatermarks: driver.signals('out'),
        ...Object.fromEntries(
          sides.map((side) => [
            `expectLate.${side}`,
            config['late'] === 'drop'
              ? []
              : driver.read(`late-${side}`).map(({ timestamp }) => timestamp),
          ]),
        ),
      }),
    },
    running,
  );
}
