/**
 * Opens the driver of a topology (topology/testing.ts), with what authors have no say in: where its
 * state may be.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { Topology } from '../../plan/plan.ts';
import { keyGroups } from '../../state/entries.ts';
import type { StateRoom } from '../../state/records.ts';
import { maxTime } from '../../time/watermark.ts';
import { connect } from '../connections.ts';
import { requireValid } from '../take-over.ts';
import type { Driver, DriverOptions } from './driven.ts';
import { drivenConnectors } from './driven-connectors.ts';
import { DrivenTopology } from './driven-topology.ts';

export async function openDriver(
  topology: Topology,
  options: DriverOptions = {},
  room: StateRoom = {},
): Promise<Driver> {
  requireValid(topology, { collects: true });
  requireParallelism(options.parallelism ?? 1);
  const connections = await connect(topology.plan, drivenConnectors(options));
  const driven = new DrivenTopology(topology, connections, options, room);
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

function requireParallelism(parallelism: number): void {
  if (Number.isInteger(parallelism) && parallelism >= 1 && parallelism <= keyGroups) return;
  throw new SluiceError(
    'option-invalid',
    `invalid parallelism ${parallelism}: expected a whole number from 1 to ${keyGroups}`,
  );
}
