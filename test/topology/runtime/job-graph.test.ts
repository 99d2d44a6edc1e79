/**
 * What a job hands to a graph sink: the writes of each element; an element whose function fails is
 * rejected, and the others go on.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { createJob, graph, graphModel, stream, topology } from '../../../topology/index.ts';
import { saying } from '../../said.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const model = graphModel({ nodes: { Number: { key: 'n', props: { n: 'integer' } } } });

it('hands a graph sink the writes of each element, and rejects those whose function throws or gives no array', async () => {
  const input = memoryStream(['kinesis', 'shard-0']);
  for (const n of [1, 2, 3, 4]) put(input, 0, event(`e${n}`, n));
  const made = world({ 'a/b': input });
  const job = createJob({
    topology: topology('numbers', { version: 1, owner: 'a/b' }, (t) => {
      t.source('in', stream('a/b')).sinkTo(
        'numbers-graph',
        graph(model, ({ data }) => {
          if (data === 2) throw new Error('two is refused');
          if (data === 3) return null as never;
          return [model.Number({ n: data as number }), model.Number({ n: 0 })];
        }),
      );
    }),
    blobs: memoryBlobs(),
    connectors: made.connectors,
    clock: manualClock(5_000_000),
    random: seededRandom(1),
    checkpointIntervalMs: 0,
  });
  await job.open();
  const run = job.run();
  await job.drain();
  await run;
  const writes = (n: number): unknown => [model.Number({ n }), model.Number({ n: 0 })];
  expect(made.tables['numbers-graph']?.visible).toEqual([writes(1), writes(4)]);
  expect(made.tables['rejected']?.visible).toMatchObject([
    {
      id: 'e2',
      operator: 'numbers-graph',
      code: 'function-threw',
      message: 'two is refused',
      data: '2',
    },
    {
      id: 'e3',
      code: 'function-result',
      message: saying({ end: ' null' }),
      data: '3',
    },
  ]);
  const status = await job.status();
  expect(status.nodes.at(-1)).toMatchObject({ id: 'numbers-graph', in: 4, passed: 2, rejected: 2 });
  await job.close();
});
