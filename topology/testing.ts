/**
 * `sluice/testing`: runs a topology in memory, turn by turn, with time moved by hand. It reads and
 * writes nothing outside.
 *
 * Invariants:
 * 1. It runs the same operators as a job, compiled the same way. Only sources and sinks are its
 *    own, and they accept what those of a job accept.
 * 2. Every call is one turn, or several if rows wait for look-ups. It resolves when nothing waits
 *    any longer, or rejects with `lookup-held` when look-ups keep failing.
 * 3. An element on which an operator fails unexpectedly is rejected as `operator-failed`, and the
 *    driver continues.
 * 4. After `restore(snapshot())` it behaves as if nothing had happened; only unread output is lost.
 *    A snapshot of another topology is restored or refused as a job would do with its checkpoint.
 */
import { rowKinds } from './operators/batch.ts';
import type { Topology } from './plan/plan.ts';
import { connect } from './runtime/connections.ts';
import type { Driver, DriverOptions } from './runtime/driver/driven.ts';
import { drivenConnectors } from './runtime/driver/driven-connectors.ts';
import { DrivenTopology } from './runtime/driver/driven-topology.ts';
import { requireValid } from './runtime/take-over.ts';
import { maxTime } from './time/watermark.ts';

export type {
  DrivenRejection,
  DrivenRow,
  DrivenSignal,
  Driver,
  DriverOptions,
  Pushed,
  SourceSelection,
} from './runtime/driver/driven.ts';
export { event } from './runtime/driver/entries.ts';

/**
 * Creates a driver. Throws `SluiceError` `topology-invalid`, `schema-invalid`,
 * `lookup-table-missing`, `connector-missing`.
 *
 * @example
 * const driver = await createDriver(clicksTopology, { now: 10_000 });
 * await driver.push('clicks', event({ userId: 'u1', clickedAt: 1_000 }));
 * await driver.advanceWatermark('max');
 * expect(driver.read('per-minute')).toHaveLength(1);
 */
export async function createDriver(
  topology: Topology,
  options: DriverOptions = {},
): Promise<Driver> {
  requireValid(topology, { collects: true });
  const connections = await connect(topology.plan, drivenConnectors(options));
  const driven = new DrivenTopology(topology, connections, options);
  await driven.begin();
  return {
    async push(source, values, { split } = {}) {
      const all: readonly unknown[] = Array.isArray(values) ? values : [values];
      for (const value of all)
        driven.enter(split === undefined ? { source, value } : { source, value, split });
      await driven.turn();
    },
    async pushAll(pushed) {
      for (const row of pushed) driven.enter(row);
      await driven.turn();
    },
    advanceWatermark(at, selection = {}) {
      if (at === 'max' && selection.source === undefined && selection.split === undefined)
        return driven.end();
      return driven.control(rowKinds.watermark, at === 'max' ? maxTime : at, selection);
    },
    idle: (selection) => driven.control(rowKinds.idle, 0, selection),
    active: (selection) => driven.control(rowKinds.active, 0, selection),
    setClock: (ms) => driven.setClock(ms),
    tick: () => driven.tick(),
    read: (sink) => driven.sinks.read(sink),
    signals: (sink) => driven.sinks.signals(sink),
    rejected: () => driven.rejected(),
    counts: (node) => ({ ...driven.counts(node) }),
    snapshot: () => driven.snapshot(),
    restore: (snapshot) => driven.restore(snapshot),
    close: () => driven.close(),
  };
}
