/**
 * `npm run bench:sinks`: what lies between a topology and the servers, beside the bare clients, on
 * real servers in one run: rows into Neo4j, rows into Parquet, records out of Kafka and Kinesis.
 * Both take turns, round by round; the ratio is the median of the rounds' own.
 *
 *   --only NAME[,NAME]   neo4j, parquet, kafka, kinesis
 *   --rounds N           (default 5)
 *   --scale X            a part of the amounts (default 1)
 *   --json               one JSON object
 */
import { parseArgs } from 'node:util';
import { graphRace } from './sinks-graph.ts';
import { parquetRace } from './sinks-parquet.ts';
import { kafkaRace, kinesisRace } from './sinks-streams.ts';

/** Something done by Sluice and by the bare client. */
export interface Race {
  readonly what: string;
  readonly unit: string;
  /** Each does all of it once; units a second. */
  readonly bare: () => Promise<number>;
  readonly sluice: () => Promise<number>;
  stop(): Promise<void>;
}

const races = {
  neo4j: graphRace,
  parquet: parquetRace,
  kafka: kafkaRace,
  kinesis: kinesisRace,
} as const;
type Name = keyof typeof races;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: Object.keys(races).join(',') },
    rounds: { type: 'string', default: '5' },
    scale: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const [rounds, scale] = [Number(options.rounds), Number(options.scale)];
const names = options.only.split(',');
const unknown = names.filter((name) => !Object.hasOwn(races, name));
if (unknown.length > 0 || !(rounds >= 1) || !(scale > 0)) {
  console.error(
    `expected --only of ${Object.keys(races).join(', ')}, --rounds of 1 and more, --scale above 0`,
  );
  process.exit(2);
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
const report: Record<string, object> = {};
for (const name of names as readonly Name[]) {
  const race = await races[name](scale);
  try {
    const found: { readonly bare: number; readonly sluice: number }[] = [];
    // A first round that does not count: caches, compiled code, connections.
    for (let round = 0; round <= rounds; round++) {
      const [first, second] = round % 2 === 0 ? [race.bare, race.sluice] : [race.sluice, race.bare];
      const [one, two] = [await first(), await second()];
      const rates = round % 2 === 0 ? { bare: one, sluice: two } : { bare: two, sluice: one };
      if (round > 0) found.push(rates);
      if (!options.json && process.stderr.isTTY)
        process.stderr.write(`\r${race.what}: round ${round} of ${rounds} `);
    }
    const ratios = found.map(({ bare, sluice }) => sluice / bare);
    const [bare, sluice] = [
      median(found.map((each) => each.bare)),
      median(found.map((each) => each.sluice)),
    ];
    const ratio = median(ratios);
    report[name] = { what: race.what, unit: race.unit, bare, sluice, ratio, ratios };
    if (!options.json) {
      const shown = (rate: number): string =>
        rate.toLocaleString('en-US', { maximumFractionDigits: rate < 100 ? 1 : 0 });
      const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((each) =>
        each.toFixed(2),
      );
      console.log(`${race.what}: ${shown(sluice)} ${race.unit}; bare client ${shown(bare)}`);
      console.log(`  ratio: ${ratio.toFixed(2)} (${least} to ${most} in ${rounds} rounds)`);
    }
  } finally {
    await race.stop();
  }
}
if (options.json) console.log(JSON.stringify(report));
