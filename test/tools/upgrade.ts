/**
 * `npm run upgrade:test`: an instance of an older version takes half of the flights, is stopped by
 * SIGTERM, and this version goes on with its folder: it takes the other half, and what lands is
 * compared with an independent reading of the files. Where the older version has manifests of
 * another number, it must then refuse the folder.
 *
 *   npm run upgrade:test -- COMMIT   the older version; default: the last tag before this commit,
 *                                    or the commit before it
 *   --data DIR                       another folder of the flights' form
 *   --keep                           keeps the older version's folder
 *
 * Prints a line a check, then `N passed, N failed`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { TopologyHostStatus } from '../../deploy/host/hosted-topology.ts';
import { root } from '../repo/files.ts';
import { checks } from './flights-checks.ts';
import { compareFlights, flightsFiles } from './flights-compare.ts';
import type { LocalFlights } from './flights-subject.ts';
import { localFlights, sendFlights } from './flights-subject.ts';
import { buildOlder, commitBefore, manifestVersionOf } from './older-version.ts';
import type { Version } from './service-process.ts';

const example = join(root, 'topology', 'examples', 'flights');
const batch = '100';
const refusedMaxMs = 60_000;
const { check, result } = checks();

/** Each file's lines up to its middle, and the rest, as two folders of the same form. */
function halves(data: string, dir: string): readonly [string, string] {
  const [first, rest] = [join(dir, 'first'), join(dir, 'rest')];
  for (const folder of [first, rest]) mkdirSync(folder);
  for (const file of flightsFiles) {
    const name = `${file}.ndjson.gz`;
    const lines = gunzipSync(readFileSync(join(data, name)))
      .toString('utf8')
      .trimEnd()
      .split('\n');
    const middle = Math.ceil(lines.length / 2);
    const write = (folder: string, some: readonly string[]): void =>
      writeFileSync(join(folder, name), gzipSync(some.map((line) => `${line}\n`).join('')));
    write(first, lines.slice(0, middle));
    write(rest, lines.slice(middle));
  }
  return [first, rest];
}

async function sendAll(subject: LocalFlights, data: string): Promise<void> {
  await Promise.all(flightsFiles.map((file) => sendFlights(subject, data, file, batch)));
}

const topologyOf = async (subject: LocalFlights): Promise<TopologyHostStatus | undefined> =>
  (await subject.status())?.topologies[0];

/** Why the older version does not run the topology on what this one wrote; undefined if it does. */
async function refusalOf(subject: LocalFlights, before: Version): Promise<string | undefined> {
  const starting = subject.startAs(before);
  starting.catch(() => undefined);
  for (const deadline = performance.now() + refusedMaxMs; performance.now() < deadline; ) {
    const { state, error } = (await topologyOf(subject)) ?? {};
    if (error !== null && error !== undefined) return error.message;
    if (state === 'running') return undefined;
    await sleep(100);
  }
  throw new Error(`the older version neither ran nor refused:\n${subject.log()}`);
}

async function upgrade(
  subject: LocalFlights,
  dir: string,
  before: Version,
  data: string,
): Promise<void> {
  const [first, rest] = halves(data, dir);
  await subject.startAs(before);
  await sendAll(subject, first);
  check('the older version: events that it took', (await subject.received()) > 0, true);
  check('the older version: exit code at SIGTERM', await subject.stop(), 0);
  await subject.start();
  await sendAll(subject, rest);
  check('this version: events that it took', (await subject.received()) > 0, true);
  console.log(`      ${await subject.drain()}`);
  const { job, error, restarts } = (await topologyOf(subject)) ?? {};
  check('this version: error, restarts, notes', [error, restarts, job?.notes], [null, 0, []]);
  const registers = join(example, 'data');
  await compareFlights(subject, { data, registers, times: 1, killed: false, check });
  check('this version: exit code at SIGTERM', await subject.stop(), 0);
}

async function downgrade(subject: LocalFlights, dir: string, before: Version): Promise<void> {
  const [old, own] = [dir, root].map(manifestVersionOf);
  if (old === own) {
    console.log(`      both versions write manifests of number ${own}: no downgrade is refused`);
    return;
  }
  const said = (await refusalOf(subject, before)) ?? 'it runs';
  check(
    `the older version refuses manifests of number ${own}`,
    new RegExp(`is not a manifest of version ${old}$`).test(said),
    true,
  );
  console.log(`      ${said}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      data: { type: 'string', default: join(example, 'data') },
      keep: { type: 'boolean', default: false },
    },
  });
  const found = commitBefore(positionals[0]);
  if ('missing' in found) {
    console.error(found.missing);
    return 2;
  }
  const dir = mkdtempSync(join(tmpdir(), 'sluice-upgrade-'));
  const older = join(dir, 'older');
  mkdirSync(older);
  const subject = await localFlights({ example, twice: false });
  try {
    const before = buildOlder(found.commit, older);
    console.log(`      from ${found.commit.slice(0, 8)}, compiled in ${older}`);
    await upgrade(subject, dir, before, values.data);
    await downgrade(subject, older, before);
  } catch (thrown) {
    result.failed++;
    console.log(`FAIL  ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  } finally {
    await subject.remove(values.keep);
    if (!values.keep) rmSync(dir, { recursive: true, force: true });
  }
  console.log(`${result.passed} passed, ${result.failed} failed`);
  return result.failed === 0 && result.passed > 0 ? 0 : 1;
}

process.exitCode = await main();
