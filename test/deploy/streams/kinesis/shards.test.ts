import fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitsOf } from '../../../../deploy/streams/kinesis/shards.ts';

it('puts parents before children, names parents that are gone as that, and every shard in once', () => {
  expect(
    splitsOf([
      { id: 's4', parent: 's1', adjacentParent: 's2' },
      { id: 's1', parent: 's0' },
      { id: 's3', parent: 's9', adjacentParent: 's4' },
      { id: 's2', parent: 'gone' },
      { id: 's0' },
    ]),
  ).toEqual([
    { id: 's0', parents: [] },
    { id: 's1', parents: ['s0'] },
    { id: 's2', parents: [], goneParents: ['gone'] },
    { id: 's4', parents: ['s1', 's2'] },
    { id: 's3', parents: ['s4'], goneParents: ['s9'] },
  ]);
});

it('does so for any list, also one that cannot be', () => {
  const id = fc.integer({ min: 0, max: 12 }).map((n) => `s${n}`);
  const shard = fc.record({
    id,
    parent: fc.option(id, { nil: undefined }),
    adjacentParent: fc.option(id, { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(shard, { selector: (one) => one.id }), (shards) => {
      const splits = splitsOf(shards);
      expect(splits.map((split) => split.id).sort()).toEqual(shards.map((one) => one.id).sort());
      const seen = new Set<string>();
      for (const { id: own, parents } of splits) {
        for (const parent of parents) expect(seen.has(parent)).toBe(true);
        seen.add(own);
      }
    }),
  );
});
