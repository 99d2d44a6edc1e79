/**
 * The pods of the chart as processes, on real servers, with the arguments, variables and
 * configurations that it renders: topics are made, every probe is answered, metrics are where
 * Prometheus looks, and SIGTERM ends them well. `npm run chart:test` runs it; the tests of every
 * change ask the probes of parts (services.test.ts).
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heapFlags } from '../../bench/ingress-processes.ts';
import type { Cloud } from '../../servers/cloud.ts';
import { cloudMissing, startCloud } from '../../servers/cloud.ts';
import { freePort } from '../../servers/free-port.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { runSluice } from '../../tools/service-process.ts';
import { main } from '../support.ts';
import { render, valueSet } from './chart.ts';
import type { PodProcess } from './pod-process.ts';
import { probedPaths, processesOf } from './pod-process.ts';

const isFull = process.env['CHART_TEST'] === 'full';
const isMissing = !isFull || helmMissing() !== undefined || cloudMissing() !== undefined;
const key = 'a-key-of-some-thirty-two-letters';
const topology = `
import { schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ id: string }>({
  $id: 'row', type: 'object', required: ['id'], properties: { id: { type: 'string' } },
});
export default topology('orders', { version: 1, owner: 'shop/clicks' }, (t) => {
  t.source('clicks', stream('shop/clicks')).map(({ id }) => ({ id })).sinkTo('all', table('clicks', row));
});
`;

describe.skipIf(isMissing)('pods of the chart as processes', { timeout: 240_000 }, () => {
  let cloud: Cloud;
  let dir: string;
  const running: ChildProcess[] = [];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-chart-'));
    cloud = await startCloud();
    await cloud.createBucket('shop-events');
  }, 300_000);
  afterAll(async () => {
    for (const child of running) child.kill('SIGKILL');
    await cloud.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The least values on the servers of this machine, with ports that are free. */
  async function rendered(): Promise<readonly PodProcess[]> {
    const { env, kafka } = cloud;
    const [ingress, enrich, metrics] = [await freePort(), await freePort(), await freePort()];
    const region = env['AWS_REGION'];
    const config = {
      streams: [{ team: 'shop', app: 'clicks' }],
      ingress: { port: ingress },
      enrich: { port: enrich },
      metrics: { port: metrics },
      kinesis: { region, endpoint: env['KINESIS_ENDPOINT'] },
      kafka: { brokers: kafka.plain },
      s3: { bucket: 'shop-events', region, endpoint: env['S3_ENDPOINT'] },
    };
    const set = { config, folder: dir, 'networkPolicy.enabled': false };
    return processesOf(await render(await openHelm(), valueSet('minimal'), { set }));
  }

  /** Its place on this machine: the key of the Secret is a file, addresses are of loopback. */
  function placed(each: PodProcess, name: string): readonly [string[], Record<string, string>] {
    const file = join(dir, `${name}.yaml`);
    writeFileSync(file, (each.config ?? '').replaceAll('0.0.0.0', '127.0.0.1'));
    const keyFile = join(dir, 'key');
    writeFileSync(keyFile, key);
    const args = each.args.map((arg) => (arg.startsWith('/run/secrets/') ? keyFile : arg));
    const folder = join(dir, name);
    return [args, { ...cloud.env, ...each.env, SLUICE_CONFIG: file, SLUICE_DIR: folder }];
  }

  /** What `helm test` does: an event is sent with the key, and with no other. */
  async function sendAsTest({ args, env, container }: PodProcess, port: number): Promise<void> {
    const event = join(dir, 'event.ndjson');
    writeFileSync(event, '{"test": true}\n');
    const own = args.map((arg) =>
      arg.endsWith('event.ndjson') ? event : arg.replace(/^http:.*/, `http://127.0.0.1:${port}`),
    );
    expect(own.filter((arg, at) => arg !== args[at]).length, container.name).toBe(2);
    const sent = await runSluice(own, { ...env, SLUICE_KEY: key });
    expect(sent.code, sent.said).toBe(0);
    expect(JSON.parse(sent.said)).toMatchObject({ sent: 1, refused: 0 });
    expect((await runSluice(own, { ...env, SLUICE_KEY: 'another' })).code).toBe(1);
  }

  async function answers(url: string): Promise<void> {
    let status = 0;
    for (let tries = 0; tries < 600; tries++, await sleep(100)) {
      status = await fetch(url).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
    }
    throw new Error(`${url} answers ${status}`);
  }

  it('make topics, answer their probes, and end when they are told to', async () => {
    writeFileSync(join(dir, 'topology.ts'), topology);
    const processes = await rendered();
    const find = (command: string): PodProcess => {
      const found = processes.find((each) => each.command === command);
      if (found === undefined) throw new Error(`no pod runs ${command}`);
      return found;
    };
    const topics = await runSluice(...placed(find('topics apply'), 'topics'));
    expect(topics.code, topics.said).toBe(0);
    const [, env] = placed(find('enrich'), 'build');
    const built = await runSluice(['topology', 'build'], env);
    expect(built.code, built.said).toBe(0);
    for (const command of ['ingest', 'enrich']) {
      const each = find(command);
      const [args, own] = placed(each, command);
      const child = spawn(process.execPath, [...heapFlags, main, ...args], {
        env: { ...process.env, ...own },
        stdio: 'ignore',
      });
      running.push(child);
      const ended = new Promise((resolve) => child.once('exit', resolve));
      const portOf = (name: string): number | undefined =>
        each.container.ports?.find((port) => port.name === name)?.containerPort;
      for (const path of probedPaths(each))
        await answers(`http://127.0.0.1:${portOf('http')}${path}`);
      await answers(`http://127.0.0.1:${portOf('metrics')}/metrics`);
      if (command === 'ingest') await sendAsTest(find('send'), portOf('http') ?? 0);
      child.kill('SIGTERM');
      expect(await ended, command).toBe(0);
    }
  });
});
