/**
 * What happens to Neo4j, S3 and Firehose.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { hoseThrottled, pass, slowDown } from '../../../servers/fault-proxy.ts';
import { together } from '../../clients.ts';
import type { Rig } from '../rig.ts';
import { nothingTwice } from '../verdict.ts';
import type { Scenarios } from './judged.ts';
import { judged, readOf, restartsOf, scenarioOn, under, until } from './judged.ts';

export const sinkScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
    scenario(
      'neo4j-killed',
      'Neo4j is killed with SIGKILL and started again',
      async (rig, scale) => ({
        sent: await under(rig, 24 * scale, async () => {
          await wait(5_000 * scale);
          await rig.cloud.neo4j.kill();
          await wait(4_000 * scale);
          await rig.cloud.neo4j.restart();
        }),
      }),
    ),
    scenario(
      'neo4j-deadlocks',
      'others write to the same nodes of the graph, in the other order',
      async (rig, scale) => {
        let deadlocks = 0;
        const sent = await under(rig, 20 * scale, async () => {
          await wait(2_000 * scale);
          deadlocks = await rig.cloud.neo4j.disturb('User', 'id', 16_000 * scale);
        });
        // In the short form luck may spare both.
        return {
          sent,
          checks: scale < 1 ? [] : [[`others met deadlocks (${deadlocks})`, deadlocks > 0]],
        };
      },
    ),
    scenario(
      's3-slow-and-failing',
      'S3 and Firehose take 300 ms, and one call in five fails, done or not',
      async (rig, scale) => {
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
          await until(async () => failed > 0);
          awsProxy.decide = () => pass;
        });
        return { sent, checks: [[`calls failed (${failed})`, failed > 0]] };
      },
    ),
    scenario(
      's3-asks-to-slow-down',
      'S3 answers every call with 503 SlowDown for 30 s',
      async (rig, scale) => {
        const { awsProxy } = rig.cloud;
        const attempt = async (): Promise<number | undefined> =>
          (await rig.enrich.status())?.topologies[0]?.job?.attempt;
        const before = await attempt();
        const sent = await under(rig, 40 * scale, async () => {
          await wait(5_000 * scale);
          awsProxy.decide = ({ operation }) => (operation === '' ? slowDown : pass);
          await wait(30_000 * scale);
          awsProxy.decide = () => pass;
        });
        const after = await attempt();
        return {
          sent,
          checks: [
            [
              `the topology did not begin again (${before}, then ${after})`,
              before !== undefined && before === after,
            ],
          ],
        };
      },
    ),
    scenario(
      'firehose-throttled',
      'Firehose refuses four calls of five as too many, for a while',
      async (rig, scale) => {
        const { awsProxy } = rig.cloud;
        const [restarts, before] = [await restartsOf(rig), awsProxy.happened];
        const sent = await under(rig, 24 * scale, async () => {
          await wait(3_000 * scale);
          awsProxy.decide = ({ operation }, nth) =>
            operation === 'PutRecordBatch' && nth % 5 !== 4 ? hoseThrottled : pass;
          await wait(Math.max(18_000 * scale, 4_000));
          await until(async () => awsProxy.happened > before);
          awsProxy.decide = () => pass;
        });
        const refused = awsProxy.happened - before;
        return {
          sent,
          checks: [
            [`calls were refused (${refused})`, refused > 0],
            ['the topology was not started again', (await restartsOf(rig)) === restarts],
          ],
        };
      },
    ),
    scenario('neo4j-locked', 'somebody locks every user of the graph', async (rig, scale) => {
      const job = async () => (await rig.enrich.status())?.topologies[0]?.job;
      let [checkpoints, isLate] = [0, false];
      // As long as it takes to be late, also in the short form.
      const lockedMs = Math.max(45_000 * scale, 12_000);
      const sent = await under(rig, lockedMs / 1_000 + 8 * scale, async () => {
        await wait(Math.max(4_000 * scale, 2_000));
        // What is not there cannot be locked.
        await until(
          async () =>
            Number((await rig.cloud.neo4j.ask('MATCH (u:User) RETURN count(u)'))[0]?.[0]) > 0,
        );
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
          [`the tables were published meanwhile (${checkpoints} checkpoints)`, checkpoints >= 2],
          ['the status named the graph as late', isLate],
        ],
      };
    }),
    {
      name: 'checkpoints-gone',
      what: 'enrich is started again without its checkpoints: rows come again, beside those that are there',
      run: async (scale) => {
        const { tally, checks } = await judged(await cloudOf(), {}, async (rig) => {
          const before = await rig.load(10_000 * scale);
          await until(
            async () => (await readOf(rig)) >= before.sent && (await publishedOf(rig)) > 0,
          );
          await rig.enrich.end('SIGTERM');
          await rig.cloud.remove(rig.stream, 'checkpoints/');
          await rig.enrich.start();
          const after = await rig.load(5_000 * scale, { numberOf: (k) => k + 1_010_000 });
          return { sent: together(before, after), checks: [] };
        });
        // Twice is what is meant: nothing says any more that the first rows are there.
        const others = checks.filter(([check]) => check !== nothingTwice);
        return {
          tally: { ...tally, duplicated: 0 },
          checks: [...others, [`rows came again (${tally.duplicated})`, tally.duplicated > 0]],
        };
      },
    },
  ];
};

/** Files of the table that have rows, and that readers see. */
async function publishedOf({ cloud, stream }: Rig): Promise<number> {
  let files = 0;
  for await (const key of cloud.keys(stream, 'lake/events/'))
    if (key.endsWith('.parquet') && !key.endsWith('/columns~.parquet')) files++;
  return files;
}
