/**
 * `npm run fuzz:http -- [--seed N] [--from N] [--count N]`: 100,000 requests by default; ends with
 * 1 when a difference is of no class.
 */
import '../../deploy/host/http-server.ts';
import { parseArgs } from 'node:util';
import { differences } from './http-differences.ts';
import { compare } from './http-parity.ts';

const { values } = parseArgs({
  options: { seed: { type: 'string' }, from: { type: 'string' }, count: { type: 'string' } },
});
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
const options = {
  seed,
  from: Number(values.from ?? 0),
  count: Number(values.count ?? 100_000),
  parallel: 96,
};
console.log(`seed ${seed}`);
const startedMs = performance.now();
const { requests, accepted, classes, unexplained } = await compare(options);
console.log(
  `${requests} requests, ${accepted} accepted by the ingress, ${Math.round((performance.now() - startedMs) / 1_000)} s`,
);
for (const { name, accepts, reason } of differences) {
  const count = classes.get(name) ?? 0;
  if (count > 0)
    console.log(
      `${String(count).padStart(6)}  ${accepts === 'node' ? 'Node alone accepts' : 'the ingress alone accepts'}: ${name}: ${reason}`,
    );
}
for (const each of unexplained) console.log(`FAIL ${each}`);
console.log(`${unexplained.length} unexplained`);
process.exitCode = unexplained.length === 0 ? 0 : 1;
