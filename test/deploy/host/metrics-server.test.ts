/**
 * The listener of metrics: under which names it answers, what else it refuses, and that it is
 * configured apart from the ingress.
 */
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { withPort } from '../../../deploy/cli/commands/start/start.ts';
import { isOwnHost, serveMetrics } from '../../../deploy/host/metrics-server.ts';
import type { PlainServer } from '../../../deploy/host/plain-server.ts';
import { metrics } from '../../../schemas/config/ingress.ts';
import { defaultsOf } from '../../../schemas/config/values.ts';
import type { MetricsConfig } from '../../../schemas/config.ts';
import { parseConfig } from '../../../schemas/config-file.ts';

const onLoopback: MetricsConfig = { ...defaultsOf(metrics), port: 0 };
const everywhere: MetricsConfig = {
  ...onLoopback,
  host: '0.0.0.0',
  hosts: ['sluice-ingest.prod.svc'],
};
const opened: PlainServer[] = [];

afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});

async function serve(
  config: MetricsConfig,
  read = () => Promise.resolve({ contentType: 'text/x', text: 'up 1\n' }),
): Promise<string> {
  const server = await serveMetrics({ config, defaultPort: 0, read, disks: { data: tmpdir() } });
  opened.push(server);
  return server.url;
}

function ask(
  url: string,
  method: string,
  host?: string,
): Promise<{
  readonly status: number | undefined;
  readonly body: string;
  readonly allow: string | undefined;
}> {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { method, ...(host === undefined ? {} : { headers: { host } }) },
      (answer) => {
        let body = '';
        answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
        answer.once('end', () =>
          resolve({ status: answer.statusCode, body, allow: answer.headers.allow }),
        );
      },
    );
    asked.once('error', reject);
    asked.end();
  });
}

describe('the metrics listener', () => {
  it('answers GET and HEAD of its one path, and nothing else', async () => {
    const url = await serve(onLoopback);
    expect(await ask(url, 'GET')).toMatchObject({
      status: 200,
      body: expect.stringMatching(/^up 1\n/),
    });
    expect(await ask(`${url}?name=up`, 'GET')).toMatchObject({ status: 200 });
    expect(await ask(url, 'HEAD')).toMatchObject({ status: 200, body: '' });
    expect(await ask(url, 'POST')).toMatchObject({ status: 405, allow: 'GET, HEAD' });
    for (const path of ['', 's', '/_sluice/status'])
      expect((await ask(`${url}${path === '' ? '/' : path}`, 'GET')).status).toBe(404);
  });

  it('tells nothing to a page whose name was bound to its address', async () => {
    const url = await serve(onLoopback);
    const { status, body } = await ask(url, 'GET', 'attacker.example');
    expect([status, body.includes('up 1')]).toEqual([421, false]);
  });

  it('says 503 while its numbers cannot be read', async () => {
    expect(
      (await ask(await serve(onLoopback, () => Promise.reject(new Error('not now'))), 'GET'))
        .status,
    ).toBe(503);
  });

  it('says that its port is taken', async () => {
    const port = Number(new URL(await serve(onLoopback)).port);
    await expect(serve({ ...onLoopback, port })).rejects.toMatchObject({
      code: 'port-taken',
      fix: expect.stringContaining('metrics.port'),
    });
    await expect(serve({ ...onLoopback, host: '192.0.2.1' })).rejects.toMatchObject({
      code: 'address-unusable',
    });
  });
});

it('has any free port when the ingress is given any free port, whatever the configuration says', () => {
  const parsed = parseConfig('streams: [{team: a, app: x}]\nmetrics: {port: 9464}\n', {
    file: 'sluice.yaml',
    env: {},
    baseDir: '.',
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const portOf = (port: string | undefined): number | undefined =>
    withPort(parsed.config, port).metrics.port;
  expect([portOf('0'), portOf('8080'), portOf(undefined)]).toEqual([0, 9_464, 9_464]);
});

it.each([
  ['127.0.0.1:9464', onLoopback, true],
  ['127.9.9.9', onLoopback, true],
  ['localhost:1', onLoopback, true],
  ['LOCALHOST', onLoopback, true],
  ['[::1]:9464', onLoopback, true],
  ['10.0.0.1:9464', onLoopback, false],
  ['events.example', onLoopback, false],
  ['localhost.events.example', onLoopback, false],
  ['127.0.0.1.events.example', onLoopback, false],
  ['127.0.0.1:9464:1', onLoopback, false],
  ['', onLoopback, false],
  [':9464', onLoopback, false],
  ['user@localhost', onLoopback, false],
  ['prometheus.prod', { ...onLoopback, hosts: ['Prometheus.prod'] }, true],
  ['10.1.2.3:9464', everywhere, true],
  ['[2001:db8::1]:9464', everywhere, true],
  ['localhost', everywhere, true],
  ['sluice-ingest.prod.svc:9464', everywhere, true],
  ['attacker.example', everywhere, false],
  ['node-1.internal:9464', { ...everywhere, host: 'node-1.internal' }, true],
])('takes a Host of %j for its own where it should', (header, config, expected) => {
  expect(isOwnHost(header, config)).toBe(expected);
});
