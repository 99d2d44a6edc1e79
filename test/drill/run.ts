/**
 * `npm run drill`: faults under load against a real process, on loopback only. For each: sent, acknowledged, found in the stream, lost,
 * duplicated. Nothing that was acknowledged as replicated or spooled may be lost, ever.
 *
 *   --only NAME[,NAME]   some of the scenarios
 *   --short              each in about a tenth of its time
 *   --json               one JSON object a scenario
 */
import { parseArgs } from 'node:util';
import { scenarios } from './scenarios.ts';

const { values } = parseArgs({
  options: { only: { type: 'string' }, short: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
});
const names = values.only?.split(',') ?? scenarios.map(({ name }) => name);
const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
if (unknown.length > 0) {
  console.error(`there is no scenario ${unknown.join(', ')}; there are ${scenarios.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
let passed = 0;
let failed = 0;
for (const scenario of scenarios.filter(({ name }) => names.includes(name))) {
  const { name, what } = scenario;
  if (!values.json) console.log(`${name}: ${what}`);
  try {
    const { tally, checks } = await scenario.run(values.short ? 0.1 : 1);
    const kept: readonly (readonly [string, boolean])[] = [
      ['nothing acknowledged is lost', tally.lost === 0],
      ['no data is altered', tally.altered === 0],
      ...checks,
    ];
    for (const [, ok] of kept) {
      if (ok) passed++;
      else failed++;
    }
    if (values.json) console.log(JSON.stringify({ name, ...tally, checks: kept.map(([check, ok]) => ({ check, ok })) }));
    else {
      const { sent, acknowledged, byAck, found, lost, duplicated } = tally;
      const acks = Object.entries(byAck).map(([ack, count]) => `${count} ${ack}`);
      console.log(
        `  sent ${sent}, acknowledged ${acknowledged} (${acks.join(', ')}), found ${found}, lost ${lost}, duplicated ${duplicated}`,
      );
      for (const [check, ok] of kept) console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${check}`);
    }
  } catch (thrown) {
    failed++;
    console.log(values.json ? JSON.stringify({ name, failed: String(thrown) }) : `  FAIL  ${String(thrown)}`);
  }
}
if (!values.json) console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
