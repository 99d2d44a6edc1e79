/**
 * What `npm run measure:house` counts, proved on planted files: each measure finds what it is for,
 * and nothing beside it.
 */
import { describe, expect, it } from 'vitest';
import { families } from '../tools/house/families.ts';
import { functionsOver } from '../tools/house/functions.ts';
import {
  codesOutside,
  kindSwitches,
  pointerFiles,
  proseMatches,
  vendorRooms,
} from '../tools/house/rules.ts';
import { type Source, withPlanted, withSources } from '../tools/house/sources.ts';
import { limitUses, wideLines, wordsOfPage } from '../tools/house/text.ts';
import { type Family, missingSamples, touchedFiles } from '../tools/house/touched.ts';
import { root, run } from './support.ts';

function measured<T>(
  files: Readonly<Record<string, string>>,
  measure: (sources: readonly Source[]) => T,
): T {
  return withPlanted(files, measure);
}

const places = (found: readonly { path: string; line: number }[]): string[] =>
  found.map(({ path, line }) => `${path}:${line}`);

describe('files to touch', () => {
  const family: Family = {
    name: 'shape',
    wanted: 2,
    members: ['circle', 'square', 'roundBox', 'star'],
    samples: ['roundBox'],
  };
  const touched = (files: Readonly<Record<string, string>>, pages: Record<string, string> = {}) =>
    measured(files, (sources) =>
      touchedFiles(
        [family],
        sources,
        Object.entries(pages).map(([path, text]) => ({ path, text })),
      ).flatMap(({ touched: { files: paths } }) => paths),
    );

  it('are its own folder and its test, however many files they have', () => {
    expect(
      touched({
        'shapes/round-box/area.ts': 'export const roundBoxArea = 1;\n',
        'shapes/round-box/draw.ts': 'export const drawRoundBox = 1;\n',
        'test/shapes/round-box.test.ts': "export const a = 'roundBox';\n",
      }),
    ).toEqual(['shapes/round-box/ (its own)', 'its test']);
  });

  it('are those that name it: in an identifier, a string, a path or a type', () => {
    const naming = {
      'a.ts': 'export const newRoundBoxes = 1;\nexport const roundBoxOf = 2;\n',
      'b.ts': "export const kinds = ['roundBox'];\n",
      'c.ts': "export * from './round-box.ts';\n",
      'd.ts': 'export interface RoundBoxNode {\n  readonly a: 1;\n}\n',
    };
    expect(touched({ ...naming, 'e.ts': "export const other = 'roundabout';\n" })).toEqual([
      'its test',
      ...Object.keys(naming),
    ]);
  });

  it('are not those that use it, speak of it or show it', () => {
    expect(
      touched({
        'uses.ts': 'export const drawn = (paper: any) => paper.roundBox(1);\n',
        'speaks.ts': "// A roundBox.\nexport const help = 'a roundBox is drawn';\n",
        'topology/examples/a/topology.ts': "export const a = 'roundBox';\n",
      }),
    ).toEqual(['its test']);
  });

  it('are tests and pages that list the family, not those that name a part of it', () => {
    const all = "export const all = ['circle', 'square', 'roundBox'];\n";
    expect(
      touched(
        {
          'test/all.test.ts': all,
          'test/two.test.ts': "export const two = ['circle', 'roundBox'];\n",
        },
        {
          'all.md': '`circle`, `square`\n```ts\nroundBox();\n```\n',
          'prose.md': 'circle, square, roundBox\n',
          'strewn.md': '## A\n`circle`, `square`\n\n## B\n`roundBox`\n',
          'made.md': '<!-- generated -->\n`circle` `square` `roundBox` `star`\n',
        },
      ),
    ).toEqual(['its test', 'test/all.test.ts', 'all.md']);
  });

  it('are where it is declared, where naming it elsewhere is a use', () => {
    const declared = [{ ...family, declaredIn: ['schemas/'] }];
    const text = "export const a = 'roundBox';\n";
    const files = measured({ 'schemas/a.ts': text, 'ingest/a.ts': text }, (sources) =>
      touchedFiles(declared, sources, []).flatMap(({ touched: { files: paths } }) => paths),
    );
    expect(files).toEqual(['its test', 'schemas/a.ts']);
  });

  it('a sample that is gone is told', { timeout: 120_000 }, () => {
    const gone = measured({ 'a.ts': 'export const circle = 1;\n' }, (sources) =>
      missingSamples([{ ...family, samples: ['circle', 'roundBox'] }], sources),
    );
    expect(gone).toEqual(['roundBox']);
    expect(withSources(root, (sources) => missingSamples(families, sources))).toEqual([]);
  });
});

it('functions are as long as they reach, of every form, and tests do not count', () => {
  const body = '\n'.repeat(3);
  const found = measured(
    {
      'a.ts': [
        `export function four(): void {${body}}`,
        `export const arrow = (): void => {${body}};`,
        `export class A {\n  constructor() {${body}}\n  method(): void {${body}}\n}`,
        'export function three(): void {\n\n}',
      ].join('\n'),
      'test/a.ts': `export function four(): void {${body}}\n`,
    },
    (sources) => functionsOver(3, sources),
  );
  expect(found.map(({ name, line, lines }) => `${name} ${line} ${lines}`)).toEqual([
    'four 1 4',
    'arrow 5 4',
    'constructor 10 4',
    'method 14 4',
  ]);
});

it('switches and tables over kinds count outside the registry, with half of the kinds or more', () => {
  const choice = (name: string, ...kinds: string[]) =>
    `export function ${name}(kind: string): void {\n  switch (kind) {\n${kinds
      .map((kind) => `    case '${kind}':\n`)
      .join('')}      return;\n  }\n}\n`;
  const files = {
    'a.ts': choice('both', 'map', 'filter'),
    'b.ts': choice('one', 'map'),
    'c.ts': 'export const table = {\n  map: 1,\n  filter: 2,\n};\n',
    'd.ts': 'export const stream = {\n  map(): void {},\n  filter(): void {},\n};\n',
    'registry/a.ts': choice('both', 'map', 'filter'),
  };
  const found = measured(files, (sources) =>
    kindSwitches(['map', 'filter', 'union'], ['registry/'], sources),
  );
  expect(places(found)).toEqual(['a.ts:2', 'c.ts:1']);
});

it('a vendor in two folders is told, however it is imported, and types do not count', () => {
  const found = measured(
    {
      'a/one.ts': "import { S3 } from 's3';\nexport const s3 = S3;\n",
      'b/two.ts': "export const later = () => import('s3');\n",
      'c/three.ts': "import type { S3 } from 's3';\nexport type Three = S3;\n",
      'a/kafka.ts': "import 'kafka';\n",
      'a/more.ts': "import 'kafka';\n",
      'test/kafka.ts': "import 'kafka';\n",
    },
    (sources) => vendorRooms(['s3', 'kafka'], sources),
  );
  expect(found).toEqual([{ vendor: 's3', rooms: ['a', 'b'] }]);
});

it('JSON pointers: files that know the escapes', () => {
  const found = measured(
    {
      'reads.ts': "export const read = (a: string) => a.replaceAll('~1', '/');\n",
      'writes.ts': "export const write = (a: string) => a.replace(/~/g, '~0');\n",
      'pattern.ts': 'export const pattern = /~(?![01])/;\n',
      'other.ts': "export const home = '~/sluice';\nexport const not = ~1;\n",
    },
    pointerFiles,
  );
  expect(found.sort()).toEqual(['pattern.ts', 'reads.ts', 'writes.ts']);
});

it('codes that are not in the table are told, those of systems are not', () => {
  const found = measured(
    {
      'a.ts': [
        "export const known = new SluiceError('known', 'a');",
        "export const unknown = new SluiceError('not-known', 'a');",
        "export const refusal = { status: 400, code: 'no-such' };",
        "export const system = { code: 'ENOENT' };",
      ].join('\n'),
      'test/a.ts': "export const planted = { code: 'planted' };\n",
    },
    (sources) => codesOutside(new Set(['known']), sources),
  );
  expect(found.map(({ line, what }) => `${line} ${what}`)).toEqual(['2 not-known', '3 no-such']);
});

it('prose that tests match: in toThrow, and for a message, a fix or what was expected', () => {
  const found = measured(
    {
      'test/a.test.ts': [
        "expect(f).toThrow('it is too large');",
        'expect(f).toThrow(/too large/);',
        "expect(f).toThrow('too-large');",
        "expect(error.message).toContain('of the');",
        "expect(error).toMatchObject({ code: 'a', message: 'it is too large' });",
        "expect(rows).toEqual([{ fix: expect.stringContaining('smaller ones') }]);",
        "expect(stdout).toContain('is ready');",
        "expect(row).toEqual({ title: 'Of mice and men' });",
        "expect(await problem(async () => { throw new Error('my own'); })).toBe(1);",
        "const planted = 'throw new Error(`no luck today`)';",
        "expect(f).toThrow('no luck today');",
        'expect(f).toThrow(/too\\slarge/);',
        'expect(f).toThrow(/^\\w+\\s[a-z]/);',
        "expect(namesIn(error.fix)).toEqual(['a b']);",
        "expect(shown(error.fix)).toEqual(['run it again']);",
        "expect(error).toMatchObject({ fix: saying({ code: ['sluice skip x'] }) });",
        "expect(f).toThrow(expect.objectContaining({ type: 'error 71' }));",
        "expect(f).toThrow(expect.objectContaining({ message: 'error 72' }));",
      ].join('\n'),
      'a.ts': "expect(f).toThrow('it is too large');\n",
    },
    proseMatches,
  );
  expect(places(found)).toEqual(
    [1, 2, 4, 5, 6, 12, 15, 18].map((line) => `test/a.test.ts:${line}`),
  );
});

it('wide lines are those that would be too wide without their longest literal', () => {
  const long = 'x'.repeat(60);
  const found = measured(
    {
      'a.ts': [
        `export const text = '${long}${long}';`,
        `// https://example.com/${long}${long}`,
        `// ${long} ${long}`,
        `export const sum = { ${long}: 1, b${long}: 'a' };`,
        'export const short = 1;',
      ].join('\n'),
    },
    (sources) => wideLines(100, sources),
  );
  expect(found).toEqual(['a.ts:3', 'a.ts:4']);
});

it('words of a page: no code, no tables, no marks', () => {
  const page =
    '# Two words\n\n- three (`code`) more\n\n```sh\nnpm ci\n```\n\n| a | b |\n|---|---|\n';
  expect(wordsOfPage(page)).toBe(5);
});

it('limits: the keys, and how many files use each', () => {
  const found = measured(
    {
      'limits.ts': 'export const limits = { aMax: 1, bMax: 2, cMax: 3 } as const;\n',
      'one.ts': 'export const a = limits.aMax + limits.bMax;\n',
      'two.ts': 'const { bMax: most } = limits;\nexport const b = most;\n',
      'same-name.ts': 'export const aMax = options.aMax;\n',
      'test/a.ts': 'export const c = limits.cMax;\n',
    },
    (sources) => limitUses('limits.ts', sources),
  );
  expect(found).toEqual([
    { name: 'aMax', files: 1 },
    { name: 'bMax', files: 2 },
    { name: 'cMax', files: 0 },
  ]);
});

it('the command measures this repository', { timeout: 120_000 }, () => {
  const done = run(root, process.execPath, 'dist/test/tools/measure-house.js', '--json');
  const rows = JSON.parse(done.stdout) as { what: string; measured: number; found: unknown[] }[];
  expect(done.status).toBe(0);
  expect(rows.length).toBe(16);
  for (const { measured: count, found } of rows)
    expect(found.length === 0 || found.length === count).toBe(true);
  expect(rows.find(({ what }) => what === 'keys of limits.ts')?.measured).toBeGreaterThan(10);
});
