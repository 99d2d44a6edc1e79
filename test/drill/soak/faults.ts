/**
 * What happens to the servers and services during a soak, and when. Each fault has healed when it
 * resolves; nothing that they do loses what was acknowledged.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Random } from '../../../schemas/kernel/random.ts';
import type { FaultProxy } from '../../servers/fault-proxy.ts';
import { hoseThrottled, pass, slowDown, throttled } from '../../servers/fault-proxy.ts';
import type { ServiceProcess } from '../../tools/service-process.ts';
import type { Rig } from '../streams/rig.ts';

export interface SoakFault {
  readonly name: string;
  readonly what: string;
  happen(rig: Rig, random: Random): Promise<void>;
}

export interface PlannedFault {
  readonly atMs: number;
  readonly fault: SoakFault;
}

const secondMs = 1_000;
export const minuteMs = 60 * secondMs;

const between = (random: Random, fromMs: number, toMs: number): number =>
  fromMs + random.next() * (toMs - fromMs);

/** The proxy does as `decide` says, for a while. */
async function proxied(
  proxy: FaultProxy,
  forMs: number,
  decide: FaultProxy['decide'],
): Promise<void> {
  proxy.decide = decide;
  await wait(forMs);
  proxy.decide = () => pass;
}

async function restarted(service: ServiceProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await service.end(signal);
  await service.start();
}

export const soakFaults: readonly SoakFault[] = [
  {
    name: 'broker-killed',
    what: 'the Kafka broker is killed and started again',
    async happen({ cloud: { kafka } }, random) {
      await kafka.kill();
      await wait(between(random, 1 * secondMs, 8 * secondMs));
      await kafka.restart();
    },
  },
  {
    name: 'puts-refused',
    what: 'every second record of PutRecords is throttled',
    happen: ({ cloud: { kinesisProxy } }, random) =>
      proxied(kinesisProxy, between(random, 10 * secondMs, 25 * secondMs), () => ({
        kind: 'refuse-records',
        every: 2,
      })),
  },
  {
    name: 'kinesis-throttled',
    what: 'two of three calls to Kinesis are throttled',
    happen: ({ cloud: { kinesisProxy } }, random) =>
      proxied(kinesisProxy, between(random, 10 * secondMs, 25 * secondMs), (_asked, nth) =>
        nth % 3 === 0 ? pass : throttled,
      ),
  },
  {
    name: 'kinesis-unreliable',
    what: 'connections to Kinesis end before a call, after it, or in its answer',
    happen: ({ cloud: { kinesisProxy } }, random) => {
      const kinds = ['reset', 'lost-reply', 'half-reply'] as const;
      return proxied(kinesisProxy, between(random, 10 * secondMs, 25 * secondMs), (_asked, nth) => {
        return nth % 3 === 0
          ? pass
          : { kind: kinds[Math.floor(random.next() * kinds.length)] ?? 'reset' };
      });
    },
  },
  {
    name: 'kinesis-down',
    what: 'Kinesis is not reached at all',
    happen: ({ cloud: { kinesisProxy } }, random) =>
      proxied(kinesisProxy, between(random, 10 * secondMs, 25 * secondMs), () => ({
        kind: 'reset',
      })),
  },
  {
    name: 'shards-split-and-merged',
    what: 'a shard is split, and two are merged',
    async happen({ cloud: { kinesis }, stream }, random) {
      await kinesis.splitShard(stream);
      await wait(between(random, 5 * secondMs, 20 * secondMs));
      await kinesis.mergeShards(stream);
    },
  },
  {
    name: 'neo4j-killed',
    what: 'Neo4j is killed and started again',
    async happen({ cloud: { neo4j } }, random) {
      await neo4j.kill();
      await wait(between(random, 1 * secondMs, 8 * secondMs));
      await neo4j.restart();
    },
  },
  {
    name: 'neo4j-hangs',
    what: 'Neo4j answers nothing',
    async happen({ cloud: { neo4j } }, random) {
      neo4j.pause();
      await wait(between(random, 5 * secondMs, 20 * secondMs));
      neo4j.resume();
    },
  },
  {
    name: 'neo4j-locked',
    what: 'another transaction holds the lock of a node',
    async happen({ cloud: { neo4j } }, random) {
      const free = await neo4j.lock('MATCH (u:User) WITH u LIMIT 1 SET u.locked = true');
      await wait(between(random, 10 * secondMs, 25 * secondMs));
      await free();
    },
  },
  {
    name: 'neo4j-deadlocks',
    what: 'others write to the same nodes of the graph, in the other order',
    happen: async ({ cloud: { neo4j } }, random) =>
      void (await neo4j.disturb('User', 'id', between(random, 5 * secondMs, 15 * secondMs))),
  },
  {
    name: 's3-slow-and-failing',
    what: 'S3 and Firehose take 300 ms, and one call in five fails, done or not',
    happen: ({ cloud: { awsProxy } }, random) => {
      const faults = [{ kind: 'reset' }, { kind: 'lost-reply' }, slowDown] as const;
      return proxied(awsProxy, between(random, 10 * secondMs, 25 * secondMs), (_asked, nth) => {
        return nth % 5 === 4
          ? (faults[Math.floor(random.next() * faults.length)] ?? pass)
          : { kind: 'late', ms: 300 };
      });
    },
  },
  {
    name: 's3-slow-down',
    what: 'S3 and Firehose refuse nine calls of ten as too many',
    happen: ({ cloud: { awsProxy } }, random) =>
      proxied(awsProxy, between(random, 10 * secondMs, 25 * secondMs), (_asked, nth) =>
        nth % 10 === 9 ? pass : slowDown,
      ),
  },
  {
    name: 'firehose-throttled',
    what: 'Firehose refuses four calls of five as too many',
    happen: ({ cloud: { awsProxy } }, random) =>
      proxied(awsProxy, between(random, 10 * secondMs, 25 * secondMs), ({ operation }, nth) => {
        return operation === 'PutRecordBatch' && nth % 5 !== 4 ? hoseThrottled : pass;
      }),
  },
  {
    name: 'enrich-killed',
    what: 'the enrich process is killed and started again',
    happen: ({ enrich }) => restarted(enrich, 'SIGKILL'),
  },
  {
    name: 'enrich-stopped',
    what: 'the enrich process is stopped and started again',
    happen: ({ enrich }) => restarted(enrich, 'SIGTERM'),
  },
  {
    name: 'ingest-killed',
    what: 'the ingest process is killed and started again',
    happen: ({ ingest }) => restarted(ingest, 'SIGKILL'),
  },
  {
    name: 'ingest-stopped',
    what: 'the ingest process is stopped and started again',
    happen: ({ ingest }) => restarted(ingest, 'SIGTERM'),
  },
];

/**
 * One a minute, early in it, so that it heals in its own: all of them in a random order, then all
 * in another. The same `random` gives the same.
 */
export function planFaults(minutes: number, random: Random): readonly PlannedFault[] {
  const planned: PlannedFault[] = [];
  let deck: SoakFault[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    if (deck.length === 0) deck = [...soakFaults];
    const [fault] = deck.splice(Math.floor(random.next() * deck.length), 1);
    if (fault !== undefined)
      planned.push({
        fault,
        atMs: minute * minuteMs + between(random, 5 * secondMs, 20 * secondMs),
      });
  }
  return planned;
}
