/**
 * One round of `npm run bench:operators` in a process of its own: `node operators-run.js DIST
 * OPERATOR ROWS`, where DIST is the compiled folder of the build under measurement. Records lie
 * ready in memory, in four splits; the job decodes them, runs the operator and gives its results to
 * a sink that only counts. Prints one JSON object.
 */
import { pathToFileURL } from 'node:url';
import type * as Wire from '../../schemas/wire.ts';
import type * as Sluice from '../../topology/index.ts';
import type { Operator } from './operators-names.ts';

export interface OperatorRound {
  /** CPU of the whole process while the job ran, microseconds for each element that came in. */
  readonly cpuUs: number;
  /** Elements that reached the sink. */
  readonly out: number;
}

interface Reading {
  readonly k: string;
  readonly v: number;
  readonly at: number;
}

const splits = 4;
const keys = 1_000;
const startMs = Date.parse('2026-01-01T00:00:00Z');
/** Of one row to the next: a window of a minute holds six rows of a key. */
const stepMs = 10;

async function load<T>(dist: string, file: string): Promise<T> {
  return (await import(pathToFileURL(`${dist}/${file}`).href)) as T;
}

function topologyOf(sluice: typeof Sluice, operator: Operator): Sluice.Topology {
  const {
    aggregator,
    count,
    fileTable,
    schemaOf,
    session,
    sliding,
    stream,
    sum,
    table,
    topology,
    tumbling,
    value,
  } = sluice;
  const row = schemaOf<Record<string, unknown>>({
    $id: 'https://sluice.example/bench-row',
    type: 'object',
    properties: { id: { type: 'string' } },
  });
  const schema = schemaOf<Reading>({
    $id: 'https://sluice.example/bench-reading',
    type: 'object',
    properties: { k: { type: 'string' }, v: { type: 'integer' }, at: { type: 'integer' } },
    required: ['k', 'v', 'at'],
  });
  return topology('bench-operators', { version: 1, owner: 'bench/operators' }, (t) => {
    const readings = t
      .source('source', stream('bench/readings'))
      .validate('valid', schema)
      .eventTime('time', (e) => e.data.at, {
        outOfOrderness: '1s',
        idleAfter: 0,
        future: { max: 0 },
      })
      .map((e) => e.data);
    const out = <T>(results: Sluice.Stream<T>): void =>
      results
        .map((result): Record<string, unknown> => ({ result }))
        .sinkTo('rows', table('rows', row));
    const windowed = (definition: Sluice.WindowDefinition): void =>
      out(
        readings
          .keyBy((r) => r.k)
          .window('window', definition)
          .aggregate({ n: count(), v: sum((r) => r.v) }).out,
      );
    switch (operator) {
      case 'source':
        return out(readings);
      case 'map and filter':
        return out(readings.map((r) => ({ ...r, v: r.v + 1 })).filter((r) => r.v % 4 !== 0));
      case 'deduplicate':
        return out(readings.deduplicate('once', { by: (r) => [r.k, r.v % 50], within: '10m' }));
      case 'tumbling window':
        return windowed(tumbling('1m'));
      case 'sliding window of five':
        return windowed(sliding('5m', '1m'));
      case 'session window':
        return windowed(session('30s'));
      case 'aggregate of its author': {
        const latest = aggregator<Reading, { n: number; latest: number[] }, number>({
          create: () => ({ n: 0, latest: [] }),
          add(kept, { v }) {
            kept.n++;
            kept.latest = [...kept.latest.slice(-4), v];
            return kept;
          },
          result: ({ n, latest }) => n + latest.length,
          merge: (a, b) => ({ n: a.n + b.n, latest: [...a.latest, ...b.latest].slice(-5) }),
        });
        const windows = readings.keyBy((r) => r.k).window('window', tumbling('1m'));
        return out(windows.aggregate({ latest }).out);
      }
      case 'interval join': {
        const { even, rest } = readings.split({ even: (r) => r.v % 2 === 0 });
        const right = rest.keyBy((r) => r.k);
        const pairs = even
          .keyBy((r) => r.k)
          .intervalJoin('join', right, { lower: '-15s', upper: '15s' }, (l, r) => [l.v, r.v]);
        return out(pairs.out);
      }
      case 'process with state and timers':
        return out(
          readings
            .keyBy((r) => r.k)
            .process('process', {
              state: { n: value<number>() },
              onElement(r, { state, timers }) {
                const n = (state.n.get() ?? 0) + 1;
                state.n.set(n);
                timers.event(r.at - (r.at % 60_000) + 60_000);
                return [];
              },
              onTimer: ({ at }, { key, state }) => [[key, at, state.n.get() ?? 0]],
            }),
        );
      case 'look-up in a table': {
        const names = fileTable<{ id: string; name: string }>(
          'names.json',
          schemaOf<{ id: string; name: string }>({
            $id: 'https://sluice.example/bench-name',
            type: 'object',
            properties: { id: { type: 'string' }, name: { type: 'string' } },
            required: ['id', 'name'],
          }),
          { key: 'id' },
        );
        return out(
          readings.lookup('named', names, { by: (r) => r.k }, (r, found) => ({
            ...r,
            name: found?.name,
          })),
        );
      }
      case 'split and union': {
        const { even, rest } = readings.split({ even: (r) => r.v % 2 === 0 });
        return out(even.union('both', rest));
      }
    }
  });
}

/** Made once and given again and again, as bytes: what is measured is the way from there. */
function recordsOf(
  { encodeStructured }: typeof Wire,
  rows: number,
): Map<string, { position: string; key: string; value: Buffer; arrivedAtMs: number }[]> {
  const bySplit = new Map(
    Array.from({ length: splits }, (_, n) => [
      `partition-${n}`,
      [] as { position: string; key: string; value: Buffer; arrivedAtMs: number }[],
    ]),
  );
  for (let n = 0; n < rows; n++) {
    const key = `key-${n % keys}`;
    const reading: Reading = { k: key, v: Math.floor(n / keys), at: startMs + n * stepMs };
    const attributes = {
      id: `e-${n}`,
      source: '/bench/readings',
      type: 'bench.readings',
      time: '2026-01-01T00:00:00Z',
      datacontenttype: 'application/json',
      team: 'bench',
      app: 'readings',
      partitionkey: key,
      receivedtime: '2026-01-01T00:00:00Z',
    };
    const split = bySplit.get(`partition-${n % splits}`) ?? [];
    const value = Buffer.concat(encodeStructured(attributes, Buffer.from(JSON.stringify(reading))));
    split.push({ position: String(split.length), key, value, arrivedAtMs: startMs });
  }
  return bySplit;
}

async function measure(dist: string, operator: Operator, rows: number): Promise<OperatorRound> {
  const sluice = await load<typeof Sluice>(dist, 'topology/index.js');
  const { systemClock } = await load<typeof import('../../schemas/kernel/clock.ts')>(
    dist,
    'schemas/kernel/clock.js',
  );
  const { systemRandom } = await load<typeof import('../../schemas/kernel/random.ts')>(
    dist,
    'schemas/kernel/random.js',
  );
  const records = recordsOf(await load<typeof Wire>(dist, 'schemas/wire.js'), rows);
  let out = 0;
  const sink: Sluice.Sink = {
    open: () => Promise.resolve(),
    write({ length }) {
      out += length;
      return Promise.resolve([]);
    },
    prepare: () => Promise.resolve(null),
    commit: () => Promise.resolve(),
    pendingRows: () => 0,
    close: () => Promise.resolve(),
  };
  const blobs = new Map<string, Uint8Array>();
  const job = sluice.createJob({
    topology: topologyOf(sluice, operator),
    blobs: {
      list: (prefix) =>
        Promise.resolve([...blobs.keys()].filter((key) => key.startsWith(prefix)).toSorted()),
      get: (key) => Promise.resolve(blobs.get(key)),
      createIfAbsent(key, bytes) {
        const isNew = !blobs.has(key);
        if (isNew) blobs.set(key, bytes);
        return Promise.resolve(isNew);
      },
      delete(key) {
        blobs.delete(key);
        return Promise.resolve();
      },
    },
    connectors: {
      readers: () =>
        Promise.resolve([
          {
            route: 'kafka',
            splits: () => Promise.resolve([...records.keys()].map((id) => ({ id, parents: [] }))),
            read(split, after, { maxRecords }) {
              const from = after === undefined ? 0 : Number(after) + 1;
              return Promise.resolve({
                records: (records.get(split) ?? []).slice(from, from + maxRecords),
                ended: false,
              });
            },
            latest: (split) => Promise.resolve(records.get(split)?.at(-1)?.position),
            lag: () => Promise.resolve(undefined),
            oldest: () => Promise.resolve({ position: undefined, counts: false }),
            positionAt: () => Promise.resolve(null),
            close: () => Promise.resolve(),
          },
        ]),
      sink: () => sink,
      table: () =>
        Promise.resolve(
          Array.from({ length: keys }, (_, n) => ({ id: `key-${n}`, name: `name ${n}` })),
        ),
      lookup: () => () => Promise.resolve(undefined),
      rejected: () => ({
        ...sink,
        write: ({ length }) =>
          Promise.reject(
            new Error(`${length} elements were rejected: the topology does not fit its events`),
          ),
      }),
    },
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: 1_000,
  });
  await job.open();
  const before = process.cpuUsage();
  const running = job.run();
  await job.drain();
  await running;
  const { user, system } = process.cpuUsage(before);
  await job.close();
  return { cpuUs: (user + system) / rows, out };
}

const [dist = '', operator = '', rows = ''] = process.argv.slice(2);
console.log(JSON.stringify(await measure(dist, operator as Operator, Number(rows))));
