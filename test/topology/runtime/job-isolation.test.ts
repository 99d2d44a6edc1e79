/**
 * Which failures of a turn make its elements suspects.
 */
import { expect, it } from 'vitest';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { JobIsolation } from '../../../topology/runtime/job-isolation.ts';

const record = (position: string) => ({
  key: 'k',
  value: new Uint8Array(1),
  position,
  arrivedAtMs: 0,
});

it('suspects the elements of a turn that failed, unless its state could not be read', () => {
  const isolation = new JobIsolation(undefined, () => undefined);
  isolation.enter('split', [record('1'), record('2')], false);
  const disk = new SluiceError('state-disk-failed', 'the disk is full', { retryable: true });
  expect(isolation.after(disk, 'days', 0)).toBeUndefined();
  expect(isolation.after(new Error('a defect'), 'days', 0)).toBeDefined();
});
