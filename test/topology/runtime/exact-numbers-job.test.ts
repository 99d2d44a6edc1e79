/**
 * Numbers that JSON.parse rounds without a word: two orders 9007199254740992 and 9007199254740993
 * were one for a deduplication, a window and a column. An event is rejected where such a number is
 * a key, whatever was made of it, and a row where it goes into an integer or a JSON column;
 * elsewhere it is a double.
 */
import { describe, expect, it } from 'vitest';
import { batchReader } from '../../../enrich/parquet/batch-columns.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import type {
  ElementBatch,
  SluiceEvent,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

type Data = { readonly k?: number; readonly x?: number };
const row = schemaOf<object>({ $id: 'row', type: 'object', properties: { x: {} } });
const source = (t: TopologyBuilder) =>
  t.source('in', stream('a/b') as StreamDefinition<SluiceEvent<Data>>);
const timed = (t: TopologyBuilder) =>
  source(t).eventTime('time', () => 1, { outOfOrderness: 0, future: { max: 0 } });
const build = (
  flow: (t: TopologyBuilder) => {
    sinkTo(id: string, to: ReturnType<typeof table<object>>): unknown;
  },
): Topology =>
  topology(
    'exact',
    { version: 1, owner: 'a/b' },
    (t) => void flow(t).sinkTo('rows', table('rows', row)),
  );

/** What becomes of events whose data is each text: how many rows come out, and what is rejected. */
async function run(
  of: Topology,
  texts: readonly string[],
): Promise<{ readonly rows: readonly unknown[]; readonly rejected: readonly string[] }> {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0']) });
  texts.forEach((text, n) => {
    const { value } = event(`e${n}`, '@');
    put(made.streams['a/b'] as never, 0, {
      value: Buffer.from(
        Buffer.from(value)
          .toString()
          .replace('"@"', () => text),
      ),
    });
  });
  const clock = manualClock(5_000_000);
  const job = createJob({
    topology: of,
    blobs: memoryBlobs(),
    connectors: made.connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 0,
  });
  await job.open();
  const running = job.run();
  await job.drain();
  for (let i = 0, ended = false; i < 400 && !ended; i++) {
    clock.advance(25);
    ended = await Promise.race([
      running.then(() => true),
      new Promise<boolean>((resolve) => setImmediate(() => resolve(false))),
    ]);
  }
  await job.close();
  const rejected = (made.tables['rejected']?.visible ?? []) as readonly RejectedEvent[];
  return {
    rows: made.tables['rows']?.visible ?? [],
    rejected: rejected.map(
      ({ id, operator, code, message, pointer }) =>
        `${id} ${operator} ${code} ${pointer ?? ''} ${message}`,
    ),
  };
}

const flows: Readonly<Record<string, Topology>> = {
  'of a deduplication': build((t) =>
    timed(t).deduplicate('op', { by: (e) => e.data.k ?? 0, within: '1h' }),
  ),
  'of a deduplication, in a tuple': build((t) =>
    timed(t).deduplicate('op', { by: (e) => [e.id, e.data.k ?? 0], within: '1h' }),
  ),
  'of a window, after a map': build(
    (t) =>
      timed(t)
        .map((e) => ({ key: e.data.k ?? 0 }))
        .keyBy((e) => e.key)
        .window('op', tumbling('1h'))
        .aggregate({ n: count() }).out,
  ),
  'of a process': build((t) =>
    timed(t)
      .keyBy((e) => e.data.k ?? 0)
      .process('op', { state: {}, onElement: (e) => [e] }),
  ),
};

describe('a number that JSON.parse does not hold', () => {
  it.each(Object.entries(flows))('is no key %s', async (_, flow) => {
    const { rows, rejected } = await run(flow, [
      '{"k":9007199254740993}',
      '{"k":1}',
      '{"k":0.1000000000000000055}',
      '{"k":-12345678901234567890}',
      '{"k":1.0}',
    ]);
    expect(rejected.map((text) => text.split(' ', 3).join(' '))).toEqual([
      'e0 op function-result',
      'e2 op function-result',
      'e3 op function-result',
    ]);
    expect(rejected[0]).toContain(
      "/k a key must be exact, but the number 9007199254740993 at '/k' of the event's data is held as 9007199254740992",
    );
    expect(rejected[1]).toContain(
      "the number 0.1000000000000000055 at '/k' of the event's data is held as 0.1",
    );
    expect(rows.length).toBe(
      flow === flows['of a deduplication'] || flow === flows['of a window, after a map'] ? 1 : 2,
    );
  });

  it('is none from 2^53 on, however it is written: the next one is read as the same', async () => {
    const { rejected } = await run(flows['of a deduplication, in a tuple'] as Topology, [
      '{"x":1,"k":9007199254740992}',
    ]);
    expect(rejected).toEqual([
      'e0 op function-result /k a key must be exact, but the number 9007199254740992 is beyond 2^53, where different numbers become equal: send it as text',
    ]);
  });

  it('is no key by its text either', async () => {
    const flow = build((t) =>
      timed(t).deduplicate('op', { by: (e) => `order/${e.data.k}`, within: '1h' }),
    );
    const { rows, rejected } = await run(flow, [
      '{"k":9007199254740993}',
      '{"k":9007199254740991}',
      '{"x":9007199254740995,"k":7}',
      '{"k":"9007199254740993"}',
    ]);
    expect(rejected).toEqual([
      "e0 op function-result /k a key must be exact, but the number 9007199254740993 at '/k' of the event's data is held as 9007199254740992: send it as text",
    ]);
    expect(rows).toHaveLength(3);
  });

  it('goes through as a double where it is no key', async () => {
    const { rows, rejected } = await run(
      build((t) =>
        timed(t)
          .deduplicate('op', { by: (e) => e.id, within: '1h' })
          .map((e) => ({ x: e.data.x ?? null })),
      ),
      ['{"x":9007199254740993}', '{"x":0.1000000000000000055}', '{"x":1e-400}'],
    );
    expect(rejected).toEqual([]);
    expect(rows).toEqual([{ x: 9007199254740992 }, { x: 0.1 }, { x: 0 }]);
  });

  it('is refused with its event where no double is near, as is nesting that cannot be written again', async () => {
    const deep = `{"k":${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    const { rows, rejected } = await run(flows['of a process'] as Topology, [
      '{"x":{"y":[1e400]},"k":1}',
      deep,
      '{"k":1}',
    ]);
    expect(rejected).toEqual([
      'e0 in undecodable-record /x/y/0 the number is larger than a double can hold',
      'e1 in undecodable-record  the data is nested deeper than 128 levels',
    ]);
    expect(rows).toHaveLength(1);
  });
});

describe('a row with such a number', () => {
  const schema = {
    $id: 'columns',
    type: 'object',
    properties: {
      n: { type: 'integer' },
      json: { type: ['object', 'array', 'number', 'string'] },
      d: { type: 'number' },
      s: { type: 'string' },
    },
  };
  const reader = batchReader(schema, [], { team: 'a', app: 'b' });
  const written = [{ pointer: '/data', text: '0.1000000000000000055', value: 0.1 }];
  const batch = (values: readonly unknown[], inexact?: typeof written): ElementBatch => ({
    length: values.length,
    values,
    timestamps: values.map(() => 1),
    origins: values.map(() => (inexact === undefined ? undefined : ({ inexact } as never))),
  });

  it('is refused in integer and JSON columns, and taken as a double', () => {
    const rows = [
      { n: 2 ** 53 },
      { json: { a: [1, { 'b/c': 2 ** 53 }] } },
      { json: -(2 ** 60) },
      {
        json: { a: 2 ** 53 - 1, b: 1e21, c: 6.02e23, d: '9007199254740993', e: 0.1 },
        d: 2 ** 60,
        n: -(2 ** 53 - 1),
        s: '12345678901234567890',
      },
    ];
    expect(reader.read(batch(rows)).rejected.map(({ index, pointer }) => [index, pointer])).toEqual(
      [
        [0, '/n'],
        [1, '/json/a/1/b~1c'],
        [2, '/json'],
      ],
    );
  });

  it('is refused where its event wrote more digits than are kept', () => {
    const rows = [{ json: { a: 0.1 } }, { d: 0.1 }, { json: { a: 0.2 } }];
    expect(
      reader.read(batch(rows, written)).rejected.map(({ index, pointer }) => [index, pointer]),
    ).toEqual([[0, '/json/a']]);
    expect(
      reader.read(batch([{ n: 1 }], [{ pointer: '/n', text: '1.00000000000000000001', value: 1 }]))
        .rejected,
    ).toMatchObject([{ pointer: '/n' }]);
  });
});
