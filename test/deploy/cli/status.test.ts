import { expect, it } from 'vitest';
import { checkpointText, pathText } from '../../../deploy/cli/status.ts';
import { deriveHealth, healthy } from '../../../topology/checkpoint/health.ts';

it('tells what a path has in its spool, for how long, and that its breaker is open', () => {
  const path = {
    stream: 'a/x',
    path: 'kinesis',
    breaker: 'open',
    queueBytes: 10,
    spoolRecords: 3,
    spoolBytes: 300,
    spoolAgeMs: 4_600,
  } as const;
  expect(pathText(path)).toBe('a/x kinesis: breaker open, 10 bytes wait; 3 records (300 bytes) in its spool, the oldest for 5 s');
  expect(pathText({ ...path, spoolRecords: 0, breaker: 'half-open' })).toBe('a/x kinesis: breaker half-open, 10 bytes wait');
});

it('tells of a checkpoint that failed at once, and loudly of three in a row', () => {
  const failure = { checkpoint: 4, code: 'disk-full', message: 'no room', fix: 'free some space', atMs: 0, againInMs: 300 };
  const failed = (times: number) =>
    Array.from({ length: times }).reduce<typeof healthy>((health) => deriveHealth(health, { kind: 'checkpoint-failed', failure }), healthy);
  expect(checkpointText(failed(1))).toBe('the last checkpoint failed: no room (free some space)');
  expect(checkpointText(failed(3))).toBe('ALARM: 3 checkpoints failed in a row since 1970-01-01T00:00:00.000Z: no room (free some space)');
  expect(deriveHealth(failed(3), { kind: 'checkpoint-completed', checkpoint: 4 })).toEqual({ ...healthy, failures: 3 });
});
