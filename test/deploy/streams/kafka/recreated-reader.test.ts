/**
 * A topic that is deleted and created again under a reader, on a real broker. Its partitions had
 * the names of those before, so that a topology read on from the old positions: the first records
 * of the new topic were skipped in silence, and partitions that it does not have ended the
 * topology.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../../deploy/streams/kafka/kafka-writer.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import type { SourceNode } from '../../../../topology/operators/source/kind.ts';
import { scheduleSources } from '../../../../topology/runtime/source.ts';
import type { SourceSchedule } from '../../../../topology/runtime/source-schedule.ts';
import { readAll, readNow } from '../../../contract/record-stream.ts';
import { javaMissing } from '../../../servers/jars.ts';
import type { KafkaServer } from '../../../servers/kafka.ts';
import { startKafka } from '../../../servers/kafka.ts';

let server: KafkaServer;
let topics = 0;

const stream = 'a/b';
const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };
const connection = () => ({ brokers: [server.plain], tls: false, clientId: 'test' });
const named = (name: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `${name}-${n}`);

interface Rig {
  readonly topic: string;
  readonly reader: RecordReader;
  /** What the reader told of. */
  readonly told: string[];
  /** All are stored when it resolves. */
  readonly write: (texts: readonly string[]) => Promise<void>;
  readonly recreate: (partitions: number) => Promise<void>;
}

async function within(partitions: number, run: (rig: Rig) => Promise<void>): Promise<void> {
  const topic = `read-again-${topics++}`;
  await server.createTopic(topic, partitions);
  const told: string[] = [];
  const writer = createKafkaWriter({
    connection: connection(),
    clock: systemClock,
    topics: new Map([[stream, topic]]),
  });
  const reader = createKafkaReader({
    connection: connection(),
    topic,
    tell: (news) => told.push(news),
  });
  try {
    await run({
      topic,
      reader,
      told,
      async write(texts) {
        let left = texts;
        while (left.length > 0) {
          const sent = left;
          const outcomes = await writer.write(
            stream,
            sent.map((text) => ({ key: text, value: [Buffer.from(text)] })),
          );
          left = sent.filter((_, n) => outcomes[n]?.kind !== 'applied');
          if (left.length > 0) await sleep(20);
        }
      },
      async recreate(count) {
        await server.deleteTopic(topic);
        await server.createTopic(topic, count);
      },
    });
  } finally {
    await reader.close();
    await writer.close();
  }
}

const source: SourceNode = {
  id: 'events',
  kind: 'source',
  inputs: [],
  outputs: [],
  stream,
} as unknown as SourceNode;

function scheduled(
  reader: RecordReader,
  positionOf: (split: string) => string | undefined = () => undefined,
): Promise<SourceSchedule> {
  return scheduleSources([{ source, reader, positionOf }], bounds, systemClock);
}

/** What the source gives until `done`, as a job takes it. */
async function taken(
  schedule: SourceSchedule,
  done: (texts: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const texts: string[] = [];
  while (!done(texts)) {
    schedule.changes();
    const turn = await schedule.next(200);
    if (turn === undefined) continue;
    texts.push(...turn.records.map(({ value }) => Buffer.from(value).toString()));
    turn.cursor.position = turn.records.at(-1)?.position;
  }
  return texts;
}

const partsOf = (split: string): readonly string[] => split.split(/(?<=^partition-\d+)-/);

describe.skipIf(javaMissing() !== undefined)(
  'a topic of Apache Kafka that is created again under its reader',
  () => {
    beforeAll(async () => {
      server = await startKafka({ keys: { AKIDUNUSED: 'secret' } });
    }, 240_000);

    afterAll(() => server.stop());

    it(
      'has splits of its own, whose names end in the id that Kafka gave the topic',
      () =>
        within(2, async ({ reader, recreate, told }) => {
          const before = await reader.splits();
          expect(await reader.splits()).toEqual(before);
          expect(told).toEqual([]);
          await recreate(2);
          const after = await reader.splits();
          for (const splits of [before, after]) {
            expect(splits.map(({ id }) => partsOf(id)[0])).toEqual(['partition-0', 'partition-1']);
            expect(new Set(splits.map(({ id }) => partsOf(id)[1])).size).toBe(1);
            expect(partsOf(splits[0]?.id ?? '')[1]).toMatch(/^[\w-]{22}$/);
          }
          expect(before.some(({ id }) => after.some((split) => split.id === id))).toBe(false);
          expect(told).toEqual(['topic-replaced']);
          expect([...before, ...after].map(({ formerly }) => formerly)).toEqual([
            'partition-0',
            'partition-1',
            undefined,
            undefined,
          ]);
        }),
      60_000,
    );

    for (const [name, count] of [
      ['nothing', 0],
      ['fewer records than were read', 3],
      ['more records than were read', 30],
    ] as const) {
      it(
        `with ${name} in it: the split before is gone, and no record of the new one is read under its name`,
        () =>
          within(1, async ({ reader, write, recreate }) => {
            await write(named('old', 10));
            const [{ id } = { id: '' }] = await reader.splits();
            const { records } = await readNow(reader, id, undefined, bounds);
            expect(records).toHaveLength(10);
            const position = records.at(-1)?.position;
            await recreate(1);
            await write(named('new', count));
            await expect(reader.read(id, position, bounds)).rejects.toMatchObject({
              code: 'split-gone',
              retryable: false,
            });
            await expect(reader.latest(id)).rejects.toMatchObject({ code: 'split-gone' });
            await expect(reader.lag(id, position)).rejects.toMatchObject({ code: 'split-gone' });
            const all = await readAll(reader);
            expect([...all.keys()]).not.toContain(id);
            expect([...all.values()].flat().map(({ text }) => text)).toEqual(named('new', count));
          }),
        60_000,
      );
    }

    it(
      'with fewer partitions: each of those before is gone, and says so',
      () =>
        within(4, async ({ reader, write, recreate }) => {
          await write(named('old', 40));
          const before = await readAll(reader);
          await recreate(1);
          await write(named('new', 40));
          for (const [id, records] of before)
            await expect(reader.read(id, records.at(-1)?.position, bounds)).rejects.toMatchObject({
              code: 'split-gone',
            });
          expect([...(await readAll(reader)).values()].flat()).toHaveLength(40);
        }),
      60_000,
    );

    it(
      'is read by a source from its first record, and what is gone holds nothing',
      () =>
        within(4, async ({ reader, write, recreate }) => {
          const schedule = await scheduled(reader);
          await write(named('old', 40));
          await taken(schedule, (texts) => texts.length === 40);
          const old = new Set(schedule.cursors.map(({ split }) => split));
          await recreate(2);
          await write(named('new', 100));
          const texts = await taken(schedule, (found) => found.length === 100);
          expect([...texts].sort()).toEqual([...named('new', 100)].sort());
          await taken(schedule, () =>
            schedule.cursors.every(({ split, phase }) => !old.has(split) || phase === 'done'),
          );
          expect(
            schedule.cursors.filter(({ phase }) => phase === 'begun').map(({ failure }) => failure),
          ).toEqual([undefined, undefined]);
          await schedule.drain();
          await taken(schedule, () => schedule.drained());
          schedule.stop();
        }),
      90_000,
    );

    it(
      'ends a drain that is asked for before the source knows',
      () =>
        within(3, async ({ reader, write, recreate }) => {
          const schedule = await scheduled(reader);
          await write(named('old', 30));
          await taken(schedule, (texts) => texts.length === 30);
          await recreate(1);
          await write(named('new', 10));
          await schedule.drain();
          await taken(schedule, () => schedule.drained());
          schedule.stop();
        }),
      60_000,
    );

    it(
      'goes on where a checkpoint of an earlier version left its partitions, which had no id',
      () =>
        within(1, async ({ reader, write }) => {
          await write(named('e', 10));
          const schedule = await scheduled(reader, (split) =>
            split === 'partition-0' ? '6' : undefined,
          );
          expect(await taken(schedule, (texts) => texts.length >= 3)).toEqual([
            'e-7',
            'e-8',
            'e-9',
          ]);
          schedule.stop();
        }),
      60_000,
    );

    it(
      'again and again while it is read: no split has records of two topics, and the last topic is read whole',
      () =>
        within(3, async ({ reader, write, recreate }) => {
          const bySplit = new Map<string, Set<string>>();
          const last = new Set<string>();
          const schedule = await scheduled(reader);
          let stop = false;
          const reading = (async () => {
            while (!stop) {
              schedule.changes();
              const turn = await schedule.next(50);
              if (turn === undefined) continue;
              turn.cursor.position = turn.records.at(-1)?.position;
              for (const { value } of turn.records) {
                const [topic = '', text = ''] = Buffer.from(value).toString().split(' ');
                bySplit.set(
                  turn.cursor.split,
                  (bySplit.get(turn.cursor.split) ?? new Set()).add(topic),
                );
                if (topic === 'topic-4') last.add(text);
              }
            }
          })();
          for (let nth = 0; nth < 5; nth++) {
            if (nth > 0) await recreate(1 + (nth % 3));
            for (let part = 0; part < 10; part++) await write(named(`topic-${nth} ${part}`, 20));
            // Those of the first two are read before they are gone; the others may be or not.
            while (nth < 2 && ![...bySplit.values()].some((names) => names.has(`topic-${nth}`)))
              await sleep(20);
          }
          const deadline = systemClock.monotonic() + 60_000;
          while (last.size < 200 && systemClock.monotonic() < deadline) await sleep(50);
          stop = true;
          await reading;
          schedule.stop();
          expect(last.size).toBe(200);
          for (const [split, names] of bySplit)
            expect([split, [...names]]).toEqual([split, [[...names][0]]]);
        }),
      120_000,
    );
  },
);
