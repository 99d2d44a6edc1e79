import { expect, it } from 'vitest';
import { pathText } from '../../../deploy/cli/status.ts';

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
