/**
 * The faults between the ingress and the ends, under load, on real servers.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Cloud } from '../../servers/cloud.ts';
import { otherCredentials } from '../../servers/cloud.ts';
import { pass, slowDown } from '../../servers/fault-proxy.ts';
import { testCredentials } from '../../servers/kinesis.ts';
import type { Sent } from '../clients.ts';
import type { Checks, Scenario } from '../run-scenarios.ts';
import type { EndingCredentials, Rig } from './rig.ts';
import { endingCredentials, onCloud } from './rig.ts';
import type { StreamsTally } from './verdict.ts';
import { conserved, streamsTally } from './verdict.ts';

interface Done {
  readonly sent: Sent;
  readonly checks?: Checks;
}

let runs = 0;

async function judged(
  cloud: Cloud,
  env: Readonly<Record<string, string>>,
  during: (rig: Rig) => Promise<Done>,
): ReturnType<Scenario<StreamsTally>['run']> {
  const { value, landed } = await onCloud(cloud, { name: `drill-${runs++}`, env }, during);
  const { sent, checks = [] } = value;
  const tally = streamsTally(sent, landed);
  return { tally, checks: [...conserved(tally), ...checks] };
}

/** The load for `seconds`, and beside it what happens to the servers. */
async function under(rig: Rig, seconds: number, happens: () => Promise<void>): Promise<Sent> {
  const [sent] = await Promise.all([rig.load(seconds * 1_000), happens()]);
  return sent;
}

const happened = async ({ enrich }: Rig, name: string): Promise<number> => (await enrich.status())?.topologies[0]?.happened[name] ?? 0;

async function ingestHappened({ ingest }: Rig, name: string): Promise<number> {
  return Number(new RegExp(`connection_events_total\\{[^}]*"${name}"[^}]*\\} (\\d+)`).exec(await ingest.metrics())?.[1] ?? 0);
}

const shardsOf = async ({ enrich }: Rig): Promise<readonly string[]> =>
  ((await enrich.status())?.topologies[0]?.job?.splits ?? []).filter(({ path }) => path === 'kinesis').map(({ split }) => split);

/** Runs with credentials that end after `lifeMs` and are given out anew before. */
async function withCredentials(
  cloud: Cloud,
  lifeMs: number,
  chosen: () => Parameters<EndingCredentials['give']>[0],
  during: (rig: Rig) => Promise<Done>,
): ReturnType<typeof judged> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-credentials-'));
  const credentials = endingCredentials(dir);
  const give = (): void => credentials.give(chosen(), lifeMs);
  give();
  const renewing = setInterval(give, lifeMs / 3);
  try {
    return await judged(cloud, credentials.env, during);
  } finally {
    clearInterval(renewing);
    rmSync(dir, { recursive: true, force: true });
  }
}

export function scenariosOn(cloudOf: () => Promise<Cloud>): readonly Scenario<StreamsTally>[] {
  const scenario = (name: string, what: string, during: (rig: Rig, scale: number) => Promise<Done>): Scenario<StreamsTally> => ({
    name,
    what,
    run: async (scale) => judged(await cloudOf(), {}, (rig) => during(rig, scale)),
  });
  return [
    scenario('broker-killed', 'the Kafka broker is killed with SIGKILL and started again', async (rig, scale) => ({
      sent: await under(rig, 20 * scale, async () => {
        await wait(5_000 * scale);
        await rig.cloud.kafka.kill();
        await wait(3_000 * scale);
        await rig.cloud.kafka.restart();
      }),
    })),
    scenario('puts-refused', 'every PutRecords is partly refused for 30 s', async (rig, scale) => {
      const { kinesisProxy } = rig.cloud;
      const before = kinesisProxy.happened;
      const sent = await under(rig, 40 * scale, async () => {
        await wait(5_000 * scale);
        kinesisProxy.decide = () => ({ kind: 'refuse-records', every: 2 });
        await wait(30_000 * scale);
        kinesisProxy.decide = () => pass;
      });
      const refused = kinesisProxy.happened - before;
      return { sent, checks: [[`records were refused (${refused})`, refused > 0]] };
    }),
    scenario('resharding', 'a shard is split and two are merged in mid-stream', async (rig, scale) => {
      const before = await shardsOf(rig);
      const sent = await under(rig, 24 * scale, async () => {
        await wait(4_000 * scale);
        await rig.cloud.kinesis.splitShard(rig.stream);
        await wait(8_000 * scale);
        await rig.cloud.kinesis.mergeShards(rig.stream);
        // Those of the next are found within the time between two looks.
        for (const deadline = performance.now() + 60_000; performance.now() < deadline; await wait(200)) {
          if ((await shardsOf(rig)).some((id) => !before.includes(id))) return;
        }
      });
      const after = await shardsOf(rig);
      const others = after.filter((id) => !before.includes(id));
      return { sent, checks: [[`other shards are read than before (${others.join(', ')})`, others.length > 0]] };
    }),
    {
      name: 'tokens-expire',
      what: 'credentials and tokens live for 15 s, sessions of Kafka end after 4 s, and all are renewed',
      run: async (scale) =>
        withCredentials(
          await cloudOf(),
          15_000,
          () => testCredentials,
          async (rig) => {
            const sent = await rig.load(Math.max(40_000 * scale, 16_000));
            const signed = [await happened(rig, 'kafka-token-signed'), await ingestHappened(rig, 'kafka-token-signed')];
            return { sent, checks: [[`tokens were signed anew (${signed.join(' and ')})`, signed.every((count) => count > 1)]] };
          },
        ),
    },
    {
      name: 'credentials-changed',
      what: 'the credentials become those of another principal',
      run: async (scale) => {
        let other = false;
        return withCredentials(
          await cloudOf(),
          15_000,
          () => (other ? otherCredentials : testCredentials),
          async (rig) => {
            const sent = await under(rig, Math.max(40 * scale, 18), async () => {
              await wait(3_000);
              other = true;
            });
            const changed = [await happened(rig, 'kafka-principal-changed'), await ingestHappened(rig, 'kafka-principal-changed')];
            return { sent, checks: [[`connections were made for it (${changed.join(' and ')})`, changed.every((count) => count === 1)]] };
          },
        );
      },
    },
    scenario('neo4j-killed', 'Neo4j is killed with SIGKILL and started again', async (rig, scale) => ({
      sent: await under(rig, 24 * scale, async () => {
        await wait(5_000 * scale);
        await rig.cloud.neo4j.kill();
        await wait(4_000 * scale);
        await rig.cloud.neo4j.restart();
      }),
    })),
    scenario('neo4j-deadlocks', 'others write to the same nodes of the graph, in the other order', async (rig, scale) => {
      let deadlocks = 0;
      const sent = await under(rig, 20 * scale, async () => {
        await wait(2_000 * scale);
        deadlocks = await rig.cloud.neo4j.disturb('User', 'id', 16_000 * scale);
      });
      // In the short form luck may spare both.
      return { sent, checks: scale < 1 ? [] : [[`others met deadlocks (${deadlocks})`, deadlocks > 0]] };
    }),
    scenario('neo4j-locked', 'somebody locks every user of the graph', async (rig, scale) => {
      const job = async () => (await rig.enrich.status())?.topologies[0]?.job;
      let [checkpoints, isLate] = [0, false];
      // As long as it takes to be late, also in the short form.
      const lockedMs = Math.max(45_000 * scale, 12_000);
      const sent = await under(rig, lockedMs / 1_000 + 8 * scale, async () => {
        await wait(Math.max(4_000 * scale, 2_000));
        const free = await rig.cloud.neo4j.lock('MATCH (u:User) SET u.locked = true');
        const before = (await job())?.checkpoint?.id ?? 0;
        await wait(lockedMs);
        checkpoints = ((await job())?.checkpoint?.id ?? 0) - before;
        isLate = (await job())?.nodes.some(({ lateSince }) => lateSince !== undefined) ?? false;
        await free();
      });
      return {
        sent,
        checks: [
          [`the tables were published meanwhile (${checkpoints} checkpoints)`, checkpoints >= 3],
          ['the status named the graph as late', isLate],
        ],
      };
    }),
    scenario('s3-slow-and-failing', 'S3 and Firehose take 300 ms, and one call in five fails, done or not', async (rig, scale) => {
      const { awsProxy } = rig.cloud;
      let failed = 0;
      const sent = await under(rig, 24 * scale, async () => {
        await wait(3_000 * scale);
        const faults = [{ kind: 'reset' }, { kind: 'lost-reply' }, slowDown] as const;
        awsProxy.decide = (_asked, nth) => {
          if (nth % 5 !== 4) return { kind: 'late', ms: 300 };
          return faults[failed++ % faults.length] ?? pass;
        };
        await wait(18_000 * scale);
        awsProxy.decide = () => pass;
      });
      return { sent, checks: [[`calls failed (${failed})`, failed > 0]] };
    }),
    scenario('s3-asks-to-slow-down', 'S3 answers every call with 503 SlowDown for 30 s', async (rig, scale) => {
      const { awsProxy } = rig.cloud;
      const attempt = async (): Promise<number | undefined> => (await rig.enrich.status())?.topologies[0]?.job?.attempt;
      const before = await attempt();
      const sent = await under(rig, 40 * scale, async () => {
        await wait(5_000 * scale);
        awsProxy.decide = ({ operation }) => (operation === '' ? slowDown : pass);
        await wait(30_000 * scale);
        awsProxy.decide = () => pass;
      });
      const after = await attempt();
      return { sent, checks: [[`the topology did not begin again (${before}, then ${after})`, before !== undefined && before === after]] };
    }),
    scenario('enrich-killed', 'the enrich process is killed with SIGKILL at ten random points', async (rig, scale) => {
      const random = seededRandom(Number(process.env['DRILL_SEED'] ?? process.pid));
      const kills = scale < 1 ? 2 : 10;
      const sent = await under(rig, 40 * scale, async () => {
        for (let kill = 0; kill < kills; kill++) {
          await wait(500 + random.next() * 3_000);
          await rig.enrich.end('SIGKILL');
          await rig.enrich.start();
        }
      });
      return { sent };
    }),
  ];
}
