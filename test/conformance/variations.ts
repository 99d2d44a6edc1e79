/**
 * The ways in which one case is run. All must give the same results: how elements were batched,
 * when a job was restored, over how many workers its keys are divided, and what of its state rests
 * as bytes, is nothing that a topology may notice.
 */
import type { Case, Operation } from './case.ts';
import { formatOf } from './format.ts';
import type { Running } from './session.ts';

export interface Variation extends Running {
  readonly name: string;
  /** Consecutive elements in one batch, or in one batch each. */
  readonly batch: 'each' | 'together';
  readonly restore: 'asWritten' | 'everyStep';
  readonly how: 'anew' | 'inPlace';
}

const asWritten: Variation = {
  name: 'as written',
  batch: 'each',
  restore: 'asWritten',
  how: 'anew',
  parallelisms: [1],
};

const ofOne: readonly Variation[] = [
  asWritten,
  { ...asWritten, name: 'in one batch', batch: 'together' },
  { ...asWritten, name: 'restored after every step', restore: 'everyStep' },
  {
    ...asWritten,
    name: 'in one batch, restored after every step',
    batch: 'together',
    restore: 'everyStep',
  },
  {
    ...asWritten,
    name: 'restored in place after every step',
    restore: 'everyStep',
    how: 'inPlace',
  },
];

const several: readonly Variation[] = [2, 3].flatMap((parallelism) =>
  ofOne.map((variation) => ({
    ...variation,
    name: `${variation.name}, in ${parallelism} parts`,
    parallelisms: [parallelism],
  })),
);

const atRest: readonly Variation[] = ofOne.map((variation) => ({
  ...variation,
  name: `${variation.name}, at rest`,
  liveStateMaxBytes: 0,
}));

export const variations: readonly Variation[] = [
  ...ofOne,
  ...atRest,
  ...several,
  {
    ...asWritten,
    name: 'restored after every step, in 1, 2 and 3 parts by turns',
    batch: 'together',
    restore: 'everyStep',
    parallelisms: [1, 3, 2],
  },
];

/**
 * The ways in which another engine runs a case: how it batches rows is its own, so each element is
 * one there.
 */
const ofFlink: readonly Variation[] = [1, 2].flatMap((parallelism) => [
  { ...asWritten, name: `parallelism ${parallelism}`, parallelisms: [parallelism] },
  {
    ...asWritten,
    name: `parallelism ${parallelism}, restored after every step`,
    restore: 'everyStep' as const,
    parallelisms: [parallelism],
  },
]);

const rescaled: Variation = {
  ...asWritten,
  name: 'restored after every step, with parallelism 1 and 2 by turns',
  restore: 'everyStep',
  parallelisms: [1, 2],
};

export const flinkVariations: readonly Variation[] = [...ofFlink, rescaled];

export type Turn =
  | { readonly kind: 'feed'; readonly operations: readonly Operation[] }
  | { readonly kind: 'act' | 'restore' | 'expect'; readonly operation: Operation };

/** What is done, in order. */
export function turnsOf(of: Case, variation: Variation): readonly Turn[] {
  const { feeds } = formatOf(of.operator);
  const turns: Turn[] = [];
  let run: Operation[] = [];
  for (const operation of of.operations) {
    if (feeds.includes(operation.key)) {
      if (run.length === 0 || variation.batch === 'each')
        turns.push({ kind: 'feed', operations: (run = []) });
      run.push(operation);
      continue;
    }
    run = [];
    turns.push({ kind: kindOf(operation.key), operation });
  }
  return turns;
}

function kindOf(key: string): 'act' | 'restore' | 'expect' {
  if (key === 'restore') return 'restore';
  return key.startsWith('expect') ? 'expect' : 'act';
}

/** The variations that differ for this case. */
export function variationsOf(
  of: Case,
  among: readonly Variation[] = variations,
): readonly Variation[] {
  return among.filter((variation) => of.restorable || variation.restore === 'asWritten');
}
