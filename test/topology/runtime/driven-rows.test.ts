/**
 * What a table or a graph does not take: the test driver rejects the same rows as a job, under the
 * same code, at the same place, so that no test is green on what production refuses.
 */
import { describe, expect, it } from 'vitest';
import { batchReader } from '../../../enrich/parquet/batch-columns.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import type { Sink, SluiceEvent, StreamDefinition, Topology } from '../../../topology/index.ts';
import {
  createJob,
  fitWrites,
  graph,
  graphModel,
  schemaOf,
  stream,
  table,
  topology,
} from '../../../topology/index.ts';
import { createDriver, event as driven } from '../../../topology/testing.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const row = schemaOf<unknown>({
  $id: 'https://sluice.example/test/driven-row',
  type: 'object',
  required: ['id'],
  properties: {
    id: { type: 'string', maxLength: 5 },
    n: { type: 'integer' },
    temp: { type: ['number', 'null'] },
    at: { type: 'string', format: 'date-time' },
    team: { type: 'string' },
  },
});

const ways = graphModel({
  nodes: { City: { key: 'name', props: { name: 'string', size: 'integer' } } },
  edges: { ROAD: { from: 'City', to: 'City', key: [], props: {} } },
});

/** Every event's data is what its table is given, at the event's own time. */
const rows = topology('rows', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b') as StreamDefinition<SluiceEvent<{ readonly row: unknown }>>)
    .eventTime('time', (e) => e.time, { outOfOrderness: 0, future: { max: 0 } })
    .map((e) => e.data.row)
    .sinkTo('out', table('rows', row));
});

const writes = topology('writes', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b') as StreamDefinition<SluiceEvent<{ readonly row: unknown }>>).sinkTo(
    'out',
    graph(ways, (e) => {
      if (e.data.row === 'throw') throw new Error('it does not like this one');
      return e.data.row as never;
    }),
  );
});

interface Refused {
  readonly id: string;
  readonly code: string;
  readonly pointer: string | null;
  readonly message: string;
}

/** Production's decision about a batch, without its files and databases. */
function decidingSink(
  { sink }: Parameters<Parameters<typeof createJob>[0]['connectors']['sink']>[0],
  taken: unknown[],
): Sink {
  const reader =
    sink.kind === 'table'
      ? batchReader(sink.schema, sink.partitionBy, { team: 'a', app: 'b' })
      : undefined;
  return {
    open: () => Promise.resolve(),
    write(batch) {
      const refused = batch.values.flatMap((value, index) => {
        if (sink.kind !== 'graph') return [];
        const fit = fitWrites(sink.model, value);
        return 'message' in fit ? [{ index, ...fit }] : [];
      });
      const all = reader?.read(batch).rejected ?? refused;
      const out = new Set(all.map(({ index }) => index));
      taken.push(...batch.values.filter((_, index) => !out.has(index)));
      return Promise.resolve(all);
    },
    prepare: () => Promise.resolve({}),
    commit: () => Promise.resolve(),
    pendingRows: () => 0,
    close: () => Promise.resolve(),
  };
}

type Given = readonly (readonly [id: string, row: unknown, time?: string])[];
const timeOf = (time?: string) => ({ time: time ?? '2026-01-01T00:00:00Z' });

async function byDriver(of: Topology, given: Given) {
  const driver = await createDriver(of);
  await driver.push(
    'in',
    given.map(([id, value, time]) =>
      driven({ row: value }, { id, team: 'a', app: 'b', ...timeOf(time) }),
    ),
  );
  const refused = driver
    .rejected()
    .map(({ code, pointer, message }): Omit<Refused, 'id'> => ({ code, pointer, message }));
  return {
    taken: driver.read('out').map(({ value }) => value),
    refused,
    counts: driver.counts('out'),
  };
}

async function byJob(of: Topology, given: Given) {
  const incoming = memoryStream(['kinesis', '0']);
  for (const [id, value, time] of given) put(incoming, 0, event(id, { row: value }, timeOf(time)));
  const made = world({ 'a/b': incoming });
  const taken: unknown[] = [];
  const job = createJob({
    topology: of,
    blobs: memoryBlobs(),
    connectors: { ...made.connectors, sink: (node) => decidingSink(node, taken) },
    clock: manualClock(),
    random: seededRandom(1),
    checkpointIntervalMs: 1_000,
  });
  await job.open();
  const running = job.run();
  await job.drain();
  await running;
  await job.close();
  const events = (made.tables['rejected']?.visible ?? []) as readonly RejectedEvent[];
  return {
    taken,
    refused: events.map(
      ({ id, code, pointer, message }): Refused => ({ id, code, pointer, message }),
    ),
  };
}

describe('rows that do not fit', () => {
  const given: Given = [
    ['fits', { id: 'a', n: 1, temp: null, at: '2026-01-01T00:00:00Z' }],
    ['other type', { id: 'b', temp: 'warm' }],
    ['missing', { n: 1 }],
    ['null', { id: null }],
    ['too long', { id: 'longer' }],
    ['no time', { id: 'c', at: '2026-02-30T00:00:00Z' }],
    ['no row', null],
    ['a list', [1]],
    ['a number', 7],
    ['half a pair', { id: '\ud800' }],
    ['no folder', { id: 'd', team: 'x'.repeat(300) }],
    ['fits too', { id: 'e', n: -1 }],
  ];

  it('are rejected by the driver as by a job: the same rows, codes and places', async () => {
    const job = await byJob(rows, given);
    const driver = await byDriver(rows, given);
    expect(driver.taken).toEqual(job.taken);
    expect(driver.taken).toEqual([given[0]?.[1], given[11]?.[1]]);
    expect(driver.refused).toEqual(
      job.refused.map(({ code, pointer, message }) => ({ code, pointer, message })),
    );
    expect(job.refused.map(({ id, code, pointer }) => [id, code, pointer])).toEqual([
      ['other type', 'row-mismatch', '/temp'],
      ['missing', 'row-mismatch', '/id'],
      ['null', 'row-mismatch', '/id'],
      ['too long', 'row-mismatch', '/id'],
      ['no time', 'row-mismatch', '/at'],
      ['no row', 'row-mismatch', ''],
      ['a list', 'row-mismatch', ''],
      ['a number', 'row-mismatch', ''],
      ['half a pair', 'row-mismatch', '/id'],
      ['no folder', 'row-mismatch', '/team'],
    ]);
    expect(driver.counts).toMatchObject({ in: 12, passed: 2, rejected: 10 });
  });

  it('are writes that the model of a graph does not know, or a function that gives none', async () => {
    const off: Given = [
      ['fits', [ways.City({ name: 'Delft', size: 1 })]],
      ['nothing', []],
      [
        'no label',
        [ways.City({ name: 'Delft' }), { kind: 'node', label: 'Town', props: { name: 'x' } }],
      ],
      ['no integer', [ways.City({ name: 'Delft', size: 1.5 })]],
      ['no key', [{ kind: 'node', label: 'City', props: {} }]],
      ['no list', { kind: 'node' }],
      ['throws', 'throw'],
    ];
    const job = await byJob(writes, off);
    const driver = await byDriver(writes, off);
    expect(driver.taken).toEqual(job.taken);
    const byId = [...job.refused].sort(
      (a, b) => off.findIndex(([id]) => id === a.id) - off.findIndex(([id]) => id === b.id),
    );
    expect(driver.refused).toEqual(
      byId.map(({ code, pointer, message }) => ({ code, pointer, message })),
    );
    expect(byId.map(({ id, code, pointer }) => [id, code, pointer])).toEqual([
      ['no label', 'row-mismatch', '/1/label'],
      ['no integer', 'row-mismatch', '/0/props/size'],
      ['no key', 'row-mismatch', '/0/props/name'],
      ['no list', 'function-result', null],
      ['throws', 'function-threw', null],
    ]);
    expect(driver.counts).toMatchObject({ in: 7, passed: 2, rejected: 5 });
  });
});
