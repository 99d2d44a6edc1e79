/**
 * `npm run bench:aggregation`: what shared and compressed records save on Kinesis: shards, PUT
 * payload units and dollars a month, for the flights, for events of 5 KB made of them, and for ones
 * that are not alike (unlike-events.ts), at 4,500 events/s each. The records are those that the ingress writes: its batcher, on a clock of its own, before a
 * stream whose writes take 20 ms.
 *
 *   --json   one JSON object
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readPrices } from '../../deploy/cli/commands/cost/cost.ts';
import { Batcher } from '../../ingest/delivery/batcher.ts';
import { createBreaker } from '../../ingest/delivery/breaker.ts';
import type { Aggregation } from '../../schemas/config.ts';
import { manualClock, sleep } from '../../schemas/kernel/clock.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import { encodeStructured } from '../../schemas/wire.ts';
import { unlikeEvents } from './unlike-events.ts';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const root = fileURLToPath(new URL('../../../', import.meta.url));
const eventsPerSecond = 4_500;
const busMs = 20;
const prices = readPrices(undefined);
const { kinesis_shard_hour: shardHour, kinesis_million_put_units: millionUnits } = prices.price;
const { month_hours: monthHours } = prices.assumed;
const unitBytes = 25 * 1_024;
/**
 * https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html: what a shard takes
 * a second.
 */
const [shardBytes, shardRecords] = [1_024 * 1_024, 1_000];

interface Totals {
  readonly records: number;
  readonly megabytes: number;
  readonly units: number;
  readonly shards: number;
  readonly dollarsAMonth: number;
}

const flights = gunzipSync(
  readFileSync(join(root, 'topology/examples/flights/data/departures.ndjson.gz')),
)
  .toString('utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.stringify((JSON.parse(line) as { readonly data: unknown }).data));

/** Different flights, as many as make 5 KB. */
const large = Array.from({ length: Math.floor(flights.length / 20) }, (_, n) => {
  let text = flights[n * 20] ?? '';
  for (let k = 1; k < 20 && text.length < 5_000; k++) text += `,${flights[n * 20 + k] ?? ''}`;
  return `[${text}]`;
});

/** As the ingress puts an event into a record. */
function recordOf(
  data: string,
  n: number,
): { readonly key: string; readonly value: readonly Uint8Array[]; readonly bytes: number } {
  const id = `event-${n}`;
  const time = new Date(Date.UTC(2026, 0, 1) + n).toISOString();
  const common = {
    id,
    source: '/nyc/departures',
    type: 'nyc.departures',
    time,
    receivedtime: time,
    partitionkey: id,
  };
  const value = encodeStructured(
    { ...common, team: 'nyc', app: 'departures', datacontenttype: 'application/json' },
    Buffer.from(data),
  );
  return { key: id, value, bytes: value.reduce((sum, piece) => sum + piece.length, id.length) };
}

async function totalsOf(datas: readonly string[], aggregate: Aggregation): Promise<Totals> {
  const clock = manualClock();
  const sizes: number[] = [];
  const batcher = new Batcher({
    writer: {
      route: 'kinesis',
      describe: () => Promise.resolve({ recordMaxBytes: shardBytes, splits: ['0'] }),
      async write(_stream, records) {
        for (const { key, value } of records)
          sizes.push(key.length + value.reduce((sum, piece) => sum + piece.length, 0));
        await sleep(clock, busMs);
        return records.map((_record, n) => ({ kind: 'applied', split: '0', position: String(n) }));
      },
      close: () => Promise.resolve(),
    },
    stream: 'nyc/departures',
    order: 'none',
    aggregate,
    breaker: createBreaker(
      { failuresToOpen: 5, pauseBaseMs: 500, pauseMaxMs: 15_000 },
      seededRandom(1),
    ),
    clock,
    random: seededRandom(1),
  });
  const seconds = 4;
  let settled = 0;
  for (let ms = 0, n = 0; settled < seconds * eventsPerSecond; ms++) {
    for (; n < seconds * eventsPerSecond && n * 1_000 < ms * eventsPerSecond; n++) {
      const { key, value, bytes } = recordOf(datas[n % datas.length] ?? '', n);
      batcher.add({ key, value }, bytes, () => settled++);
    }
    clock.advance(1);
    // Compression is work of other threads: it takes no time of this clock.
    for (let turn = 0; turn < (aggregate === 'kpl-gzip' ? 12 : 4); turn++)
      await new Promise((resolve) => setImmediate(resolve));
  }
  const bytes = sizes.reduce((sum, size) => sum + size, 0) / seconds;
  const records = sizes.length / seconds;
  const units = sizes.reduce((sum, size) => sum + Math.ceil(size / unitBytes), 0) / seconds;
  const shards = Math.ceil(Math.max(bytes / shardBytes, records / shardRecords));
  const dollarsAMonth = monthHours * (shards * shardHour + (units * 3_600 * millionUnits) / 1e6);
  return {
    records: Math.round(records),
    megabytes: bytes / 1e6,
    units: Math.round(units),
    shards,
    dollarsAMonth: Math.round(dollarsAMonth),
  };
}

const report: Record<string, Record<string, Totals>> = {};
const loads: readonly (readonly [name: string, datas: readonly string[]])[] = [
  ['flights', flights],
  ['events of 5 KB', large],
  ['events of 5 KB that are not alike', unlikeEvents(800)],
];
for (const [name, datas] of loads) {
  const own: Record<string, Totals> = {};
  for (const aggregate of ['none', 'kpl', 'kpl-gzip'] as const)
    own[aggregate] = await totalsOf(datas, aggregate);
  report[name] = own;
  if (options.json) continue;
  const mean = Math.round(datas.reduce((sum, data) => sum + data.length, 0) / datas.length);
  console.log(`${name} (${mean} bytes of data), ${eventsPerSecond.toLocaleString('en-US')}/s:`);
  for (const [aggregate, { records, megabytes, units, shards, dollarsAMonth }] of Object.entries(
    own,
  )) {
    const saved = (own['none']?.dollarsAMonth ?? 0) - dollarsAMonth;
    const less = aggregate === 'none' ? '' : `, ${saved} less`;
    console.log(
      `  ${aggregate}: ${records} records/s, ${megabytes.toFixed(1)} MB/s, ${units} PUT units/s, ${shards} shards, $${dollarsAMonth} a month${less}`,
    );
  }
}
if (options.json) console.log(JSON.stringify(report));
else {
  const sample = Buffer.from(large.slice(0, 200).join('\n'));
  for (const level of [1, 6]) {
    const startedMs = performance.now();
    const bytes = gzipSync(sample, { level }).length;
    const rate = sample.length / 1e3 / (performance.now() - startedMs);
    console.log(
      `gzip level ${level}: ${(sample.length / bytes).toFixed(1)} times smaller, ${rate.toFixed(0)} MB/s of one core`,
    );
  }
}
