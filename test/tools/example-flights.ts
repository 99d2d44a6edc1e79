/**
 * `npm run example:flights`: sends the flights through HTTP into a running instance, waits until
 * they have landed, and compares what the lake holds with an independent reading of the files.
 *
 *   --real      as two services on Kinesis, Kafka with IAM, S3, Firehose and Neo4j; starts their
 *               servers
 *   --kill N    kills the instance (each service in turn) with SIGKILL at N random points, and
 *               starts it again on the same directory
 *   --twice     sends every file twice
 *   --data DIR  another folder of the same form
 *   --order at-once|one-by-one   the three files at the same time (default) or one after the other
 *   --batch N    events a request
 *   --seed S    the seed of the random points
 *
 * Prints a line a check, then `N passed, N failed`.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../schemas/kernel/random.ts';
import { checks, readLines } from './flights-checks.ts';
import { compareFlights, flightsFiles } from './flights-compare.ts';
import { realFlights } from './flights-real.ts';
import type { FlightsSubject } from './flights-subject.ts';
import { localFlights, sendFlights } from './flights-subject.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = join(root, 'topology/examples/flights');

const { values: options } = parseArgs({
  options: {
    real: { type: 'boolean', default: false },
    kill: { type: 'string', default: '0' },
    twice: { type: 'boolean', default: false },
    data: { type: 'string', default: join(example, 'data') },
    order: { type: 'string', default: 'at-once' },
    seed: { type: 'string', default: String(process.pid) },
    batch: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const kills = Number(options.kill);
const times = options.twice ? 2 : 1;
const random = seededRandom(Number(options.seed));

/**
 * Small where something is killed: there must be time for it in the middle, and a service takes
 * seconds to start again.
 */
function batchOf(): string {
  if (kills === 0) return '500';
  return options.real ? '10' : '50';
}

const send = (subject: FlightsSubject, file: string): Promise<void> =>
  sendFlights(subject, options.data, file, options.batch ?? batchOf());

async function sendAll(subject: FlightsSubject): Promise<void> {
  for (let time = 0; time < times; time++) {
    if (options.order === 'one-by-one') for (const file of flightsFiles) await send(subject, file);
    else await Promise.all(flightsFiles.map((file) => send(subject, file)));
  }
}

/**
 * Kills at points of progress, counted in events of the three files, drawn over the whole way from
 * the first event to the last landed one.
 */
async function killer(
  subject: FlightsSubject,
  total: number,
  done: { sent: boolean },
): Promise<number> {
  const points = Array.from({ length: kills }, () => Math.floor(random.next() * total * 0.9)).sort(
    (a, b) => a - b,
  );
  let base = 0;
  let killed = 0;
  let seen = 0;
  for (const point of points) {
    while (!done.sent) {
      seen = Math.max(seen, base + (await subject.received()));
      if (seen >= point) break;
      await sleep(5);
    }
    await sleep(Math.floor(random.next() * 300));
    base = seen;
    const what = await subject.killOne(killed);
    killed++;
    console.log(
      `      ${what} killed after about ${seen} events${done.sent ? ' (all were sent)' : ''}, started again`,
    );
  }
  return killed;
}

const { check, result } = checks();

const startOptions = { example, twice: options.twice };
const subject = options.real ? await realFlights(startOptions) : await localFlights(startOptions);
try {
  const total =
    times * flightsFiles.reduce((sum, file) => sum + readLines(options.data, file).length, 0);
  console.log(
    `flights: ${total} events${times > 1 ? ', every file twice' : ''}${kills > 0 ? `, ${kills} kills` : ''}, seed ${options.seed}`,
  );
  await subject.start();
  const done = { sent: false };
  const startedMs = performance.now();
  const killing = killer(subject, total, done);
  await sendAll(subject);
  done.sent = true;
  console.log(`      sent in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  if (kills > 0) check('kills', await killing, kills);
  console.log(`      ${await subject.drain()}`);
  console.log(`      drained after ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  await compareFlights(subject, {
    data: options.data,
    registers: join(example, 'data'),
    times,
    killed: kills > 0,
    check,
  });
  check('everything stops cleanly on SIGTERM', await subject.stop(), 0);
} catch (thrown) {
  result.failed++;
  console.log(`FAIL  ${thrown instanceof Error ? thrown.message : String(thrown)}`);
} finally {
  await subject.remove(options.keep);
}
console.log(`${result.passed} passed, ${result.failed} failed`);
process.exitCode = result.failed === 0 && result.passed > 0 ? 0 : 1;
