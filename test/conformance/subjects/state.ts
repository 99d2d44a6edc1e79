/**
 * Keyed state: timers, state with a time to live, and deduplication.
 */
import type { SluiceEvent, Topology } from '../../../topology/index.ts';
import { collect, value } from '../../../topology/index.ts';
import { event } from '../../../topology/testing.ts';
import type { Config, Json, Operation } from '../case.ts';
import type { Running, Session } from '../session.ts';
import { driverSession } from '../session.ts';
import type { Row } from './common.ts';
import { feedRows, rows, timed, topologyOf } from './common.ts';

type Scalar = Row['value'];

const farthest = 2 ** 52;

/**
 * Timers take whole milliseconds: before the first watermark and after the last they are as far
 * away as can be.
 */
function whole(watermark: number): number {
  return Math.max(-farthest, Math.min(watermark, farthest));
}

export function timersTopology(config: Config): Topology {
  const { eventTimer, processingTimer } = config['register'] as {
    readonly eventTimer?: number;
    readonly processingTimer?: number;
  };
  return topologyOf((t) =>
    rows(t, 'in')
      .keyBy((e) => e.data.key)
      .process('timers', {
        state: { last: value<Scalar>() },
        onElement: (e, ctx): readonly Json[] => {
          ctx.state.last.set(e.data.value);
          if (eventTimer !== undefined) ctx.timers.event(whole(ctx.watermark) + eventTimer);
          if (processingTimer !== undefined)
            ctx.timers.processing(ctx.processingTime + processingTimer);
          return [[e.data.key, e.data.value, 'element']];
        },
        onTimer: (timer, ctx): readonly Json[] => [
          [ctx.key, ctx.state.last.get() ?? null, timer.domain],
        ],
      })
      .sinkTo('out', collect()),
  );
}

export function timersSubject(config: Config, running: Running): Promise<Session> {
  return driverSession(
    {
      topology: timersTopology(config),
      feed: feedRows,
      take: (driver) => ({
        expect: driver
          .read('out')
          .map(({ value: row, timestamp }) => [...(row as readonly Json[]), timestamp]),
      }),
    },
    running,
  );
}

interface Access {
  readonly key: Scalar;
  /** Written when there is one; read otherwise. */
  readonly put?: Scalar;
  readonly at: number;
}

function accessOf({ key, value: given }: Operation): Access {
  if (key === 'get') return { key: given as Scalar, at: 0 };
  const [name = '', put = ''] = given as readonly Scalar[];
  return { key: name, put, at: 0 };
}

export function ttlTopology(config: Config): Topology {
  const options = {
    ttl: config['ttl'] as number,
    refresh: (config['refresh'] ?? 'write') as 'write' | 'readWrite',
  };
  return topologyOf((t) =>
    timed<Access>(t, 'in')
      .keyBy((e) => e.data.key)
      .process('state', {
        state: { held: value<Scalar>(options) },
        onElement: (e, ctx): readonly Json[] => {
          if (e.data.put === undefined) return [{ held: ctx.state.held.get() ?? null }];
          ctx.state.held.set(e.data.put);
          return [];
        },
      })
      .sinkTo('out', collect()),
  );
}

export function ttlSubject(config: Config, running: Running): Promise<Session> {
  return driverSession(
    {
      topology: ttlTopology(config),
      feed: (driver, operations) =>
        driver.push(
          'in',
          operations.map((operation) => event(accessOf(operation))),
        ),
      take: (driver) => ({
        expect: driver.read('out').map(({ value: row }) => (row as { readonly held: Json }).held),
      }),
    },
    running,
  );
}

export function deduplicateTopology(config: Config): Topology {
  return topologyOf((t) => {
    const once = rows(t, 'in').deduplicate('once', {
      by: (e) => e.data.key,
      within: config['within'] as number,
      late: 'side',
    });
    once.out.sinkTo('out', collect());
    once.late.sinkTo('late', collect());
  });
}

export function deduplicateSubject(config: Config, running: Running): Promise<Session> {
  const pairOf = ({
    value: row,
    timestamp,
  }: {
    readonly value: unknown;
    readonly timestamp: number;
  }): Json => [(row as SluiceEvent<Row>).data.key, timestamp];
  return driverSession(
    {
      topology: deduplicateTopology(config),
      feed: feedRows,
      take: (driver) => ({
        expect: driver.read('out').map(pairOf),
        expectLate: driver.read('late').map(pairOf),
      }),
    },
    running,
  );
}
