import { describe, expect, it } from 'vitest';
import { StopSteps } from '../../../deploy/host/stop-steps.ts';

/** As an instance starts; `failing` cannot be ended. */
function started(failing?: string): { stops: StopSteps; done: string[] } {
  const stops = new StopSteps();
  const done: string[] = [];
  const step = (name: string) => async (): Promise<void> => {
    done.push(name);
    if (name === failing) throw new Error(name);
  };
  stops.add('lock', step('lock'));
  stops.add('data', step('streams'));
  stops.add('data', step('graph'));
  stops.add('ingress', step('ingress'));
  stops.add('metrics', step('metrics'));
  stops.add('control', step('control'));
  stops.add('changes', step('reload'));
  stops.add('topologies', step('topologies'));
  return { stops, done };
}

const order = ['reload', 'ingress', 'topologies', 'graph', 'streams', 'metrics', 'control', 'lock'];

describe('how an instance stops', () => {
  it('by stages, and within a stage the latest first', async () => {
    const { stops, done } = started();
    await stops.stop();
    expect(done).toEqual(order);
  });

  it('ends with the step that fails, as what is behind it may be in use', async () => {
    const { stops, done } = started('topologies');
    await expect(stops.stop()).rejects.toThrow('topologies');
    expect(done).toEqual(order.slice(0, 3));
  });

  it('a start that failed is undone whatever fails', async () => {
    const { stops, done } = started('topologies');
    await stops.undo();
    expect(done).toEqual(order);
  });
});
