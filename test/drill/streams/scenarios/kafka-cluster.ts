/**
 * What happens to the brokers of Kafka: they are gone, refuse for good, fail one request of two,
 * are fewer than a topic wants, are rolled.
 */
import { Agent } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { createKafkaReader } from '../../../../deploy/streams/kafka/kafka-reader.ts';
import { readAll } from '../../../contract/record-stream.ts';
import type { Cloud } from '../../../servers/cloud.ts';
import { startHangingUp } from '../../../servers/hanging-up.ts';
import type { ProduceFault } from '../../../servers/kafka-proxy.ts';
import { post, together } from '../../clients.ts';
import { largeBodyOf, smallestLargeBodyOf, wideBodyOf } from '../events.ts';
import type { Rig } from '../rig.ts';
import type { Own, Scenarios } from './judged.ts';
import { ingestHappened, scenarioOn, under } from './judged.ts';

/** With bodies that are large by this threshold, all events go by Kafka. */
const byKafka: Own = { routing: 'large_message_threshold_kb: 1' };
const large = { bodyOf: largeBodyOf };
/** An answer that says what the brokers lack comes within that. */
const answerMaxMs = 15_000;
const [notLeader, fewReplicas, fewReplicasAfter] = [6, 19, 20];
const produceFaults: readonly ProduceFault[] = [
  { kind: 'error', code: fewReplicas },
  { kind: 'lost-reply' },
  { kind: 'error', code: notLeader },
  { kind: 'reset' },
  { kind: 'error', code: fewReplicasAfter },
];
const passes: ProduceFault = { kind: 'pass' };
/** Clients that wait for one batch of events before they send the next, each with a key. */
const lanes = 4;

/**
 * What a process may try a broker that is gone for so long: at once, after 1/8, 1/4, 1/2, 1, 2 s,
 * and then every 3 s at the most.
 */
const triesMax = (forMs: number): number => 7 + Math.ceil(Math.max(0, forMs - 6_500) / 3_000);

export const kafkaClusterScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  let replicated: Promise<Cloud> | undefined;
  const onThree = scenarioOn(
    () => (replicated ??= cloudOf().then((cloud) => cloud.withBrokers(3))),
  );
  return [
    scenario(
      'produces-fail',
      'every other write to Kafka fails, in one way after the other; each key wants its order',
      async (rig, scale) => {
        const { kafka, kafkaProxy } = rig.cloud;
        // The events of one request go in several.
        await kafka.configure(rig.stream, 'max.message.bytes', '50000');
        kafkaProxy.decide = (nth) =>
          nth % 2 === 0 ? (produceFaults[(nth / 2) % produceFaults.length] ?? passes) : passes;
        const loads = Array.from({ length: lanes }, (_, lane) =>
          rig.load(20_000 * scale, {
            clients: 1,
            batch: 6,
            batchKey: `lane-${lane}`,
            bodyOf: wideBodyOf,
            eventsPerSecond: 25,
            numberOf: (k) => k + lane * 1_010_000,
          }),
        );
        const sent = together(...(await Promise.all(loads)));
        const { produced } = kafkaProxy;
        kafkaProxy.decide = () => passes;
        const outOfOrder = await outOfOrderIn(rig);
        return {
          sent,
          checks: [
            [`writes failed (${Math.ceil(produced / 2)} of ${produced})`, produced > lanes],
            [`the events of each key are in order (${outOfOrder} are not)`, outOfOrder === 0],
          ],
        };
      },
      {
        ...byKafka,
        stream: 'order: key',
        kafka: 'brokers: "${KAFKA_PLAIN_BROKERS}"',
      },
    ),
    scenario(
      'broker-gone',
      'the Kafka broker is killed, and whoever connects in its place is hung up on for a while',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        const goneMs = Math.max(20_000 * scale, 4_000);
        let connections = 0;
        const sent = await under(rig, goneMs / 1_000 + 8 * scale, async () => {
          await wait(3_000 * scale);
          await kafka.kill();
          const inItsPlace = await startHangingUp(Number(kafka.iam.split(':')[1]));
          await wait(goneMs);
          ({ connections } = inItsPlace);
          await inItsPlace.close();
          await kafka.restart();
        });
        const most = 2 * triesMax(goneMs);
        return {
          sent,
          checks: [
            [
              `two processes connected ${connections} times, and at most ${most}`,
              connections > 0 && connections <= most,
            ],
          ],
        };
      },
    ),
    scenario(
      'writing-denied',
      'the credentials may not write to the topic for a while',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        const sent = await under(
          rig,
          20 * scale,
          async () => {
            await wait(4_000 * scale);
            await kafka.allowWriting(rig.stream, false);
            await wait(Math.max(10_000 * scale, 3_000));
            await kafka.allowWriting(rig.stream, true);
          },
          large,
        );
        const counted = await ingestHappened(rig, 'kafka-permanent-failure');
        const told = rig.ingest.log.split('writes fail until somebody acts').length - 1;
        return {
          sent,
          checks: [
            [`writes were refused for good (${counted})`, counted > 1],
            [`it was told once, with what to do (${told} times)`, told === 1],
          ],
        };
      },
      byKafka,
    ),
    onThree(
      'replicas-missing',
      'a topic that wants three replicas in sync has two for a while',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        await kafka.configure(rig.stream, 'min.insync.replicas', '3');
        let answers: readonly Answered[] = [];
        const sent = await under(
          rig,
          20 * scale,
          async () => {
            await wait(4_000 * scale);
            await kafka.end(2);
            answers = await asked(rig, scale < 1 ? 4 : 20);
            await kafka.restart(2);
            await kafka.inSync(rig.stream, 3);
          },
          large,
        );
        const slowestMs = Math.round(Math.max(...answers.map(({ tookMs }) => tookMs)));
        const others = answers.filter(
          ({ status, text }) => status !== 503 || !text.includes('fewer replicas in sync'),
        );
        return {
          sent,
          checks: [
            [
              `${answers.length} requests were answered 503 with the reason${others.length === 0 ? '' : `, but for ${JSON.stringify(others)}`}`,
              others.length === 0,
            ],
            [`each within ${answerMaxMs} ms (${slowestMs})`, slowestMs < answerMaxMs],
          ],
        };
      },
      byKafka,
    ),
    onThree(
      'brokers-rolled',
      'three brokers are stopped and started, one after the other',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        // The first is the controller as well.
        const brokers = scale < 1 ? [1] : [1, 2, 0];
        const sent = await under(
          rig,
          40 * scale,
          async () => {
            for (const broker of brokers) {
              await wait(2_000 * scale);
              await kafka.end(broker);
              await kafka.restart(broker);
              await kafka.inSync(rig.stream, 3);
            }
          },
          large,
        );
        return { sent };
      },
      byKafka,
    ),
  ];
};

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly tookMs: number;
}

/** Events beside the load, none of which is sent again. */
async function asked({ ingest }: Rig, times: number): Promise<readonly Answered[]> {
  const agent = new Agent({ keepAlive: true });
  const answers = Array.from({ length: times }, async (_, n): Promise<Answered> => {
    const begun = performance.now();
    const { status, text } = await post(
      `${ingest.url}/v1/d/events`,
      smallestLargeBodyOf(n),
      { 'x-event-id': `asked-${n}` },
      agent,
    );
    return { status, text, tookMs: performance.now() - begun };
  });
  const found = await Promise.all(answers);
  agent.destroy();
  return found;
}

/** Records of the topic that come before one of their key with a smaller number, repeats aside. */
async function outOfOrderIn({ cloud, stream }: Rig): Promise<number> {
  const connection = { brokers: [cloud.kafka.plain], tls: false, clientId: 'drill' };
  const reader = createKafkaReader({ connection, topic: stream });
  const last = new Map<string, number>();
  const seen = new Set<number>();
  let outOfOrder = 0;
  for (const records of (await readAll(reader)).values()) {
    for (const { key, text } of records) {
      const { n } = JSON.parse(text) as { readonly n: number };
      // Of those that are not valid nobody knows the number; of one that came again its first
      // counts.
      if (n < 0 || seen.has(n)) continue;
      seen.add(n);
      if (n < (last.get(key) ?? 0)) outOfOrder++;
      last.set(key, n);
    }
  }
  await reader.close();
  return outOfOrder;
}
