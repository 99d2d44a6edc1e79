/**
 * A topology of one window and one mapping in the test driver, and what came out of it.
 */
import { expect } from 'vitest';
import { fitWrite } from '../../../../topology/graph/fit-write.ts';
import type { GraphModel, GraphWrite, Topology } from '../../../../topology/index.ts';
import type { DrivenRejection, Driver } from '../../../../topology/testing.ts';
import { createDriver } from '../../../../topology/testing.ts';
import { GraphOracle } from '../../../contract/graph-oracle.ts';

export interface Told {
  readonly writes: readonly GraphWrite[];
  readonly rejected: readonly DrivenRejection[];
}

/** Pushes values to the source `in`, ends time, and gives what the sink `out` was given. */
export async function told(topology: Topology, values: readonly unknown[]): Promise<Told> {
  const driver = await createDriver(topology);
  await driver.push('in', values);
  await driver.advanceWatermark('max');
  return toldOf(driver);
}

export function toldOf(driver: Driver): Told {
  return {
    writes: driver.read('out').flatMap(({ value }) => value as readonly GraphWrite[]),
    rejected: driver.rejected(),
  };
}

/** The graph that holds the writes, each of which must fit the model. */
export function graphOf(model: GraphModel, writes: readonly GraphWrite[]): GraphOracle {
  const oracle = new GraphOracle(model);
  for (const write of writes) {
    expect(fitWrite(model, write)).toEqual(expect.any(Number));
    oracle.apply(write);
  }
  return oracle;
}
