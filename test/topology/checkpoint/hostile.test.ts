/**
 * Checkpoints and savepoints that somebody else made, or changed: each is refused with a sentence,
 * touches no file but its own, and takes no more memory than what it could be. A change that says
 * nothing wrong goes on.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import {
  FileCursor,
  openFile,
  openFileAside,
} from '../../../topology/checkpoint/sorted-runs/file-cursor.ts';
import { fileMaxBytes } from '../../../topology/checkpoint/sorted-runs/file-format.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import type { JobOptions } from '../../../topology/index.ts';
import { createJob } from '../../../topology/index.ts';
import { inlineWorkers } from '../../../topology/runtime/parallel/inline-workers.ts';
import { memoryBlobs } from '../support.ts';
import { feed, flow, newWorld } from './version3-flow.ts';

const { blobs: stored } = JSON.parse(
  readFileSync(
    fileURLToPath(new URL('../../../../test/topology/checkpoint/version4.json', import.meta.url)),
    'utf8',
  ),
) as { readonly blobs: Readonly<Record<string, string>> };
const manifestKey = Object.keys(stored)
  .filter((key) => key.endsWith('.json'))
  .toSorted()
  .at(-1) as string;
const textOf = (key: string): string => Buffer.from(stored[key] ?? '', 'base64').toString();

type Json = Record<string, unknown>;
const manifest = (): Json => JSON.parse(textOf(manifestKey)) as Json;

/** The files and the newest manifest, as `made` by somebody. */
function checkpointOf(made: unknown): ReturnType<typeof memoryBlobs> {
  const blobs = memoryBlobs();
  for (const [key, text] of Object.entries(stored))
    if (!key.endsWith('.json')) blobs.blobs.set(key, Buffer.from(text, 'base64'));
  blobs.blobs.set(manifestKey, Buffer.from(JSON.stringify(made)));
  return blobs;
}

/** Opens a job on it, with a savepoint's name where it goes back to one. */
async function open(
  blobs: ReturnType<typeof memoryBlobs>,
  more: Partial<JobOptions> = {},
): Promise<void> {
  const made = newWorld();
  feed(made, 0, 3);
  const [clock, random] = [manualClock(5_000_000), seededRandom(1)];
  const job = createJob({
    topology: flow,
    blobs,
    connectors: made.connectors,
    clock,
    random,
    checkpointIntervalMs: 0,
    ...more,
  });
  try {
    await job.open();
  } finally {
    await job.close();
  }
}

const inTwo: Partial<JobOptions> = {
  keyedWorkers: (of) =>
    inlineWorkers(of, 2, { clock: manualClock(5_000_000), random: seededRandom(1) }),
};

async function refusalOf(made: unknown): Promise<SluiceError> {
  const thrown = await open(checkpointOf(made)).then(
    () => undefined,
    (fault: unknown) => fault,
  );
  expect(thrown).toBeInstanceOf(SluiceError);
  return thrown as SluiceError;
}

interface Run {
  files: { name: string }[];
}
const runsOf = (made: Json): Run[] => (made['state'] as { runs: Run[] }).runs;

const tableOf = {
  kind: 'table',
  table: 'rows',
  schema: { $id: 'row', type: 'object', properties: { a: { type: 'string' } } },
  partitionBy: ['date'],
};
const retiring = (more: object): Json => ({ id: 'gone', sink: { ...tableOf, ...more }, state: {} });
const sinkOf = (sink: object): Json => ({
  id: 'out',
  kind: 'sink',
  definition: { options: {}, inputs: [], sink },
});
const graphOf = (label: string): Json => ({
  kind: 'graph',
  model: { nodes: { [label]: { key: 'id', props: { id: 'string' } } }, edges: {} },
});

describe('a manifest that somebody changed', () => {
  it('goes on as it is', async () => {
    await open(checkpointOf(manifest()));
    await open(checkpointOf(manifest()), inTwo);
  });

  it.each([
    ['of another folder', () => 'savepoints/t/kept/'],
    ['of another topology', () => 'checkpoints/other/0-state/'],
    ['below its folder', () => 'checkpoints/t/0-state/more/'],
    ['outside the store', () => '../../'],
  ])('names no file %s, and none of these is read or deleted', async (_where, folder) => {
    const made = manifest();
    const [file] = runsOf(made)[0]?.files ?? [];
    const name = file?.name ?? '';
    const other = `${folder()}${name.slice(name.lastIndexOf('/') + 1)}`;
    if (file !== undefined) file.name = other;
    const blobs = checkpointOf(made);
    blobs.blobs.set(other, blobs.blobs.get(name) as Uint8Array);
    await expect(open(blobs)).rejects.toMatchObject({
      code: 'checkpoint-corrupt',
      message: `${manifestKey} is not what Sluice wrote: it names a file that is not in its folder: '${other}'`,
    });
    expect(blobs.blobs.has(other)).toBe(true);
  });

  it('names each file once, whose memory is counted once', async () => {
    const made = manifest();
    const [run] = runsOf(made);
    runsOf(made).push({ ...(run as Run) });
    expect((await refusalOf(made)).message).toMatch(/it names checkpoints\/t\/0-state\/.* twice$/);
  });

  it.each<readonly [string, (made: Json) => unknown, string]>([
    [
      'of other key groups',
      (m) => ({ ...m, state: { ...(m['state'] as Json), keyGroups: 64 } }),
      "it has 64 key groups at '/state/keyGroups', not 128",
    ],
    ['of another topology', (m) => ({ ...m, topology: 'other' }), "of 'other'"],
    ['of another number', (m) => ({ ...m, checkpoint: 77 }), "it is checkpoint 77 of 't'"],
    [
      'with a number beyond all',
      (m) => ({ ...m, checkpoint: 2 ** 53 }),
      "expected a whole number from 0 to 9999999998 at '/checkpoint', got a number",
    ],
    [
      'with a time beyond all',
      (m) => ({ ...m, createdAtMs: 1e300 }),
      "expected a time in ms at '/createdAtMs'",
    ],
    [
      'without a list',
      (m) => ({ ...m, stateful: { length: 2 ** 40 } }),
      "expected a list at '/stateful', got a object",
    ],
    [
      'of a table outside the lake, whose sink retires',
      (m) => ({ ...m, retiring: [retiring({ table: '../../../../outside' })] }),
      "expected a table's name at '/retiring/0/sink/table', got a string",
    ],
    [
      'of the rejected table, as one of a sink that retires',
      (m) => ({ ...m, retiring: [retiring({ table: 'rejected' })] }),
      "expected a table's name at '/retiring/0/sink/table'",
    ],
    [
      'of a table outside the lake, in a definition',
      (m) => ({ ...m, stateful: [sinkOf({ ...tableOf, table: '/etc' })] }),
      "expected a table's name at '/stateful/0/definition/sink/table'",
    ],
    [
      'of folders that no table has',
      (m) => ({ ...m, retiring: [retiring({ partitionBy: ['..'] })] }),
      "expected one of date, hour, team, app at '/retiring/0/sink/partitionBy/0'",
    ],
    [
      'of a table without columns',
      (m) => ({ ...m, retiring: [retiring({ schema: { properties: { a: null } } })] }),
      "expected an object at '/retiring/0/sink/schema/properties/a', got null",
    ],
    [
      'of a graph whose labels are statements',
      (m) => ({ ...m, retiring: [{ id: 'gone', sink: graphOf('A`) DETACH DELETE n //') }] }),
      "at '/retiring/0/sink/model': the label 'A`) DETACH DELETE n //' is 1 to 63 of",
    ],
    [
      'of a graph without a model',
      (m) => ({ ...m, retiring: [{ id: 'gone', sink: { kind: 'graph' } }] }),
      "expected an object at '/retiring/0/sink/model', got nothing",
    ],
    [
      'of the next version',
      (m) => ({ ...m, manifestVersion: 5 }),
      'is not a manifest of version 4',
    ],
  ])('is refused %s', async (_what, change, message) => {
    expect(await refusalOf(change(manifest()))).toMatchObject({
      code: 'checkpoint-corrupt',
      message: expect.stringContaining(message) as string,
    });
  });

  it.each([2, 3, 4].flatMap((version) => notLists.map((part) => [version, part] as const)))(
    'of version %i is refused where its nodes are %j',
    async (version, part) => {
      const made = { ...manifest(), manifestVersion: version, stateful: part };
      expect(await refusalOf(made)).toMatchObject({
        code: 'checkpoint-corrupt',
        message: expect.stringContaining("at '/stateful") as string,
      });
    },
  );

  it('is refused or goes on, whichever part is another one', { timeout: 600_000 }, async () => {
    const random = seededRandom(20_261_130);
    const others = [null, -1, 1.5, 2 ** 60, '', 'x', [], {}, [[1]], { a: { b: null } }, true];
    const paths = [...pathsOf(manifest(), [])];
    const outcomes = { refused: 0, opened: 0 };
    for (let run = 0; run < changedRuns; run++) {
      const made = manifest();
      const path = paths[Math.floor(random.next() * paths.length)] ?? [];
      const other = others[Math.floor(random.next() * others.length)];
      put(made, path, other);
      const thrown = await open(checkpointOf(made), run % 2 === 0 ? {} : inTwo).then(
        () => undefined,
        (fault: unknown) => fault,
      );
      if (thrown === undefined) outcomes.opened++;
      else outcomes.refused++;
      const isSentence = thrown === undefined || thrown instanceof SluiceError;
      expect([isSentence, path, other, isSentence ? '' : thrown]).toEqual([true, path, other, '']);
    }
    expect(outcomes.refused).toBeGreaterThan(changedRuns / 3);
    expect(outcomes.opened).toBeGreaterThan(changedRuns / 20);
  });
});

const notLists = [null, 5, 'x', {}, [null], [5], [[]], [{ id: 1, kind: 'sink' }], [{ id: 'a' }]];

/** Parts of a manifest that are changed, one in each run. */
const changedRuns = Number(process.env['HOSTILE_RUNS'] ?? 150);

/** What a sink keeps is looked at by the sink. */
function* pathsOf(value: unknown, path: readonly string[]): Generator<readonly string[]> {
  if (path.length === 2 && path[0] === 'sinks') return;
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const [name, part] of Object.entries(value)) yield* pathsOf(part, [...path, name]);
}

function put(into: unknown, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  const of = into as Json;
  if (rest.length === 0) of[first] = value;
  else put(of[first], rest, value);
}

const nameOf = (bytes: Uint8Array): string =>
  `checkpoints/t/0-state/x-${createHash('sha256').update(bytes).digest('hex')}.run`;

/** Reads all entries of a file whose name says its SHA-256: its bytes are what somebody wanted. */
function read(bytes: Uint8Array): number {
  const cursor = new FileCursor(openFile(nameOf(bytes), bytes), () => true);
  let entries = 0;
  for (; cursor.next(); entries++)
    if (cursor.valueAt + cursor.valueLength > cursor.body.length) throw new Error('it is outside');
  return entries;
}

/** A file whose head says what it likes. */
function fileOf(body: Uint8Array, bytes: number, sections: number, flags = 0): Uint8Array {
  const head = Buffer.from('SLUICE\u0001\u0000........', 'latin1');
  head[7] = flags;
  head.writeUInt32BE(bytes, 8);
  head.writeUInt32BE(sections, 12);
  return Buffer.concat([head, body]);
}

const refused = (message: string): unknown =>
  expect.objectContaining({
    code: 'checkpoint-corrupt',
    message: expect.stringMatching(message) as string,
  });

describe('a state file that somebody made', () => {
  const whole = Object.entries(stored).flatMap(([key, text]) =>
    key.endsWith('.run') ? [Buffer.from(text, 'base64')] : [],
  );

  it('is refused, or has entries within it, whichever bit is another one', () => {
    expect(whole.length).toBeGreaterThan(1);
    let [wrong, right] = [0, 0];
    for (const file of whole) {
      const { body, sections } = openFile(nameOf(file), file);
      expect(read(file)).toBeGreaterThan(0);
      const plain = fileOf(body, body.length, sections);
      for (let at = 0; at < Math.min(plain.length, 1_000); at++) {
        const other = Uint8Array.from(plain);
        other[at] = (other[at] as number) ^ (1 << (at % 8));
        try {
          read(other);
          right++;
        } catch (thrown) {
          wrong++;
          expect(thrown).toEqual(refused('is damaged: |is not a state file of format 1'));
        }
      }
    }
    expect(wrong).toBeGreaterThan(100);
    // What is a key, a value or a time may be any bytes.
    expect(right).toBeGreaterThan(100);
  });

  it('is refused wherever it is cut', () => {
    for (const file of whole) {
      const { body, sections } = openFile(nameOf(file), file);
      for (let cut = 0; cut < Math.min(body.length, 2_000); cut += 7) {
        const part = fileOf(body.subarray(0, cut), cut, sections);
        expect(() => read(part)).toThrow(refused('is damaged: '));
        expect(() => read(file.subarray(0, Math.min(cut, file.length - 1)))).toThrow(
          refused('is damaged: |is not a state file'),
        );
      }
    }
  });

  it('is opened beside the thread to the same end, where it is large', async () => {
    const texts = Buffer.from(
      Array.from({ length: 60_000 }, (_, n) => (n * 2_654_435_761) % 4_294_967_296).join(),
    );
    const section = Buffer.alloc(14);
    const body = Buffer.concat([section, texts]);
    const [plain, deflated] = [fileOf(body, body.length, 1), deflateRawSync(body)];
    const zeros = deflateRawSync(Buffer.alloc(64 * fileMaxBytes), { level: 1 });
    const files = [
      plain,
      fileOf(deflated, body.length, 1, 1),
      fileOf(deflated, body.length - 1, 1, 1),
      fileOf(deflated, body.length + 1, 1, 1),
      fileOf(deflated.subarray(0, -9), body.length, 1, 1),
      fileOf(zeros, fileMaxBytes, 1, 1),
      fileOf(plain, 3, 1),
      Buffer.from(plain).fill(0, 0, 4),
    ];
    const outcomeOf = (thrown: unknown): string => (thrown as Error).message;
    let opened = 0;
    for (const file of files)
      for (const name of [nameOf(file), nameOf(body)]) {
        expect(file.length).toBeGreaterThan(200_000);
        let here: unknown;
        try {
          here = openFile(name, file);
          opened++;
        } catch (thrown) {
          here = outcomeOf(thrown);
        }
        expect(await openFileAside(name, file).catch(outcomeOf)).toEqual(here);
      }
    expect(opened).toBe(2);
  });

  it('takes no memory for what deflated bytes would become', () => {
    const zeros = deflateRawSync(Buffer.alloc(64 * fileMaxBytes), { level: 1 });
    const before = process.memoryUsage().rss;
    expect(() => read(fileOf(zeros, 0xffff_ffff, 1, 1))).toThrow(refused('cannot be$'));
    expect(() => read(fileOf(zeros, fileMaxBytes, 1, 1))).toThrow(refused('cannot be inflated'));
    expect(() => read(fileOf(zeros.subarray(0, 5_000), fileMaxBytes, 1, 1))).toThrow(
      refused('cannot be inflated'),
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(16 * fileMaxBytes);
    const many = deflateRawSync(Buffer.alloc(2 * fileMaxBytes), { level: 1 });
    expect(() => read(fileOf(many, 2 * fileMaxBytes, 2, 1))).toThrow(
      refused('more than several entries may take'),
    );
  });

  it('has key groups of the topology only, in order', () => {
    const section = (table: number, group: number): Buffer => {
      const head = Buffer.alloc(14 + 3);
      head.writeUInt32BE(table, 0);
      head.writeUInt16BE(group, 4);
      head.writeUInt32BE(1, 6);
      head.writeUInt32BE(3, 10);
      head.set([5, 65, 66], 14);
      return head;
    };
    const of = (...sections: readonly Buffer[]): Uint8Array => {
      const body = Buffer.concat(sections);
      return fileOf(body, body.length, sections.length);
    };
    expect(read(of(section(1, 0), section(1, 127), section(2, 3)))).toBe(3);
    for (const bad of [
      of(section(1, 128)),
      of(section(1, 2), section(1, 2)),
      of(section(1, 2), section(1, 1)),
      of(section(2, 0), section(1, 0)),
    ])
      expect(() => read(bad)).toThrow(refused('are not what its format says'));
  });
});

it('a savepoint whose manifest names a file outside of its folder is refused', async () => {
  const made = manifest();
  for (const run of runsOf(made))
    for (const file of run.files) file.name = file.name.slice(file.name.lastIndexOf('/') + 1);
  const [file] = runsOf(made)[0]?.files ?? [];
  const name = file?.name ?? '';
  const blobs = checkpointOf(manifest());
  const put = (): void =>
    void blobs.blobs.set('savepoints/t/kept/manifest.json', Buffer.from(JSON.stringify(made)));
  for (const [key, bytes] of [...blobs.blobs])
    if (key.endsWith('.run'))
      blobs.blobs.set(`savepoints/t/kept/${key.slice(key.lastIndexOf('/') + 1)}`, bytes);
  put();
  await open(blobs, { savepoint: 'kept' });
  if (file !== undefined) file.name = `../other/${name}`;
  put();
  await expect(open(blobs, { savepoint: 'kept' })).rejects.toMatchObject({
    code: 'checkpoint-corrupt',
    message: expect.stringContaining(`'../other/${name}'`) as string,
  });
  expect((await checkpointStore(blobs, 't').all()).length).toBeGreaterThan(1);
});
