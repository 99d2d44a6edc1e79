/**
 * A topology whose file changes while it runs. Whatever is wrong with the change, the build before
 * goes on, or is started again from its last checkpoint: every event is one row, of the build that
 * read it.
 *
 * Before, a module that never finished loading, a build that failed after the old one had ended,
 * and a refused build with a new import each left nothing running, or a loop.
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
} from 'vitest';
import type { TopologyHost } from '../../../deploy/host/hosted-topology.ts';
import { topologyHost } from '../../../deploy/host/topology-host.ts';
import { TopologyNames } from '../../../deploy/host/topology-names.ts';
import type { EmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { openEmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { publishedFiles } from '../../../enrich/lake/published-files.ts';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { streamConfig } from '../../ingest/support.ts';
import { until } from '../support.ts';
import { recordOf } from './played-topology.ts';

/** Bounds of seconds come sooner by this, where a test waits for one. */
let hurry: number;
const clock: typeof systemClock = {
  ...systemClock,
  setTimer: (delayMs, fire) =>
    systemClock.setTimer(delayMs >= 10_000 ? delayMs / hurry : delayMs, fire),
};

interface Parts {
  /** What the table's rows are tagged with: an expression. */
  readonly tag?: string;
  readonly before?: string;
  readonly id?: string;
  readonly source?: string;
  readonly more?: string;
}

/** A topology whose rows say which build made them. */
function text({
  tag = "'one'",
  before = '',
  id = 'events',
  source = 'a/b',
  more = '',
}: Parts = {}): string {
  return `
import { count, fileTable, rejected, schemaOf, stream, table, topology, tumbling } from 'sluice';
declare const process: any;
${before}
interface Row { n: number; tag: string }
const row = schemaOf<Row>({ $id: 'row', type: 'object', required: ['n', 'tag'], properties: { n: { type: 'integer' }, tag: { type: 'string' } } });
export const used = [count, fileTable, rejected, tumbling];
export default topology('reload', { version: 1, owner: 'a/b' }, (t) => {
  const events = t.source('${id}', stream('${source}'));
  events.map((e) => ({ n: (e.data as Row).n, tag: ${tag} })).sinkTo('rows', table('rows', row));
  ${more}
});
`;
}

let dir: string;
let file: string;
let streams: EmbeddedStreams;
let host: TopologyHost;
let told: string[];
let sent: number;

async function setUp(): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
  mkdirSync(join(dir, 'lake'));
  file = join(dir, 'topology.ts');
  [told, sent, hurry, read] = [[], 0, 1, { files: '', rows: [] }];
  writeFileSync(file, text());
  streams = await openEmbeddedStreams({
    root: join(dir, 'log'),
    streams: [streamConfig('a', 'b')],
    local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
    clock: systemClock,
  });
  host = topologyHost({
    file,
    buildDir: join(dir, 'build'),
    input: {
      place: {
        kind: 'local',
        dir,
        streams: { 'a/b': streams.handles('a/b') },
        lookups: {},
        parquetFileMaxAgeMs: 0,
      },
      checkpointIntervalMs: 200,
      functionMaxMs: 10_000,
      parallelism: 1,
      dropState: {},
    },
    names: new TopologyNames(),
    clock,
    random: systemRandom,
    tell: (line) => told.push(line),
  });
}

async function tearDown(): Promise<void> {
  await host.stop();
  await streams.close();
  rmSync(dir, { recursive: true, force: true });
}

/** Each test has a folder, streams and a host of its own. */
function each(): void {
  beforeEach(setUp);
  afterEach(tearDown);
}

async function send(): Promise<void> {
  const n = sent++;
  const [outcome] = await streams.writer('kinesis').write('a/b', [recordOf(n, { n })]);
  expect(outcome?.kind).toBe('applied');
}

/** What the table had when its files were these. */
let read: { readonly files: string; readonly rows: readonly unknown[] };

/** A question costs more than a look at the files, and tests ask again and again. */
async function rows(): Promise<readonly unknown[]> {
  const lake = join(dir, 'lake');
  if (!tablesOf(lake).includes('rows')) return [];
  const files = publishedFiles(lake, 'rows')
    .map((file) => `${file} ${statSync(file).mtimeMs}`)
    .join('\n');
  if (files !== read.files)
    read = { files, rows: (await queryLake(lake, 'SELECT n, tag FROM rows ORDER BY n, tag')).rows };
  return read.rows;
}

const said = (): string => told.join('\n');
const landed = (count: number): Promise<void> =>
  until(async () => (await rows()).length >= count, said);
const refusals = (): number => told.filter((line) => line.includes('is not used')).length;

async function startWithOneRow(): Promise<void> {
  await host.start();
  expect(await host.status(), said()).toMatchObject({ state: 'running', refused: null });
  await send();
  await landed(1);
}

/** Nobody writes it so that another can read half of it. */
function save(content: string, path = file): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

describe('a change that could not run is refused beside what runs', () => {
  // One topology goes on beside all of them; what each adds is looked at alone.
  beforeAll(async () => {
    await setUp();
    await startWithOneRow();
  }, 60_000);
  afterAll(tearDown);

  /** The change is refused once; the build before goes on and takes the next event. */
  async function expectRefused(changed: string, why: RegExp): Promise<void> {
    const [{ build }, before, saidBefore] = [await host.status(), refusals(), said().length];
    save(changed);
    await until(() => refusals() === before + 1, said);
    const news = said().slice(saidBefore);
    expect(news).toMatch(why);
    expect(news).toContain(`The one before goes on: build ${build}.`);
    await send();
    await landed(sent);
    expect(await host.status()).toMatchObject({
      state: 'running',
      build,
      restarts: 0,
      refused: { why: expect.stringMatching(why) as string },
    });
    expect(await rows()).toEqual(Array.from({ length: sent }, (_, n) => [n, 'one']));
    expect(refusals()).toBe(before + 1);
  }

  it.each([
    ['does not compile', text({ before: 'const = ;' }), /topology\.ts:4:7: Expected identifier/],
    ['has wrong types', text({ tag: "'two', extra: 1 + true" }), /topology\.ts:\d+:\d+: TS2365/],
    [
      'imports what is not there',
      text({ before: "import './missing.ts';" }),
      /topology\.ts:4:8: Could not resolve "\.\/missing\.ts"/,
    ],
    [
      'throws when it is loaded',
      text({ before: "throw new Error('no luck');" }),
      /throws while it is loaded: no luck/,
    ],
    ['is never loaded for a loop', text({ before: 'while (true) { }' }), /was not loaded within/],
    [
      'is never loaded for a wait',
      text({ before: 'setInterval(() => {}, 10); await new Promise(() => {});' }),
      /was not loaded within/,
    ],
    [
      'waits for nothing',
      text({ before: 'await new Promise(() => {});' }),
      /was not loaded within/,
    ],
    [
      'ends the process',
      text({ before: 'process.exit(0);' }),
      /ended its process while it was loaded/,
    ],
    [
      'kills the process',
      text({ before: "process.kill(process.pid, 'SIGKILL');" }),
      /ended its process while it was loaded \(SIGKILL\)/,
    ],
    [
      'is no valid topology',
      text({ more: "events.sinkTo('rows', rejected());" }),
      /the id is used twice/,
    ],
    [
      'does not fit the checkpoint',
      text({ id: 'renamed' }),
      /source 'events'.*read from the beginning again/,
    ],
    [
      'reads a stream that is not there',
      text({ more: "t.source('more', stream('a/other')).sinkTo('more-rows', rejected());" }),
      /has no stream 'a\/other'/,
    ],
    [
      'reads a table that is not there',
      text({
        more: "events.lookup('l', fileTable('none.json', row, { key: 'n' }), { by: (e) => e.id }, (e) => ({ n: 1, tag: e.id })).sinkTo('more', rejected());",
      }),
      /none\.json: there is no such file/,
    ],
  ])('when it %s', { timeout: 60_000 }, async (_what, changed, why) => {
    hurry = why.source.includes('not loaded') ? 5 : 1;
    await expectRefused(changed, why);
  });

  it('when it fills the memory', { timeout: 60_000 }, async () => {
    hurry = 1;
    process.env['NODE_OPTIONS'] = '--max-old-space-size=128';
    try {
      await expectRefused(
        text({
          before: 'const all: unknown[] = []; while (true) all.push(new Array(1_000).fill(7));',
        }),
        /used up its memory/,
      );
    } finally {
      delete process.env['NODE_OPTIONS'];
    }
  });

  it('once a change, and the next one that is right is used', { timeout: 60_000 }, async () => {
    hurry = 1;
    const before = refusals();
    for (const refused of [1, 2]) {
      save(text({ before: `import './missing-${refused}.ts';` }));
      await until(() => refusals() === before + refused, said);
    }
    await sleep(1_500);
    expect(refusals()).toBe(before + 2);
    save(text({ tag: "'two'" }));
    await until(() => said().includes('was loaded again'), said);
    await send();
    await landed(sent);
    expect(await rows()).toEqual(
      Array.from({ length: sent }, (_, n) => [n, n === sent - 1 ? 'two' : 'one']),
    );
    expect((await host.status()).refused).toBeNull();
  });
});

it('a trial in a loop ends when Sluice is killed', { timeout: 60_000 }, async () => {
  await setUp();
  onTestFinished(tearDown);
  const script = join(dir, 'loop.mjs');
  writeFileSync(
    script,
    "import { writeFileSync } from 'node:fs';\nwriteFileSync(process.env.SLUICE_TEST_PID, String(process.pid));\nwhile (true) { }\n",
  );
  const input = {
    script,
    file: 'loop.ts',
    place: { kind: 'local', dir, streams: {}, lookups: {}, parquetFileMaxAgeMs: 0 },
    dropState: false,
  };
  const trial = new URL('../../../deploy/host/topology-trial-child.js', import.meta.url);
  const pidFile = join(dir, 'pid');
  // A parent that starts a trial, sends it its input and is killed.
  const parent = spawn(
    process.execPath,
    [
      '-e',
      `const c = require('node:child_process').fork(process.argv[1], [], { serialization: 'advanced' }); c.on('message', (m) => m.kind === 'started' && c.send(JSON.parse(process.argv[2])));`,
      fileURLToPath(trial),
      JSON.stringify(input),
    ],
    { stdio: 'ignore', env: { ...process.env, SLUICE_TEST_PID: pidFile } },
  );
  const pid = async (): Promise<number> => {
    await until(() => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
    return Number(readFileSync(pidFile, 'utf8'));
  };
  const child = await pid();
  /** Whether it was there. */
  const signal = (what: 0 | 'SIGKILL'): boolean => {
    try {
      return process.kill(child, what);
    } catch {
      return false;
    }
  };
  onTestFinished(() => void signal('SIGKILL'));
  parent.kill('SIGKILL');
  await until(() => !signal(0));
});

describe('a change that fails at its first events', () => {
  const windows = `events.eventTime('time', (e) => e.time, { outOfOrderness: 0 }).keyBy((e) => e.id).window('added', tumbling('1h'))
    .aggregate({ n: count() }).out.map((w) => ({ n: w.n, tag: 'window' })).sinkTo('added-table', table('added', row));`;

  describe('falls back', () => {
    // To one topology, which goes on beside all of them; what each adds is looked at alone.
    beforeAll(async () => {
      await setUp();
      await startWithOneRow();
    }, 60_000);
    afterAll(tearDown);
    const ones = (): readonly unknown[] => Array.from({ length: sent }, (_, n) => [n, 'one']);

    it.each([
      ['ends its thread', 'process.exit(3)', /ended without an error/],
      ['never returns', '((): string => { for (;;); })()', /did not return from one call/],
      [
        'fails where it lands',
        "(() => { setTimeout(() => { throw new Error('later'); }, 0); const until = Date.now() + 50; while (Date.now() < until); return 'x'; })()",
        /later/,
      ],
    ])(
      '%s: the build before goes on from the last checkpoint, also where the new one added state',
      { timeout: 60_000 },
      async (_what, tag, why) => {
        const [{ build }, before, saidBefore] = [await host.status(), refusals(), said().length];
        const news = (): string => said().slice(saidBefore);
        save(text({ tag, more: windows }));
        await until(() => news().includes('was loaded again'), said);
        await send();
        await until(() => news().includes('failed before its first checkpoint'), said);
        await landed(sent);
        await send();
        await landed(sent);
        expect(news()).toMatch(why);
        expect(await rows()).toEqual(ones());
        expect(await host.status()).toMatchObject({
          state: 'running',
          build,
          refused: { why: expect.stringMatching(why) as string },
          error: null,
        });
        await sleep(1_500);
        expect(refusals()).toBe(before + 1);
      },
    );

    it('over several that read nothing, to the one that was right', {
      timeout: 60_000,
    }, async () => {
      const [{ build }, before, saidBefore] = [await host.status(), refusals(), told.length];
      const loads = (): number =>
        told.slice(saidBefore).filter((line) => line.includes('was loaded again')).length;
      for (const n of [1, 2]) {
        save(text({ tag: `process.exit(${n})`, more: windows }));
        await until(() => loads() === n, said);
      }
      await send();
      await landed(sent);
      expect(await rows()).toEqual(ones());
      expect((await host.status()).build).toBe(build);
      expect(refusals()).toBe(before + 2);
    });
  });

  it('is kept where it has proved itself: a fault after that is answered by a restart of it', {
    timeout: 60_000,
  }, async () => {
    await setUp();
    onTestFinished(tearDown);
    await startWithOneRow();
    save(
      text({
        tag: "(e.data as Row).n === 2 && ended() ? 'x' : 'two'",
        before:
          'const ended = (): boolean => { if (process.env.SLUICE_TEST_ENDED) return false; process.exit(1); return true; };',
      }),
    );
    await until(() => said().includes('was loaded again'), said);
    await send();
    await landed(2);
    await send();
    await until(async () => (await host.status()).restarts === 1, said);
    process.env['SLUICE_TEST_ENDED'] = '1';
    try {
      await landed(3);
    } finally {
      delete process.env['SLUICE_TEST_ENDED'];
    }
    expect(await rows()).toEqual([
      [0, 'one'],
      [1, 'two'],
      [2, 'two'],
    ]);
    expect(refusals()).toBe(0);
  });
});

describe('what a topology is made of is watched', () => {
  each();
  const tagFrom = (path: string, more = ''): string =>
    text({ before: `import { tag } from '${path}';${more}`, tag: 'tag' });
  const saysTag = async (tag: string): Promise<void> => {
    await until(async () => {
      await send();
      return (await rows()).some((row) => (row as unknown[])[1] === tag);
    }, said);
  };

  it('a file that is new among its imports, also when the change that brought it was refused', {
    timeout: 60_000,
  }, async () => {
    await startWithOneRow();
    save(tagFrom('./parts/tag.ts'));
    await until(() => refusals() === 1, said);
    mkdirSync(join(dir, 'parts'));
    save("export const tag: string = 'from a file that came later';", join(dir, 'parts/tag.ts'));
    await saysTag('from a file that came later');
    save("export const tag: string = 'from another';", join(dir, 'parts/tag.ts'));
    await saysTag('from another');
    expect(refusals()).toBe(1);
  });

  it('JSON, links that are turned, and types that only the check reads', {
    timeout: 90_000,
  }, async () => {
    await startWithOneRow();
    writeFileSync(
      join(dir, 'a.ts'),
      "import data from './data.json';\nexport const tag: string = data.tag;",
    );
    writeFileSync(join(dir, 'b.ts'), "export const tag: string = 'from b';");
    writeFileSync(join(dir, 'data.json'), '{"tag":"from a"}');
    writeFileSync(join(dir, 'types.ts'), 'export interface Named { name: string }');
    symlinkSync('a.ts', join(dir, 'tag.ts'));
    save(
      tagFrom(
        './tag.ts',
        "import type { Named } from './types.ts';\nexport const named: Named = { name: 'x' };",
      ),
    );
    await saysTag('from a');
    save('{"tag":"from a, later"}', join(dir, 'data.json'));
    await saysTag('from a, later');
    unlinkSync(join(dir, 'tag.ts'));
    symlinkSync('b.ts', join(dir, 'tag.ts'));
    await saysTag('from b');
    expect(refusals()).toBe(0);
    save('export interface Named { other: string }', join(dir, 'types.ts'));
    await until(() => refusals() === 1, said);
    expect(said()).toMatch(/TS2353/);
    save('export interface Named { name: string }', join(dir, 'types.ts'));
    await until(() => said().includes('is again what runs'), said);
  });

  it('a package that it imports, when it comes to be', { timeout: 60_000 }, async () => {
    await startWithOneRow();
    save(tagFrom('tags'));
    await until(() => refusals() === 1, said);
    const folder = join(dir, 'node_modules/tags');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'index.js'), "export const tag = 'from a package';");
    writeFileSync(join(folder, 'index.d.ts'), 'export declare const tag: string;');
    writeFileSync(
      join(folder, 'package.json'),
      '{"name":"tags","version":"1.0.0","type":"module","main":"index.js","types":"index.d.ts"}',
    );
    await saysTag('from a package');
  });

  it.each(['reload', 'keep'] as const)(
    "a look-up's table, by what it declares: %s",
    { timeout: 60_000 },
    async (whenChanged) => {
      const tags = join(dir, 'tags.json');
      writeFileSync(tags, '[{"n":1,"tag":"old"}]');
      const looked = `events.lookup('l', fileTable('tags.json', row, { key: 'n', whenChanged: '${whenChanged}' }), { by: () => 1 }, (e, found) => ({ n: (e.data as Row).n, tag: found?.tag ?? 'none' })).sinkTo('looked', table('looked', row));`;
      writeFileSync(file, text({ more: looked }));
      const lookedUp = async (): Promise<readonly unknown[]> =>
        (await queryLake(join(dir, 'lake'), 'SELECT n, tag FROM looked ORDER BY n')).rows;
      await startWithOneRow();
      save('[{"n":1,"tag":7}]', tags);
      if (whenChanged === 'reload') {
        await until(() => refusals() === 1, said);
        expect(said()).toMatch(/tags\.json, row 1: \/tag must be string/);
      } else await until(() => said().includes('its old rows are still in use'), said);
      await send();
      await landed(2);
      save('[{"n":1,"tag":"new"}]', tags);
      if (whenChanged === 'reload') await until(() => said().includes('was loaded again'), said);
      else {
        await until(() => told.length === 2, said);
        expect((await host.status()).tablesKept).toHaveLength(1);
      }
      await send();
      await landed(3);
      await until(async () => (await lookedUp()).length === 3, said);
      expect(await lookedUp()).toEqual([
        [0, 'old'],
        [1, 'old'],
        [2, whenChanged === 'reload' ? 'new' : 'old'],
      ]);
    },
  );
});

it('one that does not compile at the start is said once, and runs when it is right', {
  timeout: 60_000,
}, async () => {
  await setUp();
  onTestFinished(tearDown);
  writeFileSync(
    file,
    text({ before: "import { a } from './parts.ts';\nexport const b: number = a;" }),
  );
  await send();
  await host.start();
  expect((await host.status()).state).toBe('failed');
  await sleep(1_500);
  expect(told).toHaveLength(1);
  writeFileSync(join(dir, 'parts.ts'), 'export const a = 1;');
  await landed(1);
  expect(await host.status()).toMatchObject({ state: 'running', refused: null, restarts: 0 });
});
