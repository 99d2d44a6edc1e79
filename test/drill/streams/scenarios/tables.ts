/**
 * Tables of every kind under load: what they cost, what their rows are called, and what readers
 * find in them.
 */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { foundRows, readers, readTables } from '../../../enrich/lake/four-readers.ts';
import { teams } from '../../../enrich/lake/team-values.ts';
import { deliveredRows } from '../../../servers/cloud.ts';
import type { Asked } from '../../../servers/fault-proxy.ts';
import { pass } from '../../../servers/fault-proxy.ts';
import { rowsOf } from '../../../tools/flights-checks.ts';
import type { Sent } from '../../clients.ts';
import { together } from '../../clients.ts';
import type { Checks } from '../../run-scenarios.ts';
import { bodyWith, isValid, itemOf } from '../events.ts';
import type { Rig } from '../rig.ts';
import type { Scenarios } from './judged.ts';
import { happened, readOf, restartsOf, scenarioOn, under, until } from './judged.ts';

/** Of a second load in the same scenario. */
const later = 1_010_000;
const numberOf = (id: string): number => Number(id.slice(1));
const validOf = ({ acknowledged }: Sent): readonly number[] =>
  [...acknowledged.keys()].map(numberOf).filter(isValid);
const plain = 'x'.repeat(800);

/**
 * An event's time: `everyMs` after that of the one before; a second load has those of the first.
 */
const timeOf = (n: number, startMs: number, everyMs: number): number =>
  startMs + everyMs * (n % later);
const timed = (startMs: number, everyMs: number) => (n: number) => ({
  'x-event-time': new Date(timeOf(n, startMs, everyMs)).toISOString(),
});

/** How many of `numbers` have each key. */
function counted(
  numbers: readonly number[],
  keyOf: (n: number) => string,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const n of numbers) counts.set(keyOf(n), (counts.get(keyOf(n)) ?? 0) + 1);
  return counts;
}

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((all, n) => all + n, 0);

/** Ten times as fast as the load, so that windows end while it goes on. */
const rowEveryMs = 100;
const rowWindowMs = 20_000;
const pairMs = 10_000;
const madeTables = ['parts', 'windows', 'pairs'] as const;

/** Rows of each table of topologies/rows.ts, and the sum of their numbers. */
function madeOf(
  numbers: readonly number[],
  startMs: number,
): Readonly<Record<(typeof madeTables)[number], { readonly rows: number; readonly sum: number }>> {
  const at = (n: number): number => timeOf(n, startMs, rowEveryMs);
  const windows = counted(numbers, (n) => `${itemOf(n)} ${Math.floor(at(n) / rowWindowMs)}`);
  let pairs = 0;
  for (const left of numbers)
    for (const right of numbers)
      if (at(right) >= at(left) && at(right) <= at(left) + pairMs && itemOf(left) === itemOf(right))
        pairs++;
  return {
    parts: { rows: 2 * numbers.length, sum: 2 * numbers.length },
    windows: { rows: windows.size, sum: numbers.length },
    pairs: { rows: pairs, sum: pairs },
  };
}

/** Kills enrich when Firehose has taken rows whose checkpoint is not complete. */
async function killAfterDelivery({ cloud: { awsProxy }, enrich }: Rig): Promise<void> {
  await new Promise<void>((resolve) => {
    awsProxy.decide = ({ operation }) => {
      if (operation !== 'PutRecordBatch') return pass;
      resolve();
      return { kind: 'lost-reply' };
    };
  });
  // Those of all its tables are under way by then.
  await wait(200);
  await enrich.end('SIGKILL');
  awsProxy.decide = () => pass;
  await enrich.start();
}

async function rowIdChecks({ cloud, stream }: Rig, sent: Sent, startMs: number): Promise<Checks> {
  const made = madeOf(validOf(sent), startMs);
  const checks: [string, boolean][] = [];
  let again = 0;
  for (const name of madeTables) {
    const rows = await deliveredRows(cloud, stream, `${name}/`);
    const byId = new Map(rows.map((row) => [String(row['row_id']), Number(row['n'])]));
    again += rows.length - byId.size;
    const total = sum(byId.values());
    checks.push([
      `${name}: ${byId.size} rows by row_id of ${made[name].rows}, their sum ${total} of ${made[name].sum}`,
      byId.size === made[name].rows && total === made[name].sum,
    ]);
  }
  return [...checks, [`rows were delivered again under their row_id (${again})`, again > 0]];
}

/** Calls to S3 for the rejected table while `during` goes on. */
async function callsOfRejected(
  { cloud: { awsProxy } }: Rig,
  during: () => Promise<void>,
): Promise<number> {
  let calls = 0;
  awsProxy.decide = ({ path }) => {
    if (path.includes('rejected')) calls++;
    return pass;
  };
  await during();
  awsProxy.decide = () => pass;
  return calls;
}

interface RejectedCost {
  readonly sent: Sent;
  readonly start: number;
  readonly checkpoint: number;
}

/**
 * A start reads its index, a call for each file. Files that follow each other differ in size by
 * more than a factor of two, and a checkpoint adds one of some 100 rows: of k files of whole
 * checkpoints the smallest possible sizes are 1, 3, 7, ... of these, so that the 29 checkpoints of
 * this row make at most 4, and what a load left for its last checkpoint one more. At the first
 * start there is one at least.
 */
const startCallsMore = 4;
const neverValid = (k: number): number => 101 * k + 100;

/** What a start and a checkpoint ask of S3 for the rejected table, in calls. */
async function rejectedCost(rig: Rig, from: number): Promise<RejectedCost> {
  await rig.enrich.end('SIGTERM');
  const start = await callsOfRejected(rig, () => rig.enrich.start());
  const checkpoint = async (): Promise<number> =>
    (await rig.enrich.status())?.topologies[0]?.job?.checkpoint?.id ?? 0;
  let sent: Sent | undefined;
  const before = await checkpoint();
  const calls = await callsOfRejected(rig, async () => {
    sent = await rig.load(8_000, {
      eventsPerSecond: 20,
      numberOf: (k) => neverValid(from + k),
      bodyOf: (n) => bodyWith(n, { pad: plain }),
    });
    await wait(2_000);
  });
  const checkpoints = (await checkpoint()) - before;
  if (sent === undefined || checkpoints < 1) throw new Error('no checkpoint came to be');
  return { sent, start, checkpoint: calls / checkpoints };
}

const isCompletion = ({ method, path }: Asked): boolean =>
  method === 'POST' && path.includes('uploadId=');
/** What does not compress; the same each time that it is sent. */
const noise = (n: number, chars: number): string =>
  createHash('shake256', { outputLength: Math.ceil((chars * 3) / 4) })
    .update(String(n))
    .digest('base64');

export const tableScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
    scenario(
      'rejected-grows',
      'nothing but invalid events: what a start and a checkpoint cost as the rejected table grows',
      async (rig) => {
        const first = await rig.load(2_000, {
          numberOf: neverValid,
          bodyOf: (n) => bodyWith(n, { pad: plain }),
        });
        const small = await rejectedCost(rig, 10_000);
        const more = await rig.load(25_000, {
          numberOf: (k) => neverValid(20_000 + k),
          bodyOf: (n) => bodyWith(n, { pad: 'x'.repeat(20_000) }),
        });
        await until(async () => (await readOf(rig)) >= more.sent);
        const large = await rejectedCost(rig, 40_000);
        const cost = (of: 'start' | 'checkpoint'): string =>
          `${small[of].toFixed(1)} calls, then ${large[of].toFixed(1)}`;
        return {
          sent: together(first, small.sent, more, large.sent),
          checks: [
            [
              `a start costs what it did: ${cost('start')}`,
              large.start <= small.start + startCallsMore,
            ],
            [
              `a checkpoint costs what it did: ${cost('checkpoint')}`,
              large.checkpoint <= 1.5 * small.checkpoint + 2,
            ],
          ],
        };
      },
    ),
    scenario(
      'row-ids',
      'rows of lists, windows and joins by Firehose, of runs that are killed behind their delivery',
      async (rig) => {
        const startMs = Date.now();
        const sent = await under(
          rig,
          40,
          async () => {
            for (let kill = 0; kill < 4; kill++) {
              await wait(4_000);
              await killAfterDelivery(rig);
            }
          },
          { headersOf: timed(startMs, rowEveryMs) },
        );
        return { sent, after: () => rowIdChecks(rig, sent, startMs) };
      },
      { topology: 'rows', delivered: madeTables },
    ),
    scenario(
      'partition-values',
      'folders named by null, by text that is no name of a folder, and by what readers guess at',
      async (rig) => {
        const teamOf = (n: number): string => teams[n % teams.length] ?? '';
        const sent = await rig.load(15_000, {
          bodyOf: (n) => bodyWith(n, { pad: plain, team: teamOf(n) }),
        });
        const expected = JSON.stringify(
          validOf(sent)
            .toSorted((a, b) => a - b)
            .map((n) => [n, teamOf(n)]),
        );
        return {
          sent,
          after: async (lake) => {
            const found = await readTables(lake, 'named');
            const own = await rowsOf(lake, 'SELECT n, team FROM named ORDER BY n');
            return [
              ['sluice query reads each row under its own team', JSON.stringify(own) === expected],
              ...readers.map((reader): Checks[number] => {
                const rows = foundRows(found, 'named', reader)
                  .map(({ n, team }) => [Number(n), team] as const)
                  .toSorted(([a], [b]) => a - b);
                return [`and so does ${reader}`, JSON.stringify(rows) === expected];
              }),
            ];
          },
        };
      },
      { topology: 'tables' },
    ),
    scenario(
      'partitions-many',
      'more folders have open rows than may be open',
      async (rig) => {
        const sent = await rig.load(20_000, {
          bodyOf: (n) => bodyWith(n, { pad: plain, team: `t${n % 1_300}` }),
        });
        await until(async () => (await readOf(rig)) >= sent.sent);
        const early = await happened(rig, 'partitions-published-early');
        return {
          sent,
          checks: [[`the oldest were published early (${early})`, early > 0]],
          after: async (lake) => {
            const [[rows, numbers] = []] = await rowsOf(
              lake,
              'SELECT count(*), count(DISTINCT n) FROM named',
            );
            const due = validOf(sent).length;
            return [
              [
                `each row is there once (${String(rows)} of ${due})`,
                Number(rows) === due && Number(numbers) === due,
              ],
            ];
          },
        };
      },
      { topology: 'tables', enrich: 'checkpoint_ms: 1000, parquet_file_age_ms: 600000' },
    ),
    scenario(
      'late-panes',
      'windows of a table by key fire again for events that come late, and enrich is killed between',
      async (rig) => {
        const [startMs, everyMs, windowMs] = [Date.now(), 10, 10_000];
        const headersOf = timed(startMs, everyMs);
        const first = await rig.load(15_000, { headersOf });
        await until(async () => (await readOf(rig)) >= first.sent);
        await rig.enrich.end('SIGKILL');
        await rig.enrich.start();
        const second = await rig.load(10_000, { headersOf, numberOf: (k) => later + k });
        const sent = together(first, second);
        const due = counted(
          validOf(sent),
          (n) => `${itemOf(n)} ${Math.floor(timeOf(n, startMs, everyMs) / windowMs) * windowMs}`,
        );
        return {
          sent,
          after: async (lake) => {
            const latest = new Map(
              (await rowsOf(lake, 'SELECT item, epoch_ms(start), events FROM counts_latest')).map(
                ([item, start, events]) => [`${String(item)} ${String(start)}`, Number(events)],
              ),
            );
            const [[rows, all] = []] = await rowsOf(
              lake,
              'SELECT count(*), sum(events) FROM counts',
            );
            const total = sum(due.values());
            return [
              [
                `the latest rows sum up to the truth (${sum(latest.values())} of ${total} in ${latest.size} rows)`,
                latest.size === due.size &&
                  [...due].every(([key, events]) => latest.get(key) === events),
              ],
              [
                `panes came late (${String(rows)} rows, whose sum is ${String(all)})`,
                Number(rows) > due.size && Number(all) > total,
              ],
            ];
          },
        };
      },
      { topology: 'tables' },
    ),
    scenario(
      'upload-endless',
      'the end of an upload in parts is answered without end, and then not at all',
      async (rig) => {
        const { awsProxy } = rig.cloud;
        const restarts = await restartsOf(rig);
        let met = 0;
        awsProxy.decide = (asked) => {
          if (!isCompletion(asked) || met >= 2) return pass;
          return met++ === 0
            ? { kind: 'endless-reply' }
            : { kind: 'held', until: new Promise(() => undefined) };
        };
        const sent = await rig.load(30_000, {
          eventsPerSecond: 80,
          bodyOf: (n) => bodyWith(n, { pad: noise(n, 40_000) }),
        });
        await until(() => Promise.resolve(met >= 2), 180_000);
        return {
          sent,
          checks: [
            [`uploads did not end (${met})`, met === 2],
            ['the topology was not started again', (await restartsOf(rig)) === restarts],
          ],
          after: async (lake) => {
            const [[rows, numbers] = []] = await rowsOf(
              lake,
              'SELECT count(*), count(DISTINCT n) FROM large WHERE length(pad) >= 40000',
            );
            const due = validOf(sent).length;
            return [
              [
                `each large row is there once (${String(rows)} of ${due})`,
                Number(rows) === due && Number(numbers) === due,
              ],
            ];
          },
        };
      },
      {
        topology: 'tables',
        routing: 'large_message_threshold_kb: 1',
        enrich: 'checkpoint_ms: 1000, parquet_file_age_ms: 12000',
      },
    ),
  ];
};
