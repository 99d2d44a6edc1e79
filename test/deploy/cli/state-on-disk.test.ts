/**
 * State at rest on disk under the real command: the folder is there while a topology runs, is told
 * by `sluice status`, and nothing of it is needed after a kill.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-state-on-disk-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const topologyText = `
import { schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ id: string }>({ $id: 'row', type: 'object', required: ['id'], properties: { id: { type: 'string' } } });
export default topology('clicks', { version: 1, owner: 'a/clicks' }, (t) => {
  t.source('clicks', stream('a/clicks'))
    .eventTime('time', () => 0, { outOfOrderness: 0 })
    .deduplicate('once', { by: (e) => e.id, within: '1h' })
    .map((e) => ({ id: e.id })).sinkTo('out', table('clicks', row));
});`;

function project(name: string, state: string): { readonly data: string; readonly args: string[] } {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(
    join(dir, 'sluice.yaml'),
    `streams: [{ team: a, app: clicks }]
topologies: [topology.ts]
local: { checkpoint_ms: 100, parquet_file_age_ms: 0, state: ${state} }
`,
  );
  writeFileSync(join(dir, 'topology.ts'), topologyText);
  return { data: join(dir, '.sluice'), args: ['--config', join(dir, 'sluice.yaml')] };
}

const runsIn = (folder: string): readonly string[] =>
  existsSync(folder) ? readdirSync(folder) : [];

it('is in the folder of the instance, and gone after a stop', async () => {
  const { data, args } = project('default', '{ backend: disk }');
  mkdirSync(join(data, 'state', 'run-left'), { recursive: true });
  writeFileSync(join(data, 'state', 'run-left', '1-1.records'), 'of a run that was killed');
  const started = await startSluice(data, args);
  let runs: readonly string[] = [];
  await until(
    async () => {
      runs = runsIn(join(data, 'state'));
      const { out } = await sluice(['--dir', data, 'status']);
      return out.includes('running') && runs.length === 1 && runs[0] !== 'run-left';
    },
    () => `${runs.join(' ')} ${started.output()}`,
  );
  const status = JSON.parse((await sluice(['--dir', data, 'status', '--json'])).out);
  expect(status.topologies[0].job.state.folder).toBe(join(data, 'state'));
  expect(await started.stop()).toBe(0);
  expect(runsIn(join(data, 'state'))).toEqual([]);
});

it('says why a folder cannot be used', async () => {
  const file = join(root, 'file');
  writeFileSync(file, '');
  const { data, args } = project('unusable', `{ backend: disk, folder: ${join(file, 'state')} }`);
  const started = await startSluice(data, args);
  await until(
    () => started.output().includes(`the folder for state on disk, ${join(file, 'state')}, cannot`),
    () => started.output(),
  );
  await started.stop();
});
