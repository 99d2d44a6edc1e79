/**
 * A connector bound in sluice.yaml, as a person runs it: `config check`, a server that is away for
 * a while, `status`, and no secret anywhere.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { sluice, startSluice, until } from '../support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-http-lookup-'));
const data = join(dir, '.sluice');
const config = join(dir, 'sluice.yaml');
const secret = 'very-secret-token';

let server: Server;
let away = true;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    if (away) response.writeHead(503).end();
    else if (request.url?.startsWith('/prices/none') === true) response.writeHead(404).end();
    else response.end(JSON.stringify({ price: 7 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  writeFileSync(
    config,
    `streams: [{team: a, app: clicks}]
topologies: [topology.ts]
local: {checkpoint_ms: 200, parquet_file_age_ms: 0}
lookups:
  prices:
    url: http://127.0.0.1:${port}/prices/{key}?token=\${PRICES_TOKEN:-${secret}}
    headers:
      Authorization: Bearer ${secret}
`,
  );
  writeFileSync(
    join(dir, 'topology.ts'),
    `import { connector, schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ id: string; price: number }>({ $id: 'row', type: 'object', required: ['id', 'price'], properties: { id: { type: 'string' }, price: { type: 'integer' } } });
export default topology('clicks', { version: 1, owner: 'a/clicks' }, (t) => {
  t.source('clicks', stream('a/clicks'))
    .lookup('price', connector<{ price: number }>('prices'), { by: (e) => (e.data as { item: string }).item, retry: { attempts: 1 } }, (e, found) => ({ id: e.id, price: found?.price ?? -1 }))
    .sinkTo('clicks-table', table('clicks', row));
});`,
  );
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true, force: true });
});

it('`config check` explains the look-up and shows no secret of it, also as JSON', async () => {
  const text = await sluice(['config', 'check', config], undefined, {
    PRICES_TOKEN: 'other-secret-token',
  });
  expect(text.code).toBe(0);
  expect(text.out).toMatch(
    /lookups\.prices\.url +http:\/\/127\.0\.0\.1:\d+\/prices\/\{key\}\?token=\*\*\* +environment PRICES_TOKEN \(.*sluice\.yaml:6\)/,
  );
  expect(text.out).toMatch(/lookups\.prices\.headers\.Authorization +\*\*\* +.*sluice\.yaml:8/);
  const json = await sluice(['--json', 'config', 'check', config], undefined, {
    PRICES_TOKEN: 'other-secret-token',
  });
  const { config: shown } = JSON.parse(json.out) as {
    readonly config: { readonly lookups: unknown };
  };
  expect(shown.lookups).toMatchObject({ prices: { headers: { authorization: '***' } } });
  for (const { out, err } of [text, json])
    expect(`${out}${err}`).not.toContain('other-secret-token');
  for (const { out, err } of [text, json]) expect(`${out}${err}`).not.toContain(`Bearer ${secret}`);
});

it('an outage holds the events and is told of by `status`; when it is over they land, each once', async () => {
  const started = await startSluice(data, ['--config', config]);
  const send = (id: string, item: string): Promise<Response> =>
    fetch(`${started.url}/v1/a/clicks`, {
      method: 'POST',
      body: JSON.stringify({ item }),
      headers: { 'content-type': 'application/json', 'x-event-id': id },
    });
  for (const [id, item] of [
    ['1', 'JFK'],
    ['2', 'none'],
    ['3', 'a/b'],
  ] as const) {
    expect((await send(id, item)).status).toBe(200);
  }
  let status = '';
  await until(
    async () => {
      status = (await sluice(['--dir', data, 'status', '--details'])).out;
      return (
        status.includes(
          "the look-up fails and is tried again: the look-up 'prices': the server answered 503",
        ) && status.includes('3 wait')
      );
    },
    () => status,
  );
  expect(status).toMatch(/lookup price: in 3\n {4}3 wait for an answer; /);
  expect((await sluice(['--dir', data, 'status'])).out).toMatch(
    /^topology .*: running; .*3 wait for an answer; the look-up fails/m,
  );
  away = false;
  const lake = join(data, 'lake');
  let rows: readonly unknown[] = [];
  await until(
    async () => {
      if (tablesOf(lake).includes('clicks'))
        rows = (await queryLake(lake, 'SELECT id, price FROM clicks ORDER BY id')).rows;
      return rows.length === 3;
    },
    () => JSON.stringify(rows),
  );
  expect(rows.map((row) => JSON.stringify(row)).join()).toMatch(/1.*7.*2.*-1.*3.*7/);
  expect(asked).toContain(`/prices/a%2Fb?token=${secret} Bearer ${secret}`);
  expect((await sluice(['--dir', data, 'status', '--details'])).out).not.toContain(
    'wait for an answer',
  );
  expect(await started.stop()).toBe(0);
  expect(started.output() + status).not.toContain(secret);
  // Nothing that is kept on disk holds it either.
  for (const file of readdirSync(data, { recursive: true, encoding: 'utf8' })) {
    const path = join(data, file);
    if (statSync(path).isFile()) expect(readFileSync(path).includes(secret), file).toBe(false);
  }
});

it('a connector that the configuration does not name is told before anything runs', async () => {
  const unnamed = join(dir, 'unnamed.yaml');
  writeFileSync(unnamed, readFileSync(config, 'utf8').replace('  prices:', '  prizes:'));
  const started = await startSluice(join(dir, '.unnamed'), ['--config', unnamed]);
  await until(
    () => started.output().includes("the configuration has no look-up 'prices'; there are: prizes"),
    () => started.output(),
  );
  await started.stop();
});
