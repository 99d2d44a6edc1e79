/**
 * A quiet table made a file of 1 to 2 KB each time it was published, thousands a day. A published
 * file that is small grows instead: it is replaced by one with its rows and those that came after,
 * through checkpoints and restarts, until it is large or old.
 */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeParquet } from '../../../enrich/parquet/encode.ts';
import {
  parquetGrowByMaxBytes,
  parquetGrowingMaxFiles,
  parquetGrowMaxBytes,
  parquetGrowMaxMs,
} from '../../../enrich/parquet/growing-files.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { batchOf, filesOf, rowsOf, temporaryFolders } from '../support.ts';
import type { TableRig } from './support.ts';
import { base, tableRig, typedRow, typedSchema } from './support.ts';

const folder = temporaryFolders('growing');
const hourMs = 3_600_000;
const stored = (state: SinkState): SinkState => JSON.parse(JSON.stringify(state)) as SinkState;

/** One run after the other, each with the state that the last kept. */
class Runs {
  readonly rig: TableRig;
  #state: SinkState | undefined;
  #attempt = 0;
  #checkpoint = 0;
  #sink: Sink | undefined;

  constructor(rig: TableRig) {
    this.rig = rig;
  }

  async restart(schema?: JsonSchema): Promise<void> {
    await this.#sink?.close();
    this.#sink = this.rig.sink(++this.#attempt, schema);
    await this.#sink.open(this.#state);
  }

  /** Rows that a checkpoint publishes; without `commit` the next one does. */
  async publish(rows: readonly object[], { hours = 0, commit = true } = {}): Promise<void> {
    if (this.#sink === undefined) await this.restart();
    const sink = this.#sink as unknown as Sink;
    expect(await sink.write(batchOf(rows, () => base + hours * hourMs))).toEqual([]);
    this.#state = stored(await sink.prepare(++this.#checkpoint, false));
    if (commit) await sink.commit(this.#checkpoint);
  }

  end(): Promise<void> {
    return this.#sink?.close() ?? Promise.resolve();
  }
}

const runsIn = (): Runs => new Runs(tableRig(folder(), 0));
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, n) => n);

it('a quiet table has a file a partition, through checkpoints, restarts and commits that were lost', async () => {
  const runs = runsIn();
  for (const n of upTo(24)) {
    if (n % 5 === 4) await runs.restart();
    await runs.publish([typedRow(n)], { hours: n % 2, commit: n % 7 !== 3 });
    runs.rig.clock.advance(60_000);
  }
  await runs.restart();
  expect(await runs.rig.numbers()).toEqual(upTo(24));
  expect(filesOf(runs.rig.lake, 'typed')).toHaveLength(2);
  await runs.end();
});

it('a reader finds every published row at each moment, and each as it was written', async () => {
  const runs = runsIn();
  const rows = [
    typedRow(1, {
      note: 'naïve 日本',
      raw: '{"big": 12345678901234567890}',
      nested: { a: [1, null] },
    }),
    typedRow(-(2 ** 53) + 1, { ratio: null, note: '' }),
    typedRow(3, { at: '1969-12-31T23:59:59.999Z', ratio: -1e-300 }),
  ];
  const expected: unknown[] = [];
  for (const [n, row] of rows.entries()) {
    await runs.publish([row]);
    const found = await rowsOf(runs.rig.lake, 'typed');
    expected.push(found.at(-1));
    expect(found).toEqual(expected);
    expect(found).toHaveLength(n + 1);
  }
  expect(expected).toEqual([
    expect.objectContaining({
      n: 1n,
      note: 'naïve 日本',
      raw: '{"big": 12345678901234567890}',
      nested: '{"a":[1,null]}',
      good: false,
    }),
    expect.objectContaining({ n: -(2n ** 53n) + 1n, ratio: null, note: '', nested: null }),
    expect.objectContaining({ at: new Date(-1), ratio: -1e-300 }),
  ]);
  await runs.end();
});

it('a file that is old, large, of other columns, changed or gone grows no more', async () => {
  const runs = runsIn();
  const count = (): number => filesOf(runs.rig.lake, 'typed').length;
  await runs.publish([typedRow(0)]);
  runs.rig.clock.advance(parquetGrowMaxMs - 1);
  await runs.publish([typedRow(1)]);
  expect(count()).toBe(1);
  runs.rig.clock.advance(1);
  await runs.publish([typedRow(2)]);
  expect(count()).toBe(2);
  // What no compression makes small.
  await runs.publish([typedRow(3, { note: randomBytes(parquetGrowMaxBytes).toString('hex') })]);
  expect(count()).toBe(2);
  await runs.publish([typedRow(4)]);
  expect(count()).toBe(3);
  const properties = typedSchema['properties'] as Readonly<Record<string, JsonSchema>>;
  await runs.restart({ ...typedSchema, properties: { ...properties, more: { type: 'integer' } } });
  await runs.publish([typedRow(5, { more: 1 })]);
  expect(count()).toBe(4);
  await runs.restart();
  await runs.publish([typedRow(6)]);
  expect(count()).toBe(5);
  const [file = ''] = filesOf(runs.rig.lake, 'typed').filter((path) => path.includes('t-7-'));
  rmSync(join(runs.rig.lake, 'typed', file));
  await runs.publish([typedRow(7)]);
  expect(await runs.rig.numbers()).toEqual([0, 1, 2, 3, 4, 5, 7]);
  const [next = ''] = filesOf(runs.rig.lake, 'typed').filter((path) => path.includes('t-8-'));
  writeFileSync(
    join(runs.rig.lake, 'typed', next),
    encodeParquet([{ name: 'n', type: 'INT64', nullable: false, description: '' }], [[70, 71]]),
  );
  await runs.publish([typedRow(8)]);
  expect(await runs.rig.numbers()).toEqual([0, 1, 2, 3, 4, 5, 8, 70, 71]);
  await runs.end();
});

it('rows that make a file of their own make one: none of theirs are read and written again', async () => {
  const runs = runsIn();
  const count = (): number => filesOf(runs.rig.lake, 'typed').length;
  // Sixteen of them are what a file may grow by at once, or somewhat more.
  const note = (): string => randomBytes(parquetGrowByMaxBytes / 32).toString('hex');
  const rows = (from: number, to: number): readonly object[] =>
    upTo(to - from).map((n) => typedRow(from + n, { note: note() }));
  await runs.publish(rows(0, 8));
  await runs.publish(rows(8, 16));
  expect(count()).toBe(1);
  await runs.publish(rows(16, 33));
  expect(count()).toBe(2);
  // It is the one that grows from now on.
  await runs.publish(rows(33, 34));
  expect(count()).toBe(2);
  expect(await runs.rig.numbers()).toEqual(upTo(34));
  await runs.end();
});

it('checkpoints keep a bounded number of files that grow, the youngest', async () => {
  const runs = runsIn();
  const partitions = parquetGrowingMaxFiles + 2;
  for (const n of upTo(partitions)) await runs.publish([typedRow(n)], { hours: n });
  await runs.publish([typedRow(-1)], { hours: 0 });
  await runs.publish([typedRow(-2)], { hours: partitions - 1 });
  expect(filesOf(runs.rig.lake, 'typed')).toHaveLength(partitions + 1);
  await runs.end();
});
