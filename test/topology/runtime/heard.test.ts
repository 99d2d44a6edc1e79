/**
 * What a source tells of its splits to those who judge idleness.
 */
import { expect, it } from 'vitest';
import type { Cursor } from '../../../topology/runtime/cursor.ts';
import type { Dag } from '../../../topology/runtime/dag.ts';
import { heardOf } from '../../../topology/runtime/heard.ts';

const source = { id: 'in' };
const dag = { sources: [{ node: source }], stages: [] } as unknown as Dag;
const cursor = (key: string, more: Partial<Cursor> = {}): Cursor =>
  ({
    key,
    source,
    phase: 'begun',
    ended: false,
    met: true,
    heardMs: 5,
    ...more,
  }) as unknown as Cursor;

it('is when each was heard, of those that are read and take more: the children of one that ended have not begun', () => {
  const cursors = [
    cursor('quiet'),
    cursor('ended', { ended: true }),
    cursor('waiting', { phase: 'waiting' }),
    cursor('unheard', { heardMs: undefined }),
  ];
  const heard = heardOf(cursors, dag, (ms) => ms + 100).get('in');
  expect([...(heard?.at ?? [])]).toEqual([['quiet', 105]]);
});
