/**
 * State that is let go by name, and staged output that never is: with the real commands, over
 * restarts under changed topologies.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { statusOf } from '../../tools/instance-asked.ts';
import type { Started } from '../support.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-drop-state-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Rows stay open for an hour, so that a stop leaves them staged. */
const config = `streams:
  - team: a
    app: clicks
topologies: [topology.ts]
local: { checkpoint_ms: 100, parquet_file_age_ms: 3600000 }
`;
const once =
  ".eventTime('time', () => 0, { outOfOrderness: 0 }).deduplicate('once', { by: (e) => e.id, within: '1h' })";

const topologyText = ({
  name = 'clicks',
  between = '',
  sink = 'out',
  table = 'clicks',
  column = 'integer',
} = {}): string => `
import { schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ id: string; n: any }>({ $id: 'row', type: 'object', required: ['id', 'n'], properties: { id: { type: 'string' }, n: { type: '${column}' } } });
export default topology('${name}', { version: 1, owner: 'a/clicks' }, (t) => {
  t.source('clicks', stream('a/clicks'))${between}.map((e) => ({ id: e.id, n: (e.data as { n: number }).n })).sinkTo('${sink}', table('${table}', row));
});`;

interface Project {
  readonly data: string;
  write(text: string): void;
  start(...options: readonly string[]): Promise<Started>;
  run(...args: readonly string[]): ReturnType<typeof sluice>;
  ids(table: string): Promise<readonly unknown[]>;
}

function project(name: string): Project {
  const dir = join(root, name);
  const data = join(dir, '.sluice');
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'sluice.yaml'), config);
  const args = ['--config', join(dir, 'sluice.yaml')];
  return {
    data,
    write: (text) => writeFileSync(join(dir, 'topology.ts'), text),
    start: (...options) => startSluice(data, args, ['--port', '0', ...options]),
    run: (...command) => sluice(['--dir', data, ...args, ...command]),
    async ids(table) {
      if (!tablesOf(join(data, 'lake')).includes(table)) return [];
      return (await queryLake(join(data, 'lake'), `SELECT id FROM ${table} ORDER BY id`)).rows.map(
        (row) => (row as unknown[])[0],
      );
    },
  };
}

async function send({ url }: Started, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const headers = { 'content-type': 'application/json', 'x-event-id': id };
    expect(
      (await fetch(`${url}/v1/a/clicks`, { method: 'POST', body: `{"n":1}`, headers })).status,
    ).toBe(200);
  }
}

/**
 * Waits until the rows are in the sink's hands, and stops: they are staged then, and not visible.
 */
async function stopWith(rows: number, started: Started, project: Project): Promise<void> {
  await until(async () => {
    const status = await statusOf(project.data);
    return status?.topologies[0]?.job?.uncommittedRows === rows;
  }, started.output);
  expect(await started.stop()).toBe(0);
}

it('commits what a renamed, a moved and a removed sink staged, under kills too', {
  timeout: 120_000,
}, async () => {
  const of = project('sinks');
  of.write(topologyText());
  let started = await of.start();
  await send(started, 'e1', 'e2');
  await stopWith(2, started, of);
  expect(await of.ids('clicks')).toEqual([]);

  // Another id: it goes on with what the old one staged.
  of.write(topologyText({ sink: 'renamed' }));
  started = await of.start();
  await send(started, 'e3');
  await stopWith(3, started, of);
  expect(await of.ids('clicks')).toEqual([]);

  // Another table: what was staged for the old one becomes visible, also when its state is named to
  // be dropped.
  of.write(topologyText({ sink: 'renamed', table: 'other' }));
  started = await of.start('--drop-state', 'renamed');
  await until(async () => (await of.ids('clicks')).length === 3, started.output);
  await started.stop('SIGKILL');
  started = await of.start();
  await send(started, 'e4');
  await stopWith(1, started, of);
  expect(await of.ids('clicks')).toEqual(['e1', 'e2', 'e3']);
  expect(await of.ids('other')).toEqual([]);
});

it('drops the state of what is named, once, and refuses what there is not', {
  timeout: 120_000,
}, async () => {
  const of = project('names');
  of.write(topologyText({ between: once }));
  let started = await of.start();
  await send(started, 'e1');
  await stopWith(1, started, of);

  const unknown = await of.run('start', '--port', '0', '--drop-state', 'nobody');
  expect(unknown).toMatchObject({
    code: 1,
    err: expect.stringContaining(
      "invalid --drop-state 'nobody': no checkpoint has state of it",
    ) as string,
  });
  expect(unknown.err).toContain('clicks: clicks, time, once, out');
  const nameless = await of.run('start', '--port', '0', '--drop-state');
  expect(nameless).toMatchObject({
    code: 1,
    err: expect.stringContaining('clicks: clicks, time, once, out') as string,
  });

  // Gone without a word: refused, with what to do.
  of.write(topologyText());
  started = await of.start();
  await until(
    () => started.output().includes("deduplicate 'once' was removed: its state would be dropped"),
    started.output,
  );
  expect(started.output()).toContain('--drop-state time,once');
  await started.stop();

  // Only what is named: the other one still refuses.
  started = await of.start('--drop-state', 'time');
  await until(() => started.output().includes("deduplicate 'once' was removed"), started.output);
  expect(started.output()).not.toContain("eventTime 'time' was removed");
  await started.stop();

  started = await of.start('--drop-state', 'time', '--drop-state', 'once');
  await send(started, 'e2');
  await stopWith(2, started, of);

  // Of its source: it reads the stream from its beginning, and keeps the output.
  started = await of.start('--drop-state', 'clicks');
  await stopWith(4, started, of);
});

it('finds a column of another type before a start and at it, and rejects no row for it; makes visible what a topology had staged that is renamed', {
  timeout: 120_000,
}, async () => {
  const of = project('columns');
  of.write(topologyText());
  let started = await of.start();
  await send(started, 'e1');
  await stopWith(1, started, of);
  of.write(topologyText({ column: 'string' }));
  const message =
    "its column 'n' was an integer in the table 'clicks', now it is text: readers cannot unify them";
  const checked = await of.run('--json', 'topology', 'check', join(of.data, '../topology.ts'));
  expect(checked.code).toBe(1);
  expect(checked.out).toContain(message);
  started = await of.start();
  await until(() => started.output().includes(message), started.output);
  await send(started, 'e2');
  await started.stop();
  // Nor can all readers read integers and numbers as one column.
  of.write(topologyText({ column: 'number' }));
  expect((await of.run('topology', 'check', join(of.data, '../topology.ts'))).code).toBe(1);
  of.write(topologyText());
  started = await of.start();
  await stopWith(2, started, of);
  expect((await queryLake(join(of.data, 'lake'), 'SELECT count(*) FROM rejected')).rows).toEqual([
    [0],
  ]);

  of.write(topologyText({ name: 'other', table: 'other' }));
  started = await of.start();
  await until(
    () =>
      started
        .output()
        .includes(
          "'clicks' is no longer in any topology file: 2 rows that it had staged are visible now",
        ),
    started.output,
  );
  expect(await of.ids('clicks')).toEqual(['e1', 'e2']);
  await started.stop();
  // Under its old name it goes on where it was.
  of.write(topologyText());
  started = await of.start();
  await send(started, 'e3');
  await stopWith(1, started, of);
  expect(await of.ids('clicks')).toEqual(['e1', 'e2']);
});
