/**
 * What happens to a server that look-ups ask.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { NodeStatus } from '../../../../topology/index.ts';
import type { AskedTarget } from '../../../../topology/operators/lookup/lookup-target.ts';
import { rowsOf } from '../../../tools/flights-checks.ts';
import { isValid, itemOf } from '../events.ts';
import type { Rig } from '../rig.ts';
import type { Scenarios } from './judged.ts';
import { judged, under, until } from './judged.ts';

const retryAfterMs = 5_000;
/** What is under way when it answers so may still come. */
const underWayMs = 1_000;

interface Prices {
  readonly url: string;
  /** While true, each call is answered 429 with `Retry-After`. */
  isBusy: boolean;
  /** When it was asked, and answered that it wants to be left alone. */
  readonly askedAtMs: number[];
  readonly refusedAtMs: number[];
  close(): Promise<void>;
}

/** A server of our own, which answers as RFC 9110 has it. */
async function startPrices(): Promise<Prices> {
  const server = createServer((req, res) => {
    prices.askedAtMs.push(performance.now());
    if (prices.isBusy) {
      prices.refusedAtMs.push(performance.now());
      res.writeHead(429, { 'retry-after': String(retryAfterMs / 1_000) }).end();
    } else {
      const item = decodeURIComponent(req.url?.slice(1) ?? '');
      res.end(JSON.stringify({ price: priceOf(item) }));
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const prices: Prices = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/{key}`,
    isBusy: false,
    askedAtMs: [],
    refusedAtMs: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return prices;
}

const priceOf = (item: string): number => 100 + Number(item.slice('item-'.length));

/** Calls that came while it had asked to be left alone. */
const intrusions = ({ askedAtMs, refusedAtMs }: Prices): number =>
  askedAtMs.filter((at) =>
    refusedAtMs.some((refused) => at > refused + underWayMs && at < refused + retryAfterMs),
  ).length;

/**
 * After those that were in flight at the first refusal, one call a pause: a pause leaves one token,
 * and its time gives none back. Timers of Node may fire a millisecond early.
 */
const isAskedOnceAPause = ({ refusedAtMs }: Prices): boolean => {
  const [first = 0] = refusedAtMs;
  const later = refusedAtMs.filter((at) => at > first + underWayMs);
  return later.every((at, n) => at - (later[n - 1] ?? first) >= retryAfterMs - 1);
};

const priceNode = async ({ enrich }: Rig): Promise<NodeStatus | undefined> =>
  (await enrich.status())?.topologies[0]?.job?.nodes.find(({ id }) => id === 'price');

export const lookupScenarios: Scenarios = (cloudOf) => [
  {
    name: 'look-up-busy',
    what: 'a server that look-ups ask answers 429, and says for how long it wants to be left alone',
    run: async (scale) => {
      const prices = await startPrices();
      const lookups = `prices: { url: "${prices.url}" }`;
      try {
        return await judged(await cloudOf(), { topology: 'look-ups', lookups }, async (rig) => {
          let isPaused = false;
          const sent = await under(rig, 40 * scale, async () => {
            await wait(5_000 * scale);
            prices.isBusy = true;
            isPaused = await until(
              async () => (await priceNode(rig))?.asked?.pausedUntil !== undefined,
              15_000,
            );
            await wait(17_000 * scale);
            prices.isBusy = false;
          });
          const valid = [...sent.acknowledged.keys()]
            .map((id) => Number(id.slice(1)))
            .filter(isValid);
          const asked = async (): Promise<Partial<AskedTarget>> =>
            (await priceNode(rig))?.asked ?? {};
          await until(async () => {
            const { calls = 0, failed = 0 } = await asked();
            return calls - failed >= valid.length;
          });
          const { calls = 0, failed = 0, p50Ms, p99Ms, maxMs } = await asked();
          const times = [p50Ms, p99Ms, maxMs];
          const refused = prices.refusedAtMs.length;
          return {
            sent,
            checks: [
              [`it was left alone for as long as it said`, intrusions(prices) === 0],
              ['and was asked once after each pause', isAskedOnceAPause(prices)],
              ['the status said until when', isPaused],
              // Without a cache each valid event is answered once, and each refusal is a try.
              [
                `each call was counted (${calls} of ${prices.askedAtMs.length}), and each refusal (${failed} of ${refused})`,
                calls === prices.askedAtMs.length && failed === refused && refused > 0,
              ],
              [
                `each event was answered once (${calls - failed} of ${valid.length})`,
                calls - failed === valid.length,
              ],
              [
                `the status said how long calls take (half, 99 in 100 and all within ${times.map((ms) => ms?.toFixed(1)).join(', ')} ms)`,
                times.every((ms, n) => typeof ms === 'number' && ms >= (times[n - 1] ?? 0)),
              ],
            ],
            after: async (lake) => {
              const priced = await rowsOf(lake, 'SELECT n, price FROM priced ORDER BY n');
              const due = valid.toSorted((a, b) => a - b).map((n) => [n, priceOf(itemOf(n))]);
              return [
                ['every event has its own price', JSON.stringify(priced) === JSON.stringify(due)],
              ];
            },
          };
        });
      } finally {
        await prices.close();
      }
    },
  },
];
