import { describe, expect, it } from 'vitest';
import type { RunEndFacts } from '../../../deploy/host/run-end.ts';
import { decideRunEnd } from '../../../deploy/host/run-end.ts';
import type { WorkerFault } from '../../../deploy/host/worker-protocol.ts';

const facts: RunEndFacts<string> = {
  fault: undefined,
  isStopping: false,
  isDrained: false,
  before: undefined,
};
const fault: WorkerFault = { code: 'stream-unreachable', message: 'no answer' };
const fenced: WorkerFault = { code: 'fenced', message: 'taken over' };
const written: WorkerFault = { code: 'topology-invalid', message: 'two problems' };

describe('what follows the end of a run', () => {
  it('one that emitted everything is drained, and one that ended without a fault is stopped', () => {
    expect(decideRunEnd({ ...facts, isDrained: true }).kind).toBe('drained');
    expect(decideRunEnd(facts).kind).toBe('stopped');
  });

  it('a fault of the world is answered by a restart, one of what was written by waiting', () => {
    expect(decideRunEnd({ ...facts, fault })).toEqual({ kind: 'restart', fault });
    expect(decideRunEnd({ ...facts, fault: written })).toEqual({ kind: 'wait', fault: written });
  });

  it('a build on trial that fails, of whatever, is given up for the one before', () => {
    for (const why of [fault, written])
      expect(decideRunEnd({ ...facts, fault: why, before: 'older' })).toEqual({
        kind: 'go-back',
        before: 'older',
        fault: why,
      });
  });

  it('who was taken over stays ended, also with a build to go back to', () => {
    for (const before of [undefined, 'older'])
      expect(decideRunEnd({ ...facts, fault: fenced, before })).toEqual({
        kind: 'taken-over',
        fault: fenced,
      });
  });

  it('nothing begins again while the host stops, also after a drain that failed', () => {
    expect(decideRunEnd({ ...facts, fault, isStopping: true, before: 'older' }).kind).toBe(
      'stopped',
    );
    expect(decideRunEnd({ ...facts, fault, isDrained: true }).kind).toBe('restart');
  });
});
