/**
 * A topic to which others write in transactions, on a real broker: what was broken off was given as
 * rows, the markers at the end of a log kept a drain waiting and counted as lag for ever, and what
 * an open transaction holds back looked like silence.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer, Transaction } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { encodeBinary } from '../../../../schemas/wire.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../../topology/index.ts';
import type { SourceNode } from '../../../../topology/operators/source/kind.ts';
import { scheduleSources } from '../../../../topology/runtime/source.ts';
import type { SourceSchedule } from '../../../../topology/runtime/source-schedule.ts';
import { readAll, readNow } from '../../../contract/record-stream.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';
import { memoryBlobs, world } from '../../../topology/support.ts';
import type { Rig } from './transactions-rig.ts';
import { end, highOf, send, transact, withinTransactions } from './transactions-rig.ts';

let server: KafkaServer;

const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };

const within = (run: (rig: Rig) => Promise<void>): Promise<void> => withinTransactions(server, run);

const textsOf = async (reader: RecordReader, maxRecords?: number): Promise<readonly string[]> =>
  [...(await readAll(reader, maxRecords)).values()].flat().map(({ text }) => text);

const source: SourceNode = {
  id: 'events',
  kind: 'source',
  inputs: [],
  outputs: [],
  stream: 'a/b',
} as unknown as SourceNode;

const scheduled = (reader: RecordReader, position?: string): Promise<SourceSchedule> =>
  scheduleSources([{ source, reader, positionOf: () => position }], bounds, systemClock);

/** What the source gives until `done`, as a job takes it. */
async function taken(
  schedule: SourceSchedule,
  done: (texts: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const texts: string[] = [];
  while (!done(texts)) {
    schedule.changes();
    const turn = await schedule.next(50);
    if (turn === undefined) continue;
    texts.push(...turn.records.map(({ value }) => Buffer.from(value).toString()));
    turn.cursor.position = turn.records.at(-1)?.position ?? turn.cursor.position;
  }
  return texts;
}

/** What a drain reads of it. */
async function drained(
  reader: RecordReader,
  position?: string,
): Promise<{ readonly texts: readonly string[]; readonly position: string | undefined }> {
  const schedule = await scheduled(reader, position);
  await schedule.drain();
  const texts = await taken(schedule, () => schedule.drained());
  schedule.stop();
  return { texts, position: schedule.cursors[0]?.position };
}

/** Reads without records until one says what it waits for. */
async function waitingText(
  reader: RecordReader,
  split: string,
  after: string | undefined,
): Promise<string> {
  for (let position = after; ; await sleep(20)) {
    const { records, inconclusive, waitsFor, reached } = await reader.read(split, position, bounds);
    expect(records).toEqual([]);
    expect(inconclusive).toBe(true);
    if (waitsFor !== undefined) return waitsFor;
    position = reached ?? position;
  }
}

describe.skipIf(javaMissing() !== undefined)(
  'a topic of Apache Kafka that is written in transactions',
  () => {
    beforeAll(async () => {
      server = await startKafka({ keys: { AKIDUNUSED: 'secret' } });
    }, 240_000);

    afterAll(() => server.stop());

    it(
      'gives what was committed, and nothing of what was broken off',
      () =>
        within(async (rig) => {
          const { reader, producer } = rig;
          const by = await producer(true);
          await transact(rig, by, ['a', 'b'], 'commit');
          await transact(rig, by, ['x', 'y'], 'abort');
          await transact(rig, by, ['c'], 'commit');
          expect(await textsOf(reader())).toEqual(['a', 'b', 'c']);
        }),
      60_000,
    );

    it(
      'tells transactions apart that lie within each other, at any bounds of a read and from any position',
      () =>
        within(async (rig) => {
          const { topic, split, reader, producer } = rig;
          const random = seededRandom(18);
          const writers = await Promise.all([producer(true), producer(true), producer(true)]);
          const plain = await producer(false);
          const open = new Map<
            Producer,
            { readonly transaction: Transaction; readonly texts: string[] }
          >();
          const counts = new Set<string>();
          const all: string[] = [];
          let ends = 0;
          const close = async (by: Producer): Promise<void> => {
            ends++;
            const own = open.get(by);
            if (own === undefined) throw new Error('none is open');
            const { transaction, texts } = own;
            open.delete(by);
            if (random.next() < 0.5) return transaction.abort();
            for (const text of texts) counts.add(text);
            return transaction.commit();
          };
          for (let n = 0; n < 150; n++) {
            const texts = Array.from(
              { length: 1 + Math.floor(random.next() * 3) },
              (_, at) => `${n}.${at}`,
            );
            const by = writers[Math.floor(random.next() * 4)];
            if (by !== undefined && open.has(by) && random.next() < 0.4) {
              await close(by);
              continue;
            }
            all.push(...texts);
            if (by === undefined) {
              for (const text of texts) counts.add(text);
              await send(topic, plain, texts);
              continue;
            }
            const own = open.get(by) ?? { transaction: await by.transaction(), texts: [] };
            open.set(by, own);
            own.texts.push(...texts);
            await send(topic, own.transaction, texts);
          }
          for (const by of [...open.keys()]) await close(by);
          while ((await highOf(rig)) < all.length + ends) await sleep(20);
          const expected = all.filter((text) => counts.has(text));
          expect(expected.length).toBeGreaterThan(50);
          expect(all.length - expected.length).toBeGreaterThan(50);
          for (const maxRecords of [1, 7, 1_000])
            expect(await textsOf(reader(), maxRecords)).toEqual(expected);
          const tiny = reader();
          const found: string[] = [];
          for (let after: string | undefined; ; ) {
            const { records } = await readNow(tiny, split, after, { maxRecords: 5, maxBytes: 1 });
            if (records.length === 0) break;
            found.push(...records.map(({ value }) => Buffer.from(value).toString()));
            after = records.at(-1)?.position;
          }
          expect(found).toEqual(expected);
          // As after a restart anywhere, also within what was broken off.
          const latest = Number(await reader().latest(split));
          const positions = (await drainedRecords(reader(), split)).map(
            ({ position, text }) => [Number(position), text] as const,
          );
          for (let after = 0; after <= latest; after += 9) {
            const { texts } = await drained(reader(), String(after));
            expect(texts).toEqual(
              positions.filter(([position]) => position > after).map(([, text]) => text),
            );
          }
        }),
      120_000,
    );

    for (const how of ['commit', 'abort'] as const) {
      it(
        `is drained, and has no lag, when its log ends with the marker of a ${how}`,
        () =>
          within(async (rig) => {
            const { split, reader, producer } = rig;
            const by = await producer(true);
            await transact(rig, by, ['a', 'b'], 'commit');
            await transact(rig, by, ['c'], how);
            const asked = reader();
            const { texts, position } = await drained(asked);
            expect(texts).toEqual(how === 'commit' ? ['a', 'b', 'c'] : ['a', 'b']);
            // Of the second marker: what comes next goes on behind it.
            expect(position).toBe('4');
            expect(await asked.lag(split, position)).toBe(0);
            expect(await reader().lag(split, position)).toBe(0);
            expect(await drained(reader(), position)).toEqual({ texts: [], position });
            await transact(rig, by, ['d'], 'commit');
            expect(await asked.lag(split, position)).toBe(2);
            expect((await drained(reader(), position)).texts).toEqual(['d']);
            // A checkpoint of an earlier version is at the last record.
            expect((await drained(reader(), '1')).texts).toEqual(
              how === 'commit' ? ['c', 'd'] : ['d'],
            );
          }),
        60_000,
      );
    }

    it(
      'that has nothing but what was broken off is drained, and its position goes on',
      () =>
        within(async (rig) => {
          const { split, reader, producer } = rig;
          const by = await producer(true);
          for (let n = 0; n < 5; n++) await transact(rig, by, ['x', 'y', 'z'], 'abort');
          const asked = reader();
          const schedule = await scheduled(asked);
          await taken(schedule, () => schedule.cursors[0]?.position === '19');
          expect(schedule.hasPassed()).toBe(true);
          expect(schedule.cursors[0]?.caughtUp).toBe(true);
          await schedule.drain();
          await taken(schedule, () => schedule.drained());
          schedule.stop();
          expect(await asked.lag(split, '19')).toBe(0);
          expect(await textsOf(reader())).toEqual([]);
        }),
      60_000,
    );

    it(
      'ends a drain whose last position is a marker, though records come behind it meanwhile',
      () =>
        within(async (rig) => {
          const { reader, producer } = rig;
          const by = await producer(true);
          await transact(rig, by, ['a'], 'commit');
          const schedule = await scheduled(reader());
          await schedule.drain();
          await transact(rig, by, ['b'], 'commit');
          expect(await taken(schedule, () => schedule.drained())).toEqual(['a']);
          expect(schedule.cursors[0]?.position).toBe('1');
          schedule.stop();
        }),
      60_000,
    );

    it(
      'is read up to where a transaction is open, says so, and is not taken for silent; what was behind comes in order when it ends',
      () =>
        within(async (rig) => {
          const { topic, split, reader, producer, transaction } = rig;
          const plain = await producer(false);
          await send(topic, plain, ['a']);
          const open = await transaction();
          await send(topic, open, ['in it']);
          await send(topic, plain, ['b', 'c']);
          const asked = reader();
          const { records } = await asked.read(split, undefined, bounds);
          expect(records.map(({ position }) => position)).toEqual(['0']);
          expect(await waitingText(asked, split, '0')).toMatch(/open since 1, .* \(3 positions\)/);
          expect(await asked.latest(split)).toBe('0');
          expect(await asked.lag(split, '0')).toBe(0);
          // A drain has what can be read, and the next run goes on from there.
          expect(await drained(reader())).toEqual({ texts: ['a'], position: '0' });
          const schedule = await scheduled(asked);
          expect(await taken(schedule, () => schedule.cursors[0]?.waitsFor !== undefined)).toEqual([
            'a',
          ]);
          expect(schedule.cursors[0]).toMatchObject({ caughtUp: false, heardMs: undefined });
          await end(rig, open, 'commit');
          expect(await taken(schedule, (texts) => texts.length === 3)).toEqual(['in it', 'b', 'c']);
          await taken(schedule, () => schedule.cursors[0]?.caughtUp === true);
          expect(schedule.cursors[0]).toMatchObject({ position: '4', waitsFor: undefined });
          schedule.stop();
        }),
      60_000,
    );

    it(
      'becomes the rows of what was committed, over runs that are drained and go on',
      () =>
        within(async (rig) => {
          const { topic, reader, producer } = rig;
          const made = world({});
          const blobs = memoryBlobs();
          const run = async (): Promise<void> => {
            const connectors = { ...made.connectors, readers: () => Promise.resolve([reader()]) };
            const job = createJob({
              topology: ids,
              blobs,
              connectors,
              clock: systemClock,
              random: seededRandom(1),
              checkpointIntervalMs: 100,
            });
            await job.open();
            const running = job.run();
            await job.drain();
            await running;
            expect((await job.status()).splits).toMatchObject([{ hearing: 'caught-up' }]);
            await job.close();
          };
          const rows = (): readonly unknown[] =>
            (made.tables['ids']?.visible ?? []).map((row) => (row as { readonly id: string }).id);
          const by = await producer(true);
          const transactOf = async (
            names: readonly string[],
            how: 'commit' | 'abort',
          ): Promise<void> => {
            const open = await by.transaction();
            await open.send({ topic, acks: -1, messages: names.map(messageOf) });
            await end(rig, open, how);
          };
          await transactOf(['a', 'b'], 'commit');
          await transactOf(['x', 'y'], 'abort');
          await run();
          expect(rows()).toEqual(['a', 'b']);
          await transactOf(['z'], 'abort');
          await run();
          expect(rows()).toEqual(['a', 'b']);
          await transactOf(['c'], 'commit');
          await run();
          expect(rows()).toEqual(['a', 'b', 'c']);
          expect(made.tables['rejected']?.visible ?? []).toEqual([]);
        }),
      60_000,
    );
  },
);

const ids = topology('ids', { version: 1, owner: 'a/b' }, (t) => {
  const id = { type: 'string' } as const;
  const row = schemaOf<{ readonly id: string }>({
    $id: 'https://sluice.example/test/id',
    type: 'object',
    properties: { id },
    required: ['id'],
  });
  t.source('events', stream('a/b'))
    .map((e) => ({ id: e.id }))
    .sinkTo('ids', table('ids', row));
});

/** An event of this id as the ingress writes it to Kafka. */
function messageOf(id: string): {
  readonly key: string;
  readonly value: Buffer;
  readonly partition: number;
  readonly headers: Record<string, string>;
} {
  const time = '2026-01-01T00:00:00.000Z';
  const of = {
    id,
    source: '/a/b',
    type: 'a.b',
    time,
    datacontenttype: 'application/json',
    team: 'a',
    app: 'b',
    partitionkey: 'k',
    receivedtime: time,
  };
  const { key, headers, value } = encodeBinary(of, Buffer.from('{}'));
  return { key, headers: { ...headers }, value: Buffer.concat(value), partition: 0 };
}

async function drainedRecords(
  reader: RecordReader,
  split: string,
): Promise<readonly { readonly position: string; readonly text: string }[]> {
  return (await readAll(reader)).get(split) ?? [];
}
