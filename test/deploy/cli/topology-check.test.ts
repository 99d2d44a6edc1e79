/**
 * `sluice topology check`: everything that is wrong at once, each with its line and what to do; and
 * nothing where nothing is.
 *
 * Before, it said only what the graph itself showed, without a line, and let pass schemas that do
 * not compile, wrong types, names that nothing has, and what does not fit the last checkpoint.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import topologyCommands from '../../../deploy/cli/commands/topology/command.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import {
  encodeManifest,
  manifestVersion,
  statefulNodes,
} from '../../../topology/checkpoint/manifest.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { root as repository } from '../../repo/files.ts';
import { saying } from '../../said.ts';
import { commandHere } from '../command-here.ts';
import { sluice } from '../support.ts';

const here = process.cwd();
const root = mkdtempSync(join(tmpdir(), 'sluice-check-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Problem {
  readonly kind: string;
  readonly node: string | null;
  readonly file: string;
  readonly line: number | null;
  readonly message: string;
  readonly fix: string;
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(root, 'project-'));
  write('sluice.yaml', 'streams:\n  - {team: a, app: b}\n');
});

function write(name: string, text: string): void {
  writeFileSync(join(dir, name), text);
}

/** In the project's folder, as a person is. */
async function problemsOf(...options: readonly string[]): Promise<readonly Problem[]> {
  process.chdir(dir);
  const { code, out } = await commandHere(
    [topologyCommands],
    ['--json', ...options, 'topology', 'check', 'topology.ts'],
  ).finally(() => process.chdir(here));
  const { ok, problems } = JSON.parse(out) as { ok: boolean; problems: readonly Problem[] };
  expect([code, ok]).toEqual(problems.length === 0 ? [0, true] : [1, false]);
  for (const { fix } of problems) expect(fix).not.toBe('');
  return problems;
}

const short = (problems: readonly Problem[]): readonly string[] =>
  problems.map(
    ({ kind, file, line, node, message }) =>
      `${file}:${line} ${kind} ${node ?? '-'}: ${message.split('\n', 1)[0]}`,
  );

const head = `import { connector, count, fileTable, rejected, schemaOf, stream, table, topology, tumbling } from 'sluice';
export const used = [connector, count, fileTable, rejected, table, tumbling];
interface Row { n: number }
const row = schemaOf<Row>({ $id: 'row', type: 'object', properties: { n: { type: 'integer' } } });
`;

describe('a topology', () => {
  it('that runs, and would count events again, is told so with its line, and is valid', async () => {
    write(
      'topology.ts',
      `${head}export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b'))
    .validate('valid', row)
    .eventTime('time', (e) => e.data.n, { outOfOrderness: 0 })
    .keyBy((e) => e.data.n)
    .window('minutes', tumbling('1m'), { allowedLateness: '1m' })
    .aggregate({ n: count() })
    .out.map(({ n }) => ({ n }))
    .sinkTo('counts', table('counts', row));
});
`,
    );
    const text = await sluice(['topology', 'check', 'topology.ts'], dir);
    expect([text.code, text.out]).toEqual([
      0,
      expect.stringMatching(
        /^warning: topology\.ts:13:\d+: counts: the window 'minutes' fires more than once/,
      ),
    ]);
    expect(text.out).toContain('is valid');
    const { code, out } = await sluice(['--json', 'topology', 'check', 'topology.ts'], dir);
    expect([code, JSON.parse(out)]).toEqual([
      0,
      expect.objectContaining({
        ok: true,
        problems: [],
        warnings: [expect.objectContaining({ node: 'counts', file: 'topology.ts', line: 13 })],
      }),
    ]);
  });

  it('with many problems is told all of them, each with the line of its author', async () => {
    write(
      'topology.ts',
      `${head}const bad = schemaOf<Row>({ $id: 'bad', type: 'objekt' });
export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  const events = t
    .source('events', stream('a/b'))
    .validate('valid', bad)
    .eventTime('time', (e) => e.data.when, {
      outOfOrderness: '400000000000d',
    });
  t.source('other', stream('a/none')).sinkTo('others', rejected());
  events
    .keyBy((e) => e.id)
    .window('w', tumbling('0s'))
    .aggregate({ n: count() })
    .out.map((w) => ({ m: w.n }))
    .sinkTo('rows', table('rows', row));
  events.lookup('l', fileTable('missing.json', row, { key: 'n' }), { by: () => 1 }, (e) => e).sinkTo('ls', rejected());
  events.lookup('c', connector<Row>('nowhere'), { by: (e) => e.id }, (e) => e).sinkTo('cs', rejected());
  events.map((e) => e.id).sinkTo('cs', rejected());
});
`,
    );
    const problems = await problemsOf();
    expect(short(problems)).toEqual([
      expect.stringMatching(/^topology\.ts:10 types -: TS2339: Property 'when'/),
      expect.stringMatching(/^topology\.ts:19 types -: TS2345: /),
      "topology.ts:10 graph time: outOfOrderness is too long: a duration is at most 3652500d, not '400000000000d'",
      'topology.ts:16 graph w: size must be at least 1 ms, not 0 ms',
      'topology.ts:22 graph cs: the id is used twice; ids identify state in checkpoints and must be unique',
      expect.stringMatching(/^topology\.ts:9 schema valid: /),
      expect.stringMatching(/^topology\.ts:13 stream other: .*no stream 'a\/none'/),
      expect.stringMatching(/^topology\.ts:20 table l: .*missing\.json: there is no such file/),
      expect.stringMatching(/^topology\.ts:21 connector c: .*no look-up 'nowhere'/),
    ]);
    const { code, out } = await sluice(['topology', 'check', 'topology.ts'], dir);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(
        /^topology\.ts:16:6: w: size must be at least 1 ms, not 0 ms\n {2}write a longer size$/m,
      ),
    ]);
    expect(out).toMatch(/\n9 problem\(s\)\n$/);
  });

  it('made of several files is told the file that the call is in', async () => {
    write(
      'parts.ts',
      `${head}export function addSink(events: any): void {\n  events.sinkTo('UPPER CASE', rejected());\n}\n`,
    );
    write(
      'topology.ts',
      `import { stream, topology } from 'sluice';\nimport { addSink } from './parts.ts';\nexport default topology('x', { version: 1, owner: 'a/b' }, (t) => addSink(t.source('s', stream('a/b'))));\n`,
    );
    expect(short(await problemsOf())).toEqual([
      expect.stringMatching(/^parts\.ts:6 graph UPPER CASE: an id must be 1 to 128/),
    ]);
  });

  it.each([
    [
      'does not compile, in two places',
      `${head}const = 1;\nimport './missing.ts';\n`,
      [/^topology\.ts:5 compile -: Expected identifier/],
    ],
    [
      'imports what is not there, twice',
      `${head}import './one.ts';\nimport './two.ts';\n`,
      [
        /^topology\.ts:5 compile -: Could not resolve/,
        /^topology\.ts:6 compile -: Could not resolve/,
      ],
    ],
    [
      'throws when it is loaded',
      `${head}const at = (n: number): never => {\n  throw new Error('no luck ' + n);\n};\nat(7);\n`,
      [/^topology\.ts:6 load -: .*no luck 7/],
    ],
    [
      'exports no topology',
      `${head}export default 7;\n`,
      [/^topology\.ts:1 load -: .*has no topology as its default export/],
    ],
    [
      'leaves a promise to fail',
      `${head}void Promise.reject(new Error('nobody waits'));\nexport default topology('x', { version: 1, owner: 'a/b' }, (t) => {\n  t.source('events', stream('a/b')).sinkTo('s', rejected());\n});\n`,
      [/^topology\.ts:5 load -: .*nobody waits/],
    ],
    [
      'ends the process',
      `${head}(globalThis as any).process.exit(0);\n`,
      [/load -: .*ended its process while it was loaded/],
    ],
    [
      'has a schema without $id',
      `import { schemaOf } from 'sluice';\nexport default schemaOf({});\n`,
      [/^topology\.ts:2 load -: .*needs an `\$id`/],
    ],
  ])('that %s', async (_what, text, expected) => {
    write('topology.ts', text);
    const problems = short(await problemsOf());
    for (const line of expected) expect(problems).toContainEqual(expect.stringMatching(line));
  });

  it('is told what to do about a file, a package and a built-in that cannot be had', async () => {
    const fixOf = async (text: string): Promise<string | undefined> => {
      write('topology.ts', text);
      return (await problemsOf()).find(({ kind }) => kind === 'compile')?.fix;
    };
    expect(await fixOf("export { default } from './none.ts';\n")).toMatch(/correct the path/);
    expect(await fixOf("export { default } from 'no-such-package';\n")).toMatch(
      /npm install no-such-package/,
    );
    expect(await fixOf("export { default } from 'node:fs';\n")).toMatch(/without Node built-ins/);
    rmSync(join(dir, 'topology.ts'));
    expect((await problemsOf())[0]).toMatchObject({
      kind: 'compile',
      message: saying({ end: ' topology.ts' }),
      fix: saying({ end: ' topology.ts' }),
    });
  });

  it('whose generated types are of another schema, or whose schema is none any more', async () => {
    const schema = {
      $id: 'row',
      title: 'Row',
      type: 'object',
      properties: { n: { type: 'integer' } },
    };
    write('row.schema.json', JSON.stringify(schema));
    expect((await sluice(['schema', 'types', 'row.schema.json'], dir)).code).toBe(0);
    write(
      'topology.ts',
      `import { stream, table, topology } from 'sluice';
import { row } from './row.gen.ts';
export default topology('x', { version: 1, owner: 'a/b' }, (t) => t.source('s', stream('a/b')).map(() => ({ n: 1 })).sinkTo('rows', table('rows', row)));
`,
    );
    expect(await problemsOf()).toEqual([]);
    write('row.schema.json', JSON.stringify({ ...schema, required: ['n'] }));
    expect(await problemsOf()).toMatchObject([
      {
        kind: 'stale',
        file: 'row.gen.ts',
        fix: saying({ code: ['sluice schema types row.schema.json'] }),
      },
    ]);
    write('row.schema.json', JSON.stringify({ ...schema, type: 'objekt' }));
    expect(await problemsOf()).toMatchObject([{ kind: 'schema', file: 'row.schema.json' }]);
  });

  it('that does not fit the last checkpoint of the instance in --dir', async () => {
    const row = schemaOf<{ n: number }>({
      $id: 'row',
      type: 'object',
      properties: { n: { type: 'integer' } },
    });
    const ran = topology('x', { version: 1, owner: 'a/b' }, (t) =>
      t
        .source('s', stream('a/b'))
        .map(() => ({ n: 1 }))
        .sinkTo('rows', table('rows', row)),
    );
    const manifest: Manifest = {
      manifestVersion,
      ...{
        topology: 'x',
        version: 1,
        checkpoint: 1,
        attempt: 1,
        createdAtMs: 0,
        positions: {},
        operators: {},
        sinks: {},
        counts: {},
      },
      ...{ retiring: [], keyExamples: {} },
      stateful: statefulNodes(ran.plan),
    };
    const data = join(dir, 'data');
    mkdirSync(data);
    await checkpointStore(localBlobStore(data), 'x').create(manifest, encodeManifest(manifest));
    const changed = `${head}export default topology('x', { version: 1, owner: 'a/b' }, (t) => {\n  t.source('renamed', stream('a/b')).map(() => ({ n: 1 })).sinkTo('rows', table('rows', row));\n});\n`;
    write('topology.ts', changed);
    expect(await problemsOf('--dir', data)).toMatchObject([
      { kind: 'state', node: null, message: saying({ names: ['s'] }) },
    ]);
    expect(await problemsOf('--dir', join(dir, 'other'))).toEqual([]);
    write('topology.ts', changed.replace('renamed', 's'));
    expect(await problemsOf('--dir', data)).toEqual([]);
  });

  it('is checked with what there is: without a configuration, and with one that is not valid', async () => {
    write(
      'topology.ts',
      `${head}export default topology('x', { version: 1, owner: 'a/b' }, (t) => t.source('s', stream('a/none')).sinkTo('r', rejected()));\n`,
    );
    write('sluice.yaml', 'streams:\n  - team: a\n    ap: b\n');
    expect(short(await problemsOf())).toEqual([
      expect.stringMatching(/^sluice\.yaml:3 configuration -: streams\[0\]\.ap/),
      expect.stringMatching(/configuration -: streams\[0\]\.app/),
    ]);
    rmSync(join(dir, 'sluice.yaml'));
    const { code, err, out } = await sluice(['topology', 'check', 'topology.ts'], dir);
    expect([code, out, err]).toEqual([
      0,
      "topology.ts: topology 'x' is valid, 2 nodes\n",
      expect.stringContaining('its streams and connectors are not checked'),
    ]);
  });

  it('in a project with options that this TypeScript does not know is checked by strict types, and that is said', async () => {
    write('tsconfig.json', '{"compilerOptions": {"baseUrl": ".", "moduleResolution": "node10"}}');
    write(
      'topology.ts',
      `${head}const n: number = 'x';\nexport default topology('x', { version: n, owner: 'a/b' }, (t) => t.source('s', stream('a/b')).sinkTo('r', rejected()));\n`,
    );
    const { code, out, err } = await sluice(['topology', 'check', 'topology.ts'], dir);
    expect([code, out]).toEqual([
      1,
      expect.stringMatching(/^topology\.ts:5:7: TS2322: [^\n]*\n.*\n.*version must be an integer/),
    ]);
    expect(err).toMatch(/strict types are checked, as tsconfig\.json cannot be used: TS5102/);
  });

  it('of the template has nothing to be told', async () => {
    const template = join(repository, 'deploy/cli/template/topology.ts');
    expect(readFileSync(template, 'utf8')).toContain('export default');
    expect(await sluice(['topology', 'check', template])).toMatchObject({ code: 0, err: '' });
  });
});
