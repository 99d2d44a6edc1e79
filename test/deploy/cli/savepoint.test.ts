/**
 * Savepoints with the real commands: taken of an instance under load, kept over a reset of its
 * checkpoints, and started from; what tables, the rejected table and a graph have afterwards.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { statusOf } from '../../tools/instance-asked.ts';
import type { Ran, Started } from '../support.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-savepoint-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const config = `streams:
  - team: a
    app: clicks
topologies: [topology.ts]
local: { checkpoint_ms: 100 }
`;

/** What each user has clicked so often; \`factor\` is what an upgrade gets wrong. */
const topologyText = ({ factor = 1, more = '' } = {}): string => `
import { graph, graphModel, schemaOf, stream, table, topology, value } from 'sluice';
const click = schemaOf<{ user: string }>({ $id: 'click', type: 'object', required: ['user'], properties: { user: { type: 'string' } } });
const row = schemaOf<{ id: string; user: string; nth: number }>({ $id: 'row', type: 'object', required: ['id', 'user', 'nth'], properties: { id: { type: 'string' }, user: { type: 'string' }, nth: { type: 'integer' } } });
const model = graphModel({ nodes: { User: { key: 'name', props: { name: 'string', nth: 'integer' } } } });
export default topology('clicks', { version: 1, owner: 'a/clicks' }, (t) => {
  const nth = t.source('clicks', stream('a/clicks'))
    .validate('valid', click)
    .eventTime('time', () => 0, { outOfOrderness: 0 })
    .deduplicate('once', { by: (e) => e.id, within: '1h' })
    .keyBy((e) => e.data.user)
    .process('nth', {
      state: { n: value<number>() },
      onElement: (e, { state }) => {
        const n = (state.n.get() ?? 0) + 1;
        state.n.set(n);
        return [{ id: e.id, user: e.data.user, nth: n * ${factor} }];
      },
    });${more}
  nth.sinkTo('out', table('clicks', row, { rowId: true }));
  nth.sinkTo('users', graph(model, ({ user, nth }) => [model.User({ name: user, nth })]));
});`;

class Project {
  readonly data: string;
  readonly #dir: string;
  readonly #args: readonly string[];
  started: Started | undefined;

  constructor(name: string) {
    this.#dir = join(root, name);
    this.data = join(this.#dir, '.sluice');
    mkdirSync(this.#dir, { recursive: true });
    writeFileSync(join(this.#dir, 'sluice.yaml'), config);
    this.#args = ['--config', join(this.#dir, 'sluice.yaml')];
    this.write(topologyText());
  }

  write(text: string): void {
    writeFileSync(join(this.#dir, 'topology.ts'), text);
  }

  async start(...options: readonly string[]): Promise<Started> {
    this.started = await startSluice(this.data, this.#args, ['--port', '0', ...options]);
    const { output } = this.started;
    await until(() => output().includes('runs\n'), output);
    return this.started;
  }

  run(...command: readonly string[]): Promise<Ran> {
    return sluice(['--dir', this.data, ...this.#args, ...command]);
  }

  /** Sends the events `first` to `last`; each fifth is refused by the schema. */
  async send(first: number, last: number): Promise<void> {
    for (let n = first; n <= last; n++) {
      const headers = {
        'content-type': 'application/json',
        'x-event-id': `e${n}`,
        'x-partition-key': `u${n % 3}`,
      };
      const body = n % 5 === 0 ? '{"user":1}' : `{"user":"u${n % 3}"}`;
      const url = `${this.started?.url}/v1/a/clicks`;
      const { status } = await fetch(url, { method: 'POST', body, headers });
      expect(status).toBe(200);
    }
  }

  async ask(sql: string): Promise<readonly (readonly unknown[])[]> {
    const lake = join(this.data, 'lake');
    if (!tablesOf(lake).includes('clicks')) return [];
    return (await queryLake(lake, sql)).rows as readonly (readonly unknown[])[];
  }

  /** Waits until the table has that many different events. */
  async hasIds(wanted: number): Promise<void> {
    await until(
      async () =>
        Number((await this.ask('SELECT count(DISTINCT id) FROM clicks'))[0]?.[0] ?? 0) >= wanted,
      () => this.started?.output() ?? '',
    );
  }

  /** Waits until nothing is between the streams and what can be read. */
  async settled(): Promise<void> {
    await until(async () => {
      const job = (await statusOf(this.data))?.topologies[0]?.job;
      return job?.uncommittedRows === 0 && job.splits.every(({ lag }) => lag === 0);
    });
  }

  async graph(): Promise<readonly unknown[]> {
    const { out } = await this.run(
      '--json',
      'graph',
      'MATCH (u:User) RETURN u.name AS name, u.nth AS nth ORDER BY name',
    );
    return JSON.parse(out) as unknown[];
  }
}

/** Of the events 1 to `last`: by id how often its user had clicked by then. */
function oracle(last: number): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const users = new Map<number, number>();
  for (let n = 1; n <= last; n++) {
    if (n % 5 === 0) continue;
    const nth = (users.get(n % 3) ?? 0) + 1;
    users.set(n % 3, nth);
    found.set(`e${n}`, nth);
  }
  return found;
}

it('brings a topology back from an upgrade that went wrong, with equal rows under equal ids', {
  timeout: 240_000,
}, async () => {
  const of = new Project('upgrade');
  await of.start();
  await of.send(1, 30);
  // Under load: events come while it is taken.
  const sending = of.send(31, 60);
  const taken = await of.run('--json', 'savepoint', 'clicks', '--name', 'before-2.0');
  await sending;
  expect(taken).toMatchObject({ code: 0 });
  expect(JSON.parse(taken.out)).toMatchObject({
    topology: 'clicks',
    name: 'before-2.0',
    isWhole: true,
  });
  await of.hasIds(48);
  const again = await of.run('savepoint', 'clicks', '--name', 'before-2.0');
  expect(again).toMatchObject({
    code: 1,
    err: expect.stringContaining("'clicks' has a savepoint 'before-2.0' already") as string,
  });
  const listed = await of.run('savepoint', 'list');
  expect(listed.out).toMatch(/^clicks {2}before-2\.0 {2}20.* checkpoint \d+ {2}\d+ files, /);
  await of.started?.stop();

  of.write(topologyText({ factor: 1_000 }));
  await of.start();
  await of.send(61, 75);
  await of.hasIds(60);
  await of.started?.stop();
  const wrong = await of.ask('SELECT count(*) FROM clicks WHERE nth >= 1000');
  expect(Number(wrong[0]?.[0])).toBe(12);

  of.write(topologyText());
  const refused = await of.run('start', '--port', '0', '--from', 'savepoint:before');
  expect(refused).toMatchObject({
    code: 1,
    err: expect.stringContaining('use one of: clicks/before-2.0') as string,
  });
  const { output } = await of.start('--from', 'savepoint:before-2.0');
  expect(output()).toContain("it starts from the savepoint 'before-2.0' of 20");
  await of.send(76, 90);
  await of.hasIds(72);
  await of.settled();
  // Every event's right row is there; those of after the savepoint are there again.
  const rows = await of.ask('SELECT DISTINCT id, nth FROM clicks WHERE nth < 1000 ORDER BY id');
  expect(new Map(rows.map(([id, nth]) => [id, Number(nth)]))).toEqual(oracle(90));
  // A row that was made again has the id that it had: one of each is right, the newest.
  const [counts] = await of.ask(
    'SELECT count(DISTINCT row_id), count(DISTINCT id), count(*) FROM clicks',
  );
  expect(Number(counts?.[0])).toBe(72);
  expect(Number(counts?.[1])).toBe(72);
  expect(Number(counts?.[2])).toBeGreaterThan(72);
  // One row for each refused event, however often it was read.
  const [refusals] = await of.ask('SELECT count(*), max(seen) FROM rejected');
  expect(Number(refusals?.[0])).toBe(18);
  expect(Number(refusals?.[1])).toBe(2);
  // The graph has each node once, as the right state says.
  const right = [...oracle(90)];
  expect(await of.graph()).toEqual(
    [0, 1, 2].map((user) => ({
      name: `u${user}`,
      nth: Math.max(
        ...right.filter(([id]) => Number(id.slice(1)) % 3 === user).map(([, nth]) => nth),
      ),
    })),
  );
  await of.started?.stop();
  // Once: the next start resumes from the last checkpoint.
  await of.start();
  await of.send(91, 91);
  await of.hasIds(73);
  const [after] = await of.ask('SELECT count(*) FROM clicks');
  expect(Number(after?.[0])).toBe(Number(counts?.[2]) + 1);
  await of.started?.stop();
});

it('survives kill -9, what happens to checkpoints, and a reset, until it is deleted by name', {
  timeout: 240_000,
}, async () => {
  const of = new Project('kept');
  await of.start();
  await of.send(1, 9);
  await of.hasIds(8);
  const taken = await of.run('savepoint', 'clicks');
  expect(taken.code).toBe(0);
  const name = /savepoint:clicks\/(\d{8}T\d{6}Z)/.exec(taken.out)?.[1] ?? '';
  await of.send(10, 12);
  await of.hasIds(10);
  await of.started?.stop('SIGKILL');
  rmSync(join(of.data, 'checkpoints'), { recursive: true });
  await of.start('--from', `savepoint:clicks/${name}`);
  await of.send(13, 14);
  await of.hasIds(12);
  const rows = await of.ask('SELECT DISTINCT id, nth FROM clicks');
  expect(new Map(rows.map(([id, nth]) => [id, Number(nth)]))).toEqual(oracle(14));

  const running = await of.run('start', '--from', `savepoint:${name}`);
  expect(running).toMatchObject({
    code: 1,
    err: expect.stringContaining('is in use by pid') as string,
  });
  await of.started?.stop();
  const dropped = await of.run('start', '--from', `savepoint:${name}`, '--drop-state', 'nobody');
  expect(dropped.err).toContain('the checkpoints have state of clicks: clicks, time, once, nth');
  await of.start('--from', `savepoint:clicks/${name}`, '--drop-state', 'clicks:nth');
  await of.send(15, 16);
  await until(
    async () => (await of.ask("SELECT nth FROM clicks WHERE id = 'e16'")).length > 0,
    () => of.started?.output() ?? '',
  );
  // u1 begins anew after the savepoint: e10, e13, e16.
  expect(await of.ask("SELECT nth FROM clicks WHERE id = 'e16'")).toEqual([[2]]);
  await of.started?.stop();

  const reset = await of.run('reset', '--yes');
  expect(reset).toMatchObject({
    code: 0,
    err: expect.stringContaining('savepoints stays') as string,
  });
  expect(readdirSync(of.data)).toEqual(['savepoints']);
  expect((await of.run('savepoint', 'list', 'clicks')).out).toContain(`clicks  ${name}  `);
  expect(await of.run('savepoint', 'delete', 'clicks', name)).toMatchObject({ code: 0 });
  expect((await of.run('savepoint', 'list')).out).toBe('there are no savepoints\n');
  expect(await of.run('savepoint', 'delete', 'clicks', name)).toMatchObject({ code: 1 });
  expect(existsSync(join(of.data, 'savepoints', 'clicks', name, 'manifest.json'))).toBe(false);
});

it('says what is wrong with a command, and needs a topology that runs', {
  timeout: 240_000,
}, async () => {
  const of = new Project('words');
  expect(await of.run('savepoint', 'clicks')).toMatchObject({
    code: 1,
    err: expect.stringContaining('no instance runs on') as string,
  });
  expect((await of.run('savepoint', 'clicks', 'more')).err).toContain(
    'expected `sluice savepoint TOPOLOGY [--name NAME]`',
  );
  expect((await of.run('savepoint', 'delete', 'clicks')).err).toContain(
    'expected `sluice savepoint delete TOPOLOGY NAME`',
  );
  expect((await of.run('savepoint', 'list', 'clicks', 'more')).err).toContain(
    'expected `sluice savepoint list [TOPOLOGY]`',
  );
  expect((await of.run('start', '--from', 'savepoint:')).err).toContain(
    "invalid --from 'savepoint:': expected savepoint:NAME",
  );
  await of.start();
  expect((await of.run('savepoint', 'other')).err).toContain("no topology 'other' runs here");
  expect((await of.run('savepoint', 'clicks', '--name', 'a b')).err).toContain(
    "invalid name of a savepoint 'a b'",
  );
  await of.started?.stop();
});
