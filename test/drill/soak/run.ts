/**
 * `npm run soak`: the services as processes on real servers (Kafka, Kinesis, S3, Firehose, Neo4j),
 * 500 events a second, one random fault a minute. At the end nothing acknowledged is missing,
 * nothing is there twice, and nothing that could grow has grown.
 *
 *   --minutes N   (default 30); from 15 on memory and files have to be flat, below they are shown
 *   --seed N      the same faults again (default: one of chance, which is told)
 *   --rate N      events a second (default 500)
 *   --json        one JSON object; how it goes is on standard error
 *
 * Exits with 0 when everything holds, 1 when not, 2 for options that are none.
 */
import { parseArgs } from 'node:util';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { startCloud } from '../../servers/cloud.ts';
import type { SoakOptions, SoakResult } from './soak.ts';
import { gaugeLine, judgedFromMinutes, soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(Math.floor(systemRandom.next() * 1_000_000)) },
    rate: { type: 'string', default: '500' },
    json: { type: 'boolean', default: false },
  },
});
const [minutes, seed, eventsPerSecond] = [
  Number(values.minutes),
  Number(values.seed),
  Number(values.rate),
];

const tell = (line: string): void => {
  if (values.json) console.error(line);
  else console.log(line);
};

async function main(): Promise<number> {
  const isWhole = [minutes, seed, eventsPerSecond].every(Number.isInteger);
  if (!isWhole || minutes < 1 || seed < 0 || eventsPerSecond < 4) {
    console.error(
      'expected --minutes of 1 and more, --seed of 0 and more, --rate of 4 and more, all of them whole numbers',
    );
    return 2;
  }
  const options: SoakOptions = { minutes, seed, eventsPerSecond, tell };
  tell(
    `${minutes} minutes at ${eventsPerSecond} events/s, seed ${seed}; starting Kafka, Kinesis, S3, Firehose and Neo4j`,
  );
  const cloud = await startCloud();
  try {
    return report(await soak(cloud, options));
  } finally {
    await cloud.stop();
  }
}

function report(result: SoakResult): number {
  const { tally, faults, restarts, gauges, checks } = result;
  const failed = checks.filter(([, ok]) => !ok).length;
  if (values.json) {
    const told = { minutes, seed, ...result, checks: checks.map(([check, ok]) => ({ check, ok })) };
    console.log(JSON.stringify(told));
  } else {
    const { sent, acknowledged, landed, rejected, lost, duplicated, stuck, duplicatedRaw } = tally;
    const ends = `sent ${sent}, acknowledged ${acknowledged}, landed ${landed}, rejected ${rejected}, lost ${lost}, duplicated ${duplicated}, stuck ${stuck}`;
    console.log(`${ends}; Firehose delivered ${duplicatedRaw} rows again`);
    console.log(
      `${faults.length} faults, for which the topology was started again ${restarts} times beside the restarts of its process`,
    );
    const shown = gauges.filter(({ isJudged }) => !isJudged || minutes < judgedFromMinutes);
    for (const gauge of shown) console.log(`      ${gaugeLine(gauge)}`);
    for (const [check, ok] of checks) console.log(`${ok ? 'ok  ' : 'FAIL'}  ${check}`);
    console.log(`${checks.length - failed} passed, ${failed} failed`);
  }
  return failed === 0 ? 0 : 1;
}

// Ends what it started, too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main().catch((thrown: unknown) => {
  if (values.json) console.log(JSON.stringify({ minutes, seed, failed: String(thrown) }));
  console.error(`the soak could not go on: ${String(thrown)}`);
  return 1;
});
