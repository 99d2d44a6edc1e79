/**
 * `npm run faults:engine -- [--only TEXT] [--count N --seed N] [--json]`: plants the faults of the
 * list one after the other, all or those whose name has the text, or so many that the seed chooses;
 * ends with 1 when one is missed, or cannot be planted.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Fault } from './fault.ts';
import { describeCatcher } from './fault.ts';
import { faults } from './faults.ts';
import { Nursery } from './plant.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    count: { type: 'string' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

function chosen(): readonly Fault[] {
  const { only, count, seed } = values;
  const named =
    only === undefined
      ? faults
      : faults.filter(({ name }) => only.some((text) => name.includes(text)));
  if (count === undefined) return named;
  const random = seededRandom(Number(seed));
  const drawn = named.map((fault) => ({ fault, at: random.next() })).sort((a, b) => a.at - b.at);
  return drawn.slice(0, Number(count)).map(({ fault }) => fault);
}

// Until the end is reached the run has failed: a promise that never settles must not look like
// success.
process.exitCode = 1;
const nursery = new Nursery(fileURLToPath(new URL('../../..', import.meta.url)));
const findings: { readonly fault: Fault; readonly kind: string; readonly why?: string }[] = [];
try {
  for (const fault of chosen()) {
    const finding = await nursery.judge(fault);
    findings.push({ fault, ...finding });
    if (values.json) continue;
    const why = finding.kind === 'broken' ? `\n        ${finding.why}` : '';
    console.log(
      `${finding.kind.padEnd(7)} ${fault.name} (${fault.file}; ${describeCatcher(fault.caughtBy)})${why}`,
    );
  }
} finally {
  nursery.close();
}
const caught = findings.filter(({ kind }) => kind === 'caught').length;
if (values.json) {
  const list = findings.map(({ fault: { name, file, caughtBy }, kind, why }) => ({
    name,
    file,
    caughtBy,
    kind,
    why,
  }));
  console.log(JSON.stringify({ caught, missed: findings.length - caught, faults: list }, null, 2));
} else console.log(`${caught} caught, ${findings.length - caught} missed`);
process.exitCode = caught === findings.length && caught > 0 ? 0 : 1;
