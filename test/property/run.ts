/**
 * `npm run property:engine -- [--histories N] [--seed N] [--path P] [--as-found]`: 20,000 by
 * default, in parts, each with a seed of its own; ends with 1 when there is a difference, which is
 * shown as small as it could be made (or as it was found), with the options that run it again.
 */
import { parseArgs } from 'node:util';
import type { Verdict } from './suite.ts';
import { runSuite } from './suite.ts';

const partHistories = 1_000;

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '20000' },
    seed: { type: 'string' },
    path: { type: 'string' },
    'as-found': { type: 'boolean' },
  },
});
const wanted = Number(values.histories);
const firstSeed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!Number.isInteger(wanted) || wanted < 1 || !Number.isInteger(firstSeed)) {
  console.error(
    'usage: npm run property:engine -- [--histories N] [--seed N] [--path P] [--as-found]',
  );
  process.exit(2);
}
// Until the end is reached the run has failed: a promise that never settles must not look like
// success.
process.exitCode = 1;
console.log(`${wanted} histories, seed ${firstSeed}`);
const startedMs = performance.now();
const totals = { played: 0, undetermined: 0, rows: 0, runs: 0 };
let failure: Verdict['failure'];
for (let part = 0; totals.played < wanted && failure === undefined; part++) {
  const histories = Math.min(partHistories, wanted - totals.played);
  const seed = firstSeed + part;
  const verdict = await runSuite({
    histories,
    seed,
    asFound: values['as-found'] ?? false,
    ...(values.path === undefined ? {} : { path: values.path }),
  });
  for (const name of ['played', 'undetermined', 'rows', 'runs'] as const)
    totals[name] += verdict[name];
  failure = verdict.failure;
  if (failure !== undefined) {
    console.log(failure.differences.join('\n'));
    console.log(JSON.stringify(failure.game));
    console.log(
      `again: npm run property:engine -- --histories ${histories} --seed ${seed} --path ${failure.path}`,
    );
  } else if (values.path !== undefined) break;
  else
    console.log(
      `${totals.played} histories, ${totals.runs} runs, ${totals.rows} rows, ${Math.round((performance.now() - startedMs) / 1_000)} s`,
    );
}
console.log(
  `${totals.played} histories agree (${totals.undetermined} not judged), ${failure === undefined ? 0 : 1} differ`,
);
process.exitCode = failure === undefined ? 0 : 1;
