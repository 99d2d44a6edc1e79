/**
 * What happens to Kinesis.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { pass, throttled } from '../../../servers/fault-proxy.ts';
import type { Rig } from '../rig.ts';
import type { Scenarios } from './judged.ts';
import { restartsOf, scenarioOn, under } from './judged.ts';

const shardsOf = async ({ enrich }: Rig): Promise<readonly string[]> =>
  ((await enrich.status())?.topologies[0]?.job?.splits ?? [])
    .filter(({ path }) => path === 'kinesis')
    .map(({ split }) => split);

export const kinesisScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
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
    scenario(
      'resharding',
      'a shard is split and two are merged in mid-stream',
      async (rig, scale) => {
        const before = await shardsOf(rig);
        const sent = await under(rig, 24 * scale, async () => {
          await wait(4_000 * scale);
          await rig.cloud.kinesis.splitShard(rig.stream);
          await wait(8_000 * scale);
          await rig.cloud.kinesis.mergeShards(rig.stream);
          // Those of the next are found within the time between two looks.
          for (
            const deadline = performance.now() + 60_000;
            performance.now() < deadline;
            await wait(200)
          ) {
            if ((await shardsOf(rig)).some((id) => !before.includes(id))) return;
          }
        });
        const after = await shardsOf(rig);
        const others = after.filter((id) => !before.includes(id));
        return {
          sent,
          checks: [[`other shards are read than before (${others.join(', ')})`, others.length > 0]],
        };
      },
    ),
    scenario(
      'reads-throttled',
      'two of three GetRecords are throttled for a while',
      async (rig, scale) => {
        const { kinesisProxy } = rig.cloud;
        const restarts = await restartsOf(rig);
        let throttledCalls = 0;
        const sent = await under(rig, 24 * scale, async () => {
          await wait(3_000 * scale);
          kinesisProxy.decide = ({ operation }) =>
            operation === 'GetRecords' && throttledCalls++ % 3 !== 2 ? throttled : pass;
          await wait(Math.max(18_000 * scale, 4_000));
          kinesisProxy.decide = () => pass;
        });
        return {
          sent,
          checks: [
            [`reads were throttled (${throttledCalls})`, throttledCalls > 0],
            ['the topology was not started again', (await restartsOf(rig)) === restarts],
          ],
        };
      },
    ),
    scenario(
      'kinesis-down',
      'Kinesis is not reached for a while, events wait in spools, and ingest is killed meanwhile',
      async (rig, scale) => {
        const { cloud, ingest } = rig;
        const sent = await under(rig, 30 * scale, async () => {
          await wait(3_000 * scale);
          cloud.kinesisProxy.decide = () => ({ kind: 'reset' });
          await wait(10_000 * scale);
          await ingest.end('SIGKILL');
          // It looks at its streams when it starts.
          cloud.kinesisProxy.decide = ({ operation }) =>
            operation === 'PutRecords' ? { kind: 'reset' } : pass;
          await ingest.start();
          await wait(10_000 * scale);
          cloud.kinesisProxy.decide = () => pass;
        });
        const spooled = [...sent.acknowledged.values()].filter((ack) => ack === 'spooled').length;
        return { sent, checks: [[`events were spooled (${spooled})`, spooled > 0]] };
      },
      { stream: 'when_down: spool' },
    ),
  ];
};
