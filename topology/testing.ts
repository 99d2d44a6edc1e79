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
import type { Topology } from './plan/plan.ts';
import type { Driver, DriverOptions } from './runtime/driver/driven.ts';
import { openDriver } from './runtime/driver/open-driver.ts';

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
export function createDriver(topology: Topology, options: DriverOptions = {}): Promise<Driver> {
  return openDriver(topology, options);
}
