/**
 * A topology with a graph sink, and `sluice graph`, as a person has them: questions to the running
 * instance and to the file, errors, a kill in mid-send, and an instance whose graph cannot be
 * opened.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { graphQueryMaxRows } from '../../../enrich/graph/ladybug/ask-ladybug.ts';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-graph-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const routes = `
import { graph, graphModel, stream, topology } from 'sluice';
const model = graphModel({
  nodes: { Airport: { key: 'code', props: { code: 'string', flights: 'integer' } } },
  edges: { ROUTE: { from: 'Airport', to: 'Airport', key: ['carrier'], props: { carrier: 'string', last: 'integer' } } },
});
export default topology('routes', { version: 1, owner: 'a/flights' }, (t) => {
  t.source('flights', stream('a/flights')).sinkTo('routes-graph', graph(model, (e) => {
    const { from, to, n } = e.data as { from: string; to: string; n: number };
    if (n === 13) throw new Error('an unlucky number');
    return [model.Airport({ code: from, flights: n }), model.ROUTE({ from, to, carrier: 'UA', last: n })];
  }));
});
`;
const rows = `
import { schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ n: number }>({ $id: 'row', type: 'object', properties: { n: { type: 'integer' } } });
export default topology('rows', { version: 1, owner: 'a/flights' }, (t) => {
  t.source('flights', stream('a/flights')).map((e) => ({ n: (e.data as { n: number }).n })).sinkTo('rows-table', table('rows', row));
});
`;

interface Project {
  readonly data: string;
  readonly args: readonly string[];
}

function project(
  name: string,
  ...topologies: readonly (readonly [file: string, text: string])[]
): Project {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  const list = topologies.map(([file]) => file).join(', ');
  const streams = 'streams:\n  - team: a\n    app: flights\n';
  writeFileSync(
    join(dir, 'sluice.yaml'),
    `${streams}topologies: [${list}]\nlocal: { checkpoint_ms: 100, parquet_file_age_ms: 0 }\n`,
  );
  for (const [file, text] of topologies) writeFileSync(join(dir, file), text);
  return { data: join(dir, '.sluice'), args: ['--config', join(dir, 'sluice.yaml')] };
}

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(`${url}/v1/a/flights`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  });

async function asked(data: string, statement: string): Promise<unknown> {
  const { code, out, err } = await sluice(['--json', '--dir', data, 'graph', statement]);
  return code === 0 ? (JSON.parse(out) as unknown) : `${out}${err}`;
}

describe('sluice graph', () => {
  it('asks the running instance, then the file; answers are tables or JSON, bounded, and errors are sentences', async () => {
    const { data, args } = project('asks', ['routes.ts', routes]);
    const started = await startSluice(data, args);
    await post(started.url, [
      { from: 'JFK', to: 'LAX', n: 1 },
      { from: 'LAX', to: 'JFK', n: 2 },
      { from: 'JFK', to: 'LAX', n: 13 },
      { from: 'JFK', to: 'LAX', n: 1.5 },
    ]);
    const all =
      'MATCH (a:Airport)-[e:ROUTE]->(b:Airport) RETURN a.code AS origin, b.code AS dest, e.last AS last ORDER BY last';
    const expected = [
      { origin: 'JFK', dest: 'LAX', last: 1 },
      { origin: 'LAX', dest: 'JFK', last: 2 },
    ];
    await until(
      async () => JSON.stringify(await asked(data, all)) === JSON.stringify(expected),
      started.output,
    );
    const table =
      'origin  dest  last\n------  ----  ----\nJFK     LAX      1\nLAX     JFK      2\n(2 rows)\n';
    const { out, err } = await sluice(['--dir', data, 'graph', all]);
    expect([out, err]).toEqual([table, expect.stringMatching(/^as of \d{4}-\d\d-\d\dT\S+Z\n$/)]);
    expect((await sluice(['--json', '--dir', data, 'graph', all])).err).toBe('');

    const many = await sluice([
      '--dir',
      data,
      'graph',
      `UNWIND range(1, ${graphQueryMaxRows + 5}) AS n RETURN n`,
    ]);
    expect([many.code, many.out, many.err]).toEqual([
      0,
      expect.stringContaining(`(${graphQueryMaxRows} rows)`) as string,
      expect.stringContaining(`these are the first ${graphQueryMaxRows} rows`) as string,
    ]);
    expect(await sluice(['--dir', data, 'graph', 'MATCH (n:Plane) RETURN n'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Plane does not exist[\s\S]*SHOW_TABLES/) as string,
    });
    expect(await sluice(['--dir', data, 'graph', 'MATCH (n) DETACH DELETE n'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('only statements that read') as string,
    });
    const status = JSON.parse((await sluice(['--json', '--dir', data, 'status'])).out) as {
      topologies: { job: { nodes: unknown[] } }[];
    };
    expect(status.topologies[0]?.job.nodes.at(-1)).toMatchObject({
      id: 'routes-graph',
      kind: 'sink',
      in: 4,
      passed: 2,
      rejected: 2,
    });
    let rejected: readonly unknown[] = [];
    await until(async () => {
      if (!tablesOf(join(data, 'lake')).includes('rejected')) return false;
      rejected = (
        await queryLake(
          join(data, 'lake'),
          'SELECT code, operator, message, pointer FROM rejected ORDER BY code',
        )
      ).rows;
      return rejected.length > 1;
    }, started.output);
    expect(rejected).toEqual([
      ['function-threw', 'routes-graph', 'an unlucky number', null],
      [
        'row-mismatch',
        'routes-graph',
        'must be an integer within 2^53, not 1.5',
        '/0/props/flights',
      ],
    ]);
    expect(await started.stop()).toBe(0);

    expect(await asked(data, all)).toEqual(expected);
    expect(await sluice(['--dir', data, 'graph', all])).toMatchObject({ out: table, err: '' });
    expect(await asked(data, 'MATCH (n:Airport) SET n.flights = 0')).toContain(
      'only statements that read',
    );
    expect((await sluice(['--dir', data, 'reset', '--yes'])).out).toContain('removed');
    expect(existsSync(data)).toBe(false);
  });

  it('says that there is no graph, whether an instance runs or not, and makes none', async () => {
    const { data, args } = project('none', ['rows.ts', rows]);
    const question = ['--dir', data, 'graph', 'MATCH (n) RETURN n'];
    expect(await sluice(question)).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no graph at') as string,
    });
    const started = await startSluice(data, args);
    expect(await sluice(question)).toMatchObject({
      code: 1,
      err: expect.stringContaining('there is no graph at') as string,
    });
    await started.stop();
    expect(existsSync(join(data, 'graph'))).toBe(false);
  });

  it('finds every acknowledged event once after SIGKILL in mid-send', async () => {
    const { data, args } = project('killed', ['routes.ts', routes]);
    let sent = 100;
    for (let round = 0; round < 2; round++) {
      const started = await startSluice(data, args);
      const end = sent + 400;
      const sending = (async () => {
        while (sent < end) {
          const batch = Array.from({ length: 20 }, (_, i) => ({
            from: `A${sent + i}`,
            to: `B${(sent + i) % 7}`,
            n: sent + i,
          }));
          const answer = await post(started.url, batch).catch(() => undefined);
          if (answer?.status !== 200) return;
          sent += 20;
        }
      })();
      await until(
        async () =>
          Number(
            ((await asked(data, 'MATCH (a:Airport) RETURN count(*) AS n')) as { n: number }[])[0]
              ?.n,
          ) > 50,
        started.output,
      );
      await started.stop('SIGKILL');
      await sending;
    }
    const again = await startSluice(data, args);
    const count =
      'MATCH (a:Airport)-[e:ROUTE]->(b:Airport) WHERE a.flights = e.last RETURN count(*) AS n';
    await until(
      async () => Number(((await asked(data, count)) as { n: number }[])[0]?.n) >= sent - 100,
      again.output,
    );
    const found = (await asked(
      data,
      'MATCH (a:Airport)-[e:ROUTE]->(b:Airport) RETURN e.last AS n ORDER BY n',
    )) as { n: number }[];
    const numbers = found.map(({ n }) => n);
    expect(numbers.slice(0, sent - 100)).toEqual(
      Array.from({ length: sent - 100 }, (_, i) => 100 + i).slice(0, numbers.length),
    );
    expect(new Set(numbers).size).toBe(numbers.length);
    await again.stop();
  });
});

describe('an instance whose graph cannot be opened', () => {
  const both = [
    ['routes.ts', routes],
    ['rows.ts', rows],
  ] as const;

  it('runs its other topologies, and the one with the graph says why it does not', async () => {
    const { data, args } = project('corrupt', ...both);
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'graph'), 'no graph at all'.repeat(500));
    const started = await startSluice(data, args);
    await until(
      () => /routes\.ts: .*graph cannot be opened/.test(started.output()),
      started.output,
    );
    await post(started.url, { from: 'JFK', to: 'LAX', n: 1 });
    await until(async () => {
      if (!tablesOf(join(data, 'lake')).includes('rows')) return false;
      return (await queryLake(join(data, 'lake'), 'SELECT n FROM rows')).rows.length === 1;
    }, started.output);
    const status = await sluice(['--dir', data, 'status']);
    expect(status.out).toMatch(/topology \? \(.*routes\.ts\): failed[\s\S]*graph cannot be opened/);
    expect(status.out).toMatch(/topology rows .*: running/);
    expect(await started.stop()).toBe(0);
  });

  it('does so when the native part is missing, with what to do about it', async () => {
    const { data, args } = project('native', ...both);
    const hook = join(root, 'hook.mjs');
    const missing = `export function resolve(name, context, next) { if (name === '@ladybugdb/core') throw new Error('no binary'); return next(name, context); }`;
    writeFileSync(
      hook,
      `import { register } from 'node:module';\nregister(${JSON.stringify(`data:text/javascript,${encodeURIComponent(missing)}`)});\n`,
    );
    const started = await startSluice(data, args, ['--port', '0'], undefined, {
      NODE_OPTIONS: `--import=${hook}`,
    });
    await until(() => started.output().includes('topology rows'), started.output);
    await until(
      () =>
        started.output().includes('the embedded graph database cannot be loaded on this machine'),
      started.output,
    );
    expect(started.output()).toContain('run `npm ci` again');
    expect((await post(started.url, { from: 'JFK', to: 'LAX', n: 1 })).status).toBe(200);
    expect(await started.stop()).toBe(0);
  });
});
