/**
 * What a run may remove and replace, by properties: a later run's files are safe from an earlier
 * one, and publication is idempotent.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decidePublication, markOf, mayRemove } from '../../../enrich/lake/staged-name.ts';
import { boundedEach } from '../../../schemas/kernel/bounded-each.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { newLineage, newRun, runName, runPattern } from '../../../schemas/run-id.ts';
import { runOf } from '../../runs.ts';

const small = fc.integer({ min: 0, max: 12 });

/** A name by which one run left something: of a lineage, or of before there were lineages. */
const named = (attempt: number, lineage: string | undefined): string =>
  lineage === undefined ? String(attempt) : runName(runOf(attempt, lineage));
const [ours, theirs] = ['00000000aa', '1234567890'];

describe('names under staging', () => {
  it('are removed by their own run and later ones of its lineage only; what is nobody’s, by any', () => {
    fc.assert(
      fc.property(
        small,
        small,
        small,
        fc.constantFrom(ours, theirs, undefined),
        (of, n, attempt, lineage) => {
          const removes = of <= attempt && lineage !== theirs;
          expect(mayRemove(`${named(of, lineage)}-${n}.parquet`, runOf(attempt, ours))).toBe(
            removes,
          );
          expect(mayRemove(`rows-${n}-${named(of, lineage)}.ndjson`, runOf(attempt, ours))).toBe(
            removes,
          );
        },
      ),
    );
    expect(mayRemove('.tmp-1-2', runOf(0))).toBe(true);
  });

  it.each([ours, undefined])(
    'publish in the order of attempts and files: never an older content over a newer one (%s)',
    (lineage) => {
      fc.assert(
        fc.property(
          small,
          small,
          small,
          small,
          small,
          (thereAttempt, thereN, ownAttempt, ownN, later) => {
            const attempt = ownAttempt + later;
            const staged = `.staging/t/x/${named(ownAttempt, lineage)}-${ownN}.parquet`;
            const decided = decidePublication(
              `${named(thereAttempt, lineage)}-${thereN}`,
              staged,
              runOf(attempt, ours),
            );
            const older =
              thereAttempt < ownAttempt || (thereAttempt === ownAttempt && thereN < ownN);
            // What an earlier version of Sluice left is in nobody's way.
            const isLater = thereAttempt > attempt && lineage !== undefined;
            expect(decided).toBe(isLater ? 'taken-over' : older ? 'put' : 'done');
          },
        ),
      );
      const staged = `.staging/t/x/${named(10, lineage)}-2.parquet`;
      expect(decidePublication(undefined, staged, runOf(10))).toBe('put');
      expect(decidePublication('something else', staged, runOf(10))).toBe('put');
      expect(decidePublication(markOf(staged), staged, runOf(10))).toBe('done');
    },
  );

  it('publish over what another lineage, or another run of the same attempt, has left: it is no repetition, and nobody’s successor', () => {
    fc.assert(
      fc.property(
        small,
        small,
        small,
        small,
        fc.constantFrom(theirs, undefined),
        (thereAttempt, thereN, ownAttempt, ownN, lineage) => {
          const staged = `.staging/t/x/${named(ownAttempt, ours)}-${ownN}.parquet`;
          expect(
            decidePublication(
              `${named(thereAttempt, lineage)}-${thereN}`,
              staged,
              runOf(ownAttempt, ours),
            ),
          ).toBe('put');
          const again = runName(runOf(ownAttempt, ours, '0000b2'));
          expect(decidePublication(`${again}-${thereN}`, staged, runOf(ownAttempt, ours))).toBe(
            'put',
          );
        },
      ),
    );
  });
});

describe('runs', () => {
  it('without a checkpoint have another lineage each, and another name even at the same attempt', () => {
    const random = seededRandom(1);
    const lineages = Array.from({ length: 100 }, () => newLineage(random));
    expect(new Set(lineages).size).toBe(100);
    const names = Array.from({ length: 100 }, () =>
      runName(newRun(1, lineages[0] as string, random)),
    );
    expect(new Set(names).size).toBe(100);
    for (const name of names) expect(name).toMatch(new RegExp(`^${runPattern}$`));
  });
});

describe('bounded work', () => {
  it('does each item once, never more at a time than it may, and begins none after a failure', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 30 }),
        fc.integer({ min: 1, max: 5 }),
        fc.option(small),
        async (count, max, failAt) => {
          const failure = new Error('of one item');
          const begun: number[] = [];
          let underWay = 0;
          let most = 0;
          const run = boundedEach(
            Array.from({ length: count }, (_, n) => n),
            max,
            async (n) => {
              begun.push(n);
              most = Math.max(most, ++underWay);
              await Promise.resolve();
              underWay--;
              if (n === failAt) throw failure;
            },
          );
          const fails = failAt !== null && failAt < count;
          if (fails) await expect(run).rejects.toBe(failure);
          else await run;
          expect(underWay).toBe(0);
          expect(most).toBeLessThanOrEqual(max);
          expect(begun).toEqual(Array.from({ length: begun.length }, (_, n) => n));
          expect(begun.length).toBeLessThanOrEqual(fails ? failAt + max : count);
          if (!fails) expect(begun).toHaveLength(count);
        },
      ),
    );
  });
});
