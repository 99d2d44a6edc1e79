/**
 * Built topologies: what runs in production is what was checked, as it was checked.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  builtFileOf,
  openBuiltTopology,
  requireBuilt,
} from '../../../deploy/host/built-topology.ts';
import { importTopology } from '../../../deploy/host/topology-file.ts';
import { validateTopology } from '../../../topology/index.ts';
import { temporaryFolder } from '../../repo/support.ts';
import { sluice } from '../support.ts';

const text = `import { rejected, stream, topology } from 'sluice';
import { journey } from 'sluice/enrich';
import { name } from './name.ts';
export const kept = journey;
export default topology(name, { version: 1, owner: 'a/b' }, (t) => t.source('s', stream('a/b')).sinkTo('r', rejected()));
`;

function project(): { readonly dir: string; readonly file: string; readonly built: string } {
  const dir = temporaryFolder('built');
  const file = join(dir, 'topology.ts');
  writeFileSync(file, text);
  writeFileSync(join(dir, 'name.ts'), "export const name: string = 'built';\n");
  writeFileSync(
    join(dir, 'sluice.yaml'),
    'streams: [{team: a, app: b}]\ntopologies: [topology.ts]\n',
  );
  return { dir, file, built: builtFileOf(file) };
}

describe('a built topology', () => {
  it('is what its sources were, on another machine too, bound to the package that runs it', async () => {
    const { dir, built } = project();
    expect(await sluice(['topology', 'build'], dir)).toMatchObject({
      code: 0,
      out: 'topology.built.mjs written\n',
    });
    const elsewhere = join(dir, 'elsewhere');
    mkdirSync(elsewhere);
    renameSync(built, join(elsewhere, 'topology.built.mjs'));
    // Its sources are not there.
    const script = openBuiltTopology(join(elsewhere, 'topology.ts'), join(dir, 'scripts'));
    const { topology, plan } = await importTopology(script);
    expect([plan.name, validateTopology(topology)]).toEqual(['built', []]);
    expect(readFileSync(join(elsewhere, 'topology.built.mjs'), 'utf8')).not.toContain('file://');
  });

  it.each([
    [
      'is missing',
      ({ built }: ReturnType<typeof project>) => rmSync(built),
      'topology-unbuilt',
      /is not built: there is no .*topology\.built\.mjs/,
    ],
    [
      'was altered',
      ({ built }: ReturnType<typeof project>) =>
        writeFileSync(
          built,
          readFileSync(built, 'utf8').replace("'r'", "'x'").replace('"r"', '"x"'),
        ),
      'topology-altered',
      /is not as `sluice topology build` wrote it/,
    ],
    [
      'was cut',
      ({ built }: ReturnType<typeof project>) =>
        writeFileSync(built, readFileSync(built).subarray(0, -5)),
      'topology-altered',
      /is not as/,
    ],
    [
      'is a bundle of something else',
      ({ built }: ReturnType<typeof project>) => writeFileSync(built, 'export default 7;\n'),
      'topology-altered',
      /is not as/,
    ],
    [
      'is older than a source',
      ({ dir }: ReturnType<typeof project>) =>
        writeFileSync(join(dir, 'name.ts'), "export const name = 'other';\n"),
      'topology-altered',
      /name\.ts was changed after/,
    ],
  ])('that %s is refused, with what to do', async (_what, spoil, code, message) => {
    const made = project();
    expect((await sluice(['topology', 'build', 'topology.ts'], made.dir)).code).toBe(0);
    expect(() => requireBuilt([made.file])).not.toThrow();
    spoil(made);
    expect(() => requireBuilt([made.file])).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  it('is not made of one with findings; what the place has to have is not among them', async () => {
    const { dir, file, built } = project();
    writeFileSync(
      file,
      text.replace('name, {', 'String(name * 2), {').replace("'a/b'))", "'a/none'))"),
    );
    const { code, out } = await sluice(['topology', 'build'], dir);
    expect([code, out]).toEqual([1, expect.stringMatching(/^topology\.ts:5:32: TS2362/)]);
    expect(out).toMatch(/\n1 problem\(s\); nothing was built\n$/);
    expect(() => readFileSync(built)).toThrow(/ENOENT/);
    writeFileSync(file, text.replace("'a/b'))", "'a/none'))"));
    expect((await sluice(['topology', 'build'], dir)).code).toBe(0);
  });

  it('is all that enrich runs', async () => {
    const { dir } = project();
    const unbuilt = await sluice(['--dir', join(dir, 'data'), 'enrich', '--port', '0'], dir);
    expect([unbuilt.code, unbuilt.err]).toEqual([
      1,
      expect.stringMatching(
        /topology\.ts is not built: there is no topology\.built\.mjs\n.*sluice topology build topology\.ts/,
      ),
    ]);
    await sluice(['topology', 'build'], dir);
    const started = await sluice(['--dir', join(dir, 'data'), 'enrich', '--port', '0'], dir);
    // It goes on to what the services need.
    expect([started.code, started.err]).toEqual([1, expect.stringContaining('kafka.brokers')]);
  });
});
