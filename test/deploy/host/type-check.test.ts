/**
 * The type check of a topology: what it finds and where, in whose project, and that it ends.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileStamps } from '../../../deploy/host/file-stamps.ts';
import type { TypeCheck } from '../../../deploy/host/type-check.ts';
import { checkTypes } from '../../../deploy/host/type-check.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { temporaryFolder } from '../../repo/support.ts';
import { saying } from '../../said.ts';

interface Checked {
  readonly result: TypeCheck;
  readonly stamps: FileStamps;
  readonly dir: string;
}

async function check(
  files: Readonly<Record<string, string>>,
  options: { clock?: Clock; signal?: AbortSignal } = {},
): Promise<Checked> {
  const dir = temporaryFolder('types');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    writeFileSync(join(dir, name), text);
  }
  const stamps = new FileStamps();
  const [file = ''] = Object.keys(files);
  const { clock = systemClock, signal = new AbortController().signal } = options;
  return {
    result: await checkTypes({
      file: join(dir, file),
      outDir: join(dir, 'out'),
      clock,
      signal,
      stamps,
    }),
    stamps,
    dir,
  };
}

const found = ({ result }: Checked): readonly string[] =>
  result.kind === 'checked'
    ? result.findings.map(({ place, message }) => `${place?.line}:${place?.column} ${message}`)
    : [result.why];

describe('the types of a topology', () => {
  it('are right, though nothing is installed beside it', async () => {
    const text =
      "import { stream } from 'sluice';\nexport const s: { readonly stream: string } = stream('a/b');\nconsole.log(s);\n";
    expect(found(await check({ 'topology.ts': text }))).toEqual([]);
  });

  it('are told with all lines of a message, and the files that they are in are noted', async () => {
    const checked = await check({
      'topology.ts':
        "import type { Wanted } from './types.ts';\n\nexport const given: Wanted = { inner: { n: 'x' } };\nexport const n: string = 1;\n",
      'types.ts': 'export interface Wanted { inner: { n: number } }\n',
    });
    expect(found(checked)).toEqual([
      expect.stringMatching(/^3:41 TS2322: Type 'string'/),
      expect.stringMatching(/^4:14 TS2322: /),
    ]);
    expect(checked.stamps.paths).toEqual(
      expect.arrayContaining([join(checked.dir, 'topology.ts'), join(checked.dir, 'types.ts')]),
    );
  });

  it('are those of its project', async () => {
    const text = 'export const first = (list: readonly string[]): string => list[0];\n';
    expect(found(await check({ 'topology.ts': text }))).toEqual([]);
    const strict =
      '{"compilerOptions": {"module": "esnext", "moduleResolution": "bundler", "strict": true, "noUncheckedIndexedAccess": true}}';
    expect(found(await check({ 'topology.ts': text, 'tsconfig.json': strict }))).toEqual([
      expect.stringMatching(/^1:59 TS2322: /),
    ]);
    // Of what is in the project beside it nothing is checked.
    expect(
      found(
        await check({
          'topology.ts': 'export {};\n',
          'other.ts': 'const n: string = 1;\n',
          'tsconfig.json': strict,
        }),
      ),
    ).toEqual([]);
  });

  it('are checked where the project names some that are not installed, and missed where they are used', async () => {
    const project =
      '{"compilerOptions": {"module": "esnext", "moduleResolution": "bundler", "strict": true, "types": ["node"]}}';
    const good = await check({ 'topology.ts': 'export {};\n', 'tsconfig.json': project });
    expect([found(good), good.result]).toEqual([
      [],
      expect.objectContaining({ note: expect.stringMatching(/cannot be used: TS2688/) as string }),
    ]);
    expect(
      found(await check({ 'topology.ts': 'process.exit();\n', 'tsconfig.json': project })),
    ).toEqual([expect.stringMatching(/^1:1 TS2\d+: /)]);
  });

  it('are none in JavaScript', async () => {
    expect(found(await check({ 'topology.mjs': 'export const n = 1 + ;\n' }))).toEqual([]);
  });
});

describe('a type check', () => {
  it('ends after its time, and says so', async () => {
    const hasty: Clock = {
      ...systemClock,
      setTimer: (_delayMs, fire) => systemClock.setTimer(0, fire),
    };
    await expect(check({ 'topology.ts': 'export {};\n' }, { clock: hasty })).rejects.toMatchObject({
      code: 'types-timeout',
      message: saying({ numbers: [30] }),
    });
  });

  it('ends when it is not wanted any more, also before it began', async () => {
    const stop = new AbortController();
    const checking = check({ 'topology.ts': 'export {};\n' }, { signal: stop.signal });
    stop.abort();
    await expect(checking).rejects.toMatchObject({ code: 'trial-aborted' });
    await expect(
      check({ 'topology.ts': 'export {};\n' }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: 'trial-aborted',
    });
  });
});
