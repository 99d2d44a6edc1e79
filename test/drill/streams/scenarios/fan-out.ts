/**
 * Enhanced fan-out, against the loopback server of our own (test/servers/kinesis-loopback.ts): no
 * stand-in has it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { KinesisLoopback } from '../../../servers/kinesis-loopback.ts';
import { startKinesisLoopback } from '../../../servers/kinesis-loopback.ts';
import type { Scenarios } from './judged.ts';
import { judged, restartsOf, under } from './judged.ts';

const shards = ['shardId-000000000000', 'shardId-000000000001'] as const;
/** Kinesis sends an event whenever there is something, and now and then one without records. */
const sendEveryMs = 100;
const ends = ['end', 'cut', 'fail'] as const;
/** Of enrich, which is killed once. */
const starts = 2;

const called = ({ calls }: KinesisLoopback, operation: string): number =>
  calls.filter((call) => call.operation === operation).length;

/** Ends the subscription that is open longest, in one way after the other. */
function endOne({ subscriptions }: KinesisLoopback, nth: number): void {
  const [open] = subscriptions;
  const how = ends[nth % ends.length];
  if (how === 'fail') open?.fail('InternalFailureException', 'of a moment');
  else if (how !== undefined) open?.[how]();
}

export const fanOutScenarios: Scenarios = (cloudOf) => [
  {
    name: 'fan-out',
    what: 'shards are read by enhanced fan-out (a loopback server of our own); subscriptions end, are cut, fail and are refused, and enrich is killed',
    run: async (scale) => {
      const loopback = await startKinesisLoopback(shards);
      loopback.keeps = (stream) => stream.startsWith('drill-');
      const sending = setInterval(() => {
        for (const open of loopback.subscriptions) open.send();
      }, sendEveryMs);
      try {
        const own = { env: { KINESIS_ENDPOINT: loopback.endpoint }, kinesis: 'fan_out: true' };
        return await judged(await cloudOf(), own, async (rig) => {
          const restarts = await restartsOf(rig);
          let refused = 0;
          const sent = await under(rig, 30 * scale, async () => {
            for (let nth = 0; nth < 6; nth++) {
              await wait(2_000 * scale);
              endOne(loopback, nth);
            }
            loopback.refuse = ({ operation }) => {
              if (operation !== 'SubscribeToShard' || refused >= 4) return undefined;
              refused++;
              return { type: 'LimitExceededException', message: 'Rate exceeded' };
            };
            endOne(loopback, 0);
            await wait(6_000 * scale);
            const after = await restartsOf(rig);
            if (after !== restarts)
              throw new Error(`the topology was started again ${after} times`);
            await rig.enrich.end('SIGKILL');
            await rig.enrich.start();
          });
          const subscribed = called(loopback, 'SubscribeToShard');
          const reads = called(loopback, 'GetRecords');
          return {
            sent,
            checks: [
              [
                `shards were subscribed to again (${subscribed} times)`,
                // In a tenth of the time a shard is not subscribed to twice again.
                subscribed - refused > (scale < 1 ? 1 : 2) * shards.length,
              ],
              [`subscriptions were refused (${refused})`, refused > 0],
              [
                `one consumer was registered (${[...loopback.consumers.keys()].join(', ')})`,
                loopback.consumers.size === 1 && loopback.consumers.has('sluice-drill'),
              ],
              // Each start looks which record of a shard is the oldest.
              [
                `of the reads that all readers of a shard share only a few were taken (${reads})`,
                reads <= 2 * starts * shards.length,
              ],
            ],
          };
        });
      } finally {
        clearInterval(sending);
        await loopback.close();
      }
    },
  },
];
