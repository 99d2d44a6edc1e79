/**
 * What a run may remove and replace, by properties: a later run's files are safe from an earlier one, and publication is idempotent.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedEach } from '../../../enrich/lake/bounded-each.ts';
import { decidePublication, markOf, mayRemove } from '../../../enrich/lake/staged-name.ts';

const small = fc.integer({ min: 0, max: 12 });

describe('names under staging', () => {
  it('are removed by their own run and later ones only; what is nobody’s, by any', () => {
    fc.assert(
      fc.property(small, small, small, (of, n, attempt) => {
        expect(mayRemove(`${of}-${n}.parquet`, attempt)).toBe(of <= attempt);
        expect(mayRemove(`rows-${n}-${of}.ndjson`, attempt)).toBe(of <= attempt);
      }),
    );
    expect(mayRemove('.tmp-1-2', 0)).toBe(true);
  });

  it('publish in the order of attempts and files: never an older content over a newer one', () => {
    fc.assert(
      fc.property(small, small, small, small, small, (thereAttempt, thereN, ownAttempt, ownN, later) => {
        const attempt = ownAttempt + later;
        const decided = decidePublication(`${thereAttempt}-${thereN}`, `.staging/t/x/${ownAttempt}-${ownN}.parquet`, attempt);
        const older = thereAttempt < ownAttempt || (thereAttempt === ownAttempt && thereN < ownN);
        expect(decided).toBe(thereAttempt > attempt ? 'taken-over' : older ? 'put' : 'done');
      }),
    );
    const staged = '.staging/t/x/10-2.parquet';
    expect(decidePublication(undefined, staged, 10)).toBe('put');
    expect(decidePublication('something else', staged, 10)).toBe('put');
    expect(decidePublication(markOf(staged), staged, 10)).toBe('done');
  });
});

describe('bounded work', () => {
  it('does each item once, never more at a time than it may, and begins none after a failure', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 5 }), fc.option(small), async (count, max, failAt) => {
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
            if (n === failAt) throw new Error(`item ${n}`);
          },
        );
        const fails = failAt !== null && failAt < count;
        if (fails) await expect(run).rejects.toThrow(`item ${failAt}`);
        else await run;
        expect(underWay).toBe(0);
        expect(most).toBeLessThanOrEqual(max);
        expect(begun).toEqual(Array.from({ length: begun.length }, (_, n) => n));
        expect(begun.length).toBeLessThanOrEqual(fails ? failAt + max : count);
        if (!fails) expect(begun).toHaveLength(count);
      }),
    );
  });
});
