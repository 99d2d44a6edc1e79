/**
 * Turns of questions: how many run and wait, in which order, and what becomes of one that is given
 * up.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { questionQueue } from '../../../deploy/host/question-queue.ts';

interface Work {
  readonly run: () => Promise<number>;
  readonly end: () => void;
}

/** Says which run, in which order they began. */
function works(): { readonly begun: number[]; readonly make: (id: number) => Work } {
  const begun: number[] = [];
  const make = (id: number): Work => {
    let end = (): void => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    return { run: () => (begun.push(id), over.then(() => id)), end };
  };
  return { begun, make };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('lets some run and some wait in order, and refuses the rest', async () => {
  const queue = questionQueue(2, 2);
  const { begun, make } = works();
  const all = [0, 1, 2, 3].map(make);
  const asked = all.map(({ run }) => queue.run(run));
  await expect(queue.run(() => Promise.resolve())).rejects.toMatchObject({
    code: 'too-many-questions',
    retryable: true,
  });
  await settle();
  expect(begun).toEqual([0, 1]);
  all[1]?.end();
  await settle();
  expect(begun).toEqual([0, 1, 2]);
  for (const { end } of all) end();
  expect(await Promise.all(asked)).toEqual([0, 1, 2, 3]);
  expect(await queue.run(() => Promise.resolve('again'))).toBe('again');
});

it('gives the turn of one that fails to the next, and none to one that is given up', async () => {
  const queue = questionQueue(1, 3);
  const { begun, make } = works();
  const [first, second, third] = [make(0), make(1), make(2)] as const;
  const failing = queue.run(() => first.run().then(() => Promise.reject(new Error('failed'))));
  const asker = new AbortController();
  const givenUp = queue.run(second.run, asker.signal);
  const last = queue.run(third.run);
  asker.abort();
  await expect(givenUp).rejects.toMatchObject({ code: 'query-failed' });
  first.end();
  await expect(failing).rejects.toThrow('failed');
  await settle();
  expect(begun).toEqual([0, 2]);
  third.end();
  expect(await last).toBe(2);
});

it('never runs more than it may, and always runs what waits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.boolean(), { maxLength: 30 }),
      async (running, waiting, steps) => {
        const queue = questionQueue(running, waiting);
        const open: Work[] = [];
        let runs = 0;
        let most = 0;
        let [accepted, done] = [0, 0];
        for (const asks of steps) {
          if (asks) {
            const work = works().make(0);
            const asked = queue.run(async () => {
              most = Math.max(most, ++runs);
              open.push(work);
              await work.run();
              runs--;
            });
            accepted++;
            void asked.then(
              () => done++,
              () => accepted--,
            );
          } else open.shift()?.end();
          await settle();
          expect(accepted - done).toBeLessThanOrEqual(running + waiting);
        }
        for (let n = 0; n <= steps.length; n++) {
          open.shift()?.end();
          await settle();
        }
        expect(most).toBeLessThanOrEqual(running);
        expect(done).toBe(accepted);
      },
    ),
    { numRuns: 200 },
  );
});
