/**
 * An element goes to the first output whose condition takes it. `split`, the operator's old name,
 * is the same operator: what a topology had under that name goes on under the new one.
 */
import { expect, it } from 'vitest';
import { definitionsOf } from '../../../topology/checkpoint/definition.ts';
import type { Stream, Topology } from '../../../topology/index.ts';
import {
  collect,
  describePlan,
  stream,
  topology,
  validateTopology,
} from '../../../topology/index.ts';
import { createDriver, event } from '../../../topology/testing.ts';

interface Order {
  readonly id: string;
  readonly euros: number;
}

function orders(name: 'branch' | 'split', keyOf = ({ id }: Order): string => id): Topology {
  return topology('orders', { version: 1, owner: 'shop/orders' }, (t) => {
    const all: Stream<Order> = t
      .source('orders', stream('shop/orders'))
      .map(({ data }) => data as Order)
      .eventTime('time', () => 0, { outOfOrderness: 0 });
    const { large, rest } = all[name]({ large: ({ euros }) => euros > 100 });
    large
      .filter(({ id }) => id !== '')
      .deduplicate('once', { by: keyOf, within: '1h' })
      .sinkTo('large', collect());
    rest.sinkTo('small', collect());
  });
}

const order = (id: string, euros: number) => event({ id, euros });

it.each(['branch', 'split'] as const)('%s gives each element to one output', async (name) => {
  const topologyOf = orders(name);
  expect(validateTopology(topologyOf)).toEqual([]);
  expect(topologyOf.plan.nodes.map(({ id, kind }) => [id, kind])).toContainEqual([
    `time/${name}`,
    name,
  ]);
  expect(describePlan(topologyOf.plan, 'mermaid')).toContain(`time/${name}<br/>${name}`);
  const driver = await createDriver(topologyOf);
  await driver.push('orders', [order('a', 200), order('b', 5), order('c', 101)]);
  expect(driver.read('large').map(({ value }) => (value as Order).id)).toEqual(['a', 'c']);
  expect(driver.read('small').map(({ value }) => (value as Order).id)).toEqual(['b']);
  expect(driver.counts(`time/${name}`)).toMatchObject({ in: 3, passed: 3, rejected: 0 });
});

it('a topology that goes over to the new name has the definitions that it had', () => {
  const [was, is] = [orders('split').plan, orders('branch').plan];
  expect([...definitionsOf(is)]).toEqual([...definitionsOf(was)]);
  expect(definitionsOf(is).get('once')?.inputs[0]?.origins).toEqual(['orders>large']);
});

it('state of before the new name goes on, and is still known by its keys', async () => {
  const before = await createDriver(orders('split'));
  await before.push('orders', order('a', 200));
  const snapshot = before.snapshot();

  const after = await createDriver(orders('branch'));
  await after.restore(snapshot);
  await after.push('orders', [order('a', 200), order('b', 200)]);
  expect(after.read('large').map(({ value }) => (value as Order).id)).toEqual(['b']);

  const otherKeys = await createDriver(orders('branch', ({ euros }) => String(euros)));
  await expect(otherKeys.restore(snapshot)).rejects.toMatchObject({
    code: 'restore-refused',
    details: { misfits: [{ node: 'once', kind: 'deduplicate', option: 'by', was: 'a string' }] },
  });
});
