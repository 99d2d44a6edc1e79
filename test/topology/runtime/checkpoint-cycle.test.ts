import { describe, expect, it } from 'vitest';
import { decideCheckpoint } from '../../../topology/runtime/checkpoint-cycle.ts';
import { deriveDrain } from '../../../topology/runtime/job-drain.ts';

describe('whether a checkpoint is taken', () => {
  const idle = {
    drain: 'no',
    isDirty: false,
    isOld: false,
    pendingRows: 0,
    isWanted: false,
  } as const;

  it('is passed over when it would hold nothing new', () => {
    expect(decideCheckpoint(idle)).toBe('pass');
    expect(decideCheckpoint({ ...idle, drain: 'reading' })).toBe('pass');
  });

  it('is taken for a change, for rows that are not visible yet, and for old marks', () => {
    expect(decideCheckpoint({ ...idle, isDirty: true })).toBe('take');
    expect(decideCheckpoint({ ...idle, pendingRows: 1 })).toBe('take');
    expect(decideCheckpoint({ ...idle, isOld: true })).toBe('take');
  });

  it('is taken for a savepoint, also when it holds nothing new', () => {
    expect(decideCheckpoint({ ...idle, isWanted: true })).toBe('take');
    expect(decideCheckpoint({ ...idle, drain: 'ended', isWanted: true })).toBe('wait');
  });

  it('waits between the end of time and the drained end, which always has one', () => {
    expect(decideCheckpoint({ ...idle, drain: 'ended', isDirty: true })).toBe('wait');
    expect(decideCheckpoint({ ...idle, drain: 'drained' })).toBe('take-last');
  });
});

describe('how far a drain is', () => {
  it('time ends only when everything is read and nothing waits in an operator', () => {
    expect(deriveDrain('reading', { isRead: false, backlogRows: 0 })).toBe('reading');
    expect(deriveDrain('reading', { isRead: true, backlogRows: 3 })).toBe('reading');
    expect(deriveDrain('reading', { isRead: true, backlogRows: 0 })).toBe('ended');
  });

  it('it is drained when what the end of time set free has left, too', () => {
    expect(deriveDrain('ended', { isRead: true, backlogRows: 1 })).toBe('ended');
    expect(deriveDrain('ended', { isRead: true, backlogRows: 0 })).toBe('drained');
  });

  it('a job that nobody drains, or that is drained, stays as it is', () => {
    expect(deriveDrain('no', { isRead: true, backlogRows: 0 })).toBe('no');
    expect(deriveDrain('drained', { isRead: true, backlogRows: 0 })).toBe('drained');
  });
});
