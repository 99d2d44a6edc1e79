/**
 * A job whose keyed nodes are divided over workers: the same rows with the same identities, in the
 * same order, as in one thread, also where each run has another number of them.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import type { RejectedEvent } from '../../../../schemas/rejection.ts';
import type { JobStatus, Sink } from '../../../../topology/index.ts';
import { createJob, identityOf, schemaOf, table } from '../../../../topology/index.ts';
import { kindNamed } from '../../../../topology/operators/kinds.ts';
import { inlineWorkers } from '../../../../topology/runtime/parallel/inline-workers.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../../support.ts';
import { severalTo, sinks } from './several-topology.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/several',
  type: 'object',
  properties: { key: { type: 'string' } },
});
const topology = severalTo((id) => table(id.replace('-', '_'), anyRow));
const eventsOfRun = 60;

interface Played {
  /** By sink, in order: where each row is from, and what it says. */
  readonly written: readonly string[];
  readonly statuses: readonly JobStatus[];
}

/** A run for each number of workers, each of which reads some events more; the last one drains. */
async function played(parallelisms: readonly number[]): Promise<Played> {
  const events = memoryStream(['kinesis', 'shard-0']);
  const made = world({ 'a/s': events });
  const clock = manualClock(5_000_000);
  const blobs = memoryBlobs();
  const written: string[] = [];
  const statuses: JobStatus[] = [];
  const sinkOf = (name: string): Sink => ({
    open: () => Promise.resolve(),
    write(batch) {
      for (let i = 0; i < batch.length; i++)
        written.push(
          `${name} ${JSON.stringify([identityOf(batch.origins[i]), told(batch.values[i]), batch.timestamps[i]])}`,
        );
      return Promise.resolve([]);
    },
    prepare: () => Promise.resolve(null),
    commit: () => Promise.resolve(),
    pendingRows: () => 0,
    close: () => Promise.resolve(),
  });
  let sent = 0;
  for (const [run, parallelism] of parallelisms.entries()) {
    for (const until = sent + eventsOfRun; sent < until; sent++)
      put(events, 0, event(`e${sent}`, rowOf(sent), { app: 's', source: '/a/s' }));
    const job = createJob({
      topology,
      blobs,
      connectors: {
        ...made.connectors,
        sink: ({ id }) => sinkOf(id),
        rejected: () => sinkOf('rejected'),
      },
      clock,
      random: seededRandom(run),
      checkpointIntervalMs: 100,
      turnBounds: { maxRecords: 16, maxBytes: 1e6 },
      keyedWorkers:
        parallelism === 1
          ? undefined
          : (seen) => inlineWorkers(seen, parallelism, { clock, random: seededRandom(run) }),
    });
    await job.open();
    let over = false;
    const running = job.run().finally(() => {
      over = true;
    });
    const isLast = run === parallelisms.length - 1;
    if (isLast) await job.drain();
    for (let lag = Number.POSITIVE_INFINITY; !over && (isLast || lag > 0); ) {
      clock.advance(25);
      await new Promise((resolve) => setImmediate(resolve));
      lag = (await job.status()).totals.lag ?? 0;
    }
    job.stop();
    await running;
    statuses.push(await job.status());
    await job.close();
  }
  return { written, statuses };
}

const keys = ['a', 'b', 'c', 'd', 'e', 4, 7, ['x', true], ['y', false], null] as const;

function rowOf(n: number): unknown {
  const at = n * 3 - (n % 5) * 9 - (n % 11 === 0 ? 90 : 0) + 200;
  // Of some the time is refused, behind where others are.
  return { k: keys[(n * 7) % keys.length], at: n % 15 === 2 ? 'none' : at, n: n % 15 };
}

/** A row of the rejected table has the time at which it was made. */
function told(value: unknown): unknown {
  const { receivedtime: _, ...row } = value as RejectedEvent;
  return row;
}

const countsOf = ({ statuses }: Played): unknown =>
  statuses.map(({ nodes, rejected, state }) => [nodes, rejected, state?.entries]);

describe('a job in several parts', () => {
  it.each([
    ['in two parts', [2, 2, 2, 2]],
    ['in three parts', [3, 3, 3, 3]],
    ['in one, then in two, in three and in one', [1, 2, 3, 1]],
    ['in three, then in one, in four and in two', [3, 1, 4, 2]],
  ])('gives the rows of one with their identities, %s', async (_name, parallelisms) => {
    const one = await played([1, 1, 1, 1]);
    for (const sink of [...sinks.filter((id) => !id.startsWith('late')), 'rejected'])
      expect([sink, one.written.filter((row) => row.startsWith(`${sink} `)).length > 5]).toEqual([
        sink,
        true,
      ]);
    const several = await played(parallelisms);
    expect(several.written).toEqual(one.written);
    expect(countsOf(several)).toEqual(countsOf(one));
  });

  it('continues the arrivals of a join after the last of any part', () => {
    const head = (left: number, right: number): unknown => ({ merge: {}, arrivals: [left, right] });
    const merged = kindNamed('intervalJoin')?.keyed?.mergeHeads?.([head(1, 5), head(3, 2)]);
    expect(merged).toEqual(head(3, 5));
  });
});
