/**
 * Topology files: what compiles, what does not and at which line, and that the author's `sluice` is
 * the engine's.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileStamps } from '../../../deploy/host/file-stamps.ts';
import {
  compileFindings,
  compileTopologyFile,
  loadTopologyFile,
} from '../../../deploy/host/topology-file.ts';
import type { SluiceError } from '../../../schemas/kernel/errors.ts';
import { describePlan, topology, validateTopology } from '../../../topology/index.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-topology-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(root, name);
  writeFileSync(path, text);
  return path;
}

const good = `
import { schemaOf, stream, table, topology } from 'sluice';
import { name } from './name.ts';
const row = schemaOf<{ id: string }>({ $id: 'row', type: 'object', required: ['id'], properties: { id: { type: 'string' } } });
export default topology(name, { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b')).map((e) => ({ id: e.id })).sinkTo('out', table('rows', row));
});`;

describe('a topology file', () => {
  it('is bundled with what it imports and loads as a graph', async () => {
    file('name.ts', "export const name: string = 'from-another-file';");
    const path = file('good.ts', good);
    const { topology: loaded, plan } = await loadTopologyFile(path);
    expect(plan.name).toBe('from-another-file');
    expect(validateTopology(loaded)).toEqual([]);
    const stamps = new FileStamps();
    await compileTopologyFile(path, join(root, 'build'), stamps);
    expect(stamps.paths).toEqual(
      expect.arrayContaining([path, join(root, 'name.ts'), join(root, 'package.json')]),
    );
  });

  it('has the ready mappings of sluice/enrich, which are of the same modules', async () => {
    const text = `
import { graph, session, stream, topology } from 'sluice';
import { journey } from 'sluice/enrich';
const visits = journey<any>({ id: (e) => e.id, time: (e) => e.time, user: (e) => e.data.user, page: (e) => e.data.page });
export default topology('visits', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b')).eventTime('time', (e) => e.time, { outOfOrderness: '1s' }).keyBy((e: any) => e.data.user)
    .window('sessions', session('30m')).aggregate({ path: visits.path }).out.sinkTo('journey', graph(visits.model, visits.writes));
});`;
    const { topology: loaded, plan } = await loadTopologyFile(file('visits.ts', text));
    expect(validateTopology(loaded)).toEqual([]);
    expect(plan.nodes.at(-1)).toMatchObject({
      sink: { kind: 'graph', model: { edges: { NEXT: { from: 'Event', to: 'Event' } } } },
    });
  });

  it('that does not compile is told by file, line and column', async () => {
    const path = file(
      'broken.ts',
      "import { topology } from 'sluice';\nexport default topology('x' 1);\n",
    );
    const refused = await loadTopologyFile(path).catch((thrown: unknown) => thrown as SluiceError);
    expect(refused).toMatchObject({
      code: 'topology-compile',
      message: expect.stringMatching(/broken\.ts:2:29:/) as string,
    });
    const [found, ...more] = compileFindings(refused as SluiceError);
    expect([found?.place, more]).toEqual([
      { file: expect.stringMatching(/broken\.ts$/) as string, line: 2, column: 29 },
      [],
    ]);
  });

  it('may not reach for the machine, nor for what sluice does not give', async () => {
    await expect(
      loadTopologyFile(file('node.ts', "import fs from 'node:fs';\nexport default fs;")),
    ).rejects.toMatchObject({
      code: 'topology-compile',
      message: expect.stringContaining('node:fs') as string,
    });
    await expect(
      loadTopologyFile(file('deep.ts', "import x from 'sluice/engine';\nexport default x;")),
    ).rejects.toMatchObject({
      message: expect.stringContaining('sluice/engine') as string,
    });
    await expect(loadTopologyFile(join(root, 'missing.ts'))).rejects.toMatchObject({
      code: 'topology-compile',
    });
  });

  it('that throws, or exports no topology, says so', async () => {
    await expect(
      loadTopologyFile(file('throws.ts', "throw new Error('no luck');")),
    ).rejects.toMatchObject({
      code: 'topology-load',
      message: expect.stringContaining('no luck') as string,
    });
    await expect(loadTopologyFile(file('none.ts', 'export default 7;'))).rejects.toMatchObject({
      code: 'topology-load',
    });
  });

  it('is drawn in Mermaid and DOT, and is JSON', () => {
    const { plan } = topology('drawn', { version: 1, owner: 'a/b' }, (t) => {
      const parts = t
        .source('in "quoted"', { stream: 'a/b', dataText: false })
        .split({ x: () => true });
      parts.x.sinkTo('rejects', { definition: { kind: 'rejected' } });
    });
    expect(describePlan(plan, 'mermaid')).toBe(
      'flowchart LR\n  n0(["in #quot;quoted#quot;<br/>source a/b"])\n  n1["in #quot;quoted#quot;/split<br/>split"]\n  n2[("rejects<br/>rejected")]\n  n0 --> n1\n  n1 -->|x| n2\n',
    );
    expect(describePlan(plan, 'dot')).toContain(
      '"in \\"quoted\\"/split" -> "rejects" [label="x"];',
    );
    expect(JSON.parse(describePlan(plan))).toEqual(plan);
    expect(Object.isFrozen(plan.nodes[0])).toBe(true);
  });
});
