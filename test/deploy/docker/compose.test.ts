/**
 * The compose file: valid by the schema of the compose specification, its parts fit together, and
 * its own services start as processes with the same commands, environment and order, on real
 * servers in place of the others, and carry an event into a table.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { heapFlags } from '../../bench/ingress-processes.ts';
import { repositoryFiles, root } from '../../repo/files.ts';
import { programMissing } from '../../servers/cache.ts';
import type { Cloud } from '../../servers/cloud.ts';
import { cloudMissing, copyLake, startCloud } from '../../servers/cloud.ts';
import { freePort } from '../../servers/free-port.ts';
import { goMissing, goModule } from '../../servers/go.ts';
import { rowsOf } from '../../tools/flights-checks.ts';
import { runSluice } from '../../tools/service-process.ts';
import { main } from '../support.ts';
import type { ComposeFile, ComposeService } from './compose.ts';
import { parseCompose, resolveVariables, startOrder } from './compose.ts';

const file = join(root, 'deploy', 'docker', 'compose.yaml');
const text = readFileSync(file, 'utf8');
const written = parseCompose(text);
const ofSluice = (service: ComposeService): boolean => service.image.startsWith('${SLUICE_IMAGE');

describe.skipIf(goMissing() !== undefined)('the compose file', () => {
  it('is valid by the schema of the compose specification', { timeout: 120_000 }, async () => {
    const module = await goModule('github.com/compose-spec/compose-go/v2', 'v2.16.2');
    const schema = JSON.parse(
      readFileSync(join(module, 'schema', 'compose-spec.json'), 'utf8'),
    ) as object;
    const check = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    expect(check(written), JSON.stringify(check.errors)).toBe(true);
    const wrong = text.replace('stop_grace_period', 'stop_grace_time');
    expect(check(parseCompose(wrong))).toBe(false);
  });
});

describe('the services of the compose file', () => {
  it.skipIf(programMissing('git'))(
    'fit together: what they wait for, mount and name is there',
    () => {
      const { services, volumes } = written;
      const order = startOrder(written);
      expect(order.toSorted()).toEqual(Object.keys(services).toSorted());
      for (const [name, service] of Object.entries(services)) {
        for (const [needed, { condition }] of Object.entries(service.depends_on ?? {}))
          if (condition === 'service_healthy')
            expect(services[needed]?.healthcheck, `${name} waits for ${needed}`).toBeDefined();
        for (const [from = ''] of (service.volumes ?? []).map((each) => each.split(':')))
          if (from.startsWith('./')) readFileSync(join(dirname(file), from));
          else expect(Object.keys(volumes)).toContain(from);
        for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
      }
      const own = Object.values(services).filter(ofSluice);
      expect(own.length).toBeGreaterThanOrEqual(3);
      for (const service of own)
        expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
      // Each address in the environment is that of a service.
      const hosts = Object.values(own[0]?.environment ?? {}).flatMap(
        (value) => /^(?:\w+:\/\/)?(\w+):\d+$/.exec(value)?.[1] ?? [],
      );
      expect(hosts.toSorted()).toEqual(['kafka', 'kinesis', 'neo4j', 's3']);
      expect(Object.keys(services)).toEqual(expect.arrayContaining(hosts));
      expect(repositoryFiles()).toContain('deploy/docker/services.yaml');
    },
  );

  it('beside ours have the versions that the tests run', () => {
    const read = (path: string): string => readFileSync(join(root, path), 'utf8');
    const pom = read('test/servers/java/pom.xml');
    const versionOf = (name: string): string =>
      new RegExp(`<${name}.version>(.*)</`).exec(pom)?.[1] ?? '';
    const [, moto = ''] = /const version = '(.*)'/.exec(read('test/servers/moto.ts')) ?? [];
    const { devDependencies } = JSON.parse(read('package.json')) as {
      devDependencies: Record<string, string>;
    };
    const images = Object.values(written.services).map(({ image }) => image);
    expect(images).toEqual(
      expect.arrayContaining([
        `apache/kafka:${versionOf('kafka')}`,
        `neo4j:${versionOf('neo4j')}-community`,
        `motoserver/moto:${moto}`,
        `ghcr.io/etspaceman/kinesis-mock:${devDependencies['kinesis-local']}`,
      ]),
    );
  });

  it('that wait for each other, or for one that is not there, are found', () => {
    const of = (depends: Record<string, string>): ComposeFile =>
      parseCompose(
        `services:\n${Object.entries(depends)
          .map(([name, on]) => `  ${name}: {image: x, depends_on: {${on}: {condition: y}}}\n`)
          .join('')}`,
      );
    expect(() => startOrder(of({ a: 'b', b: 'a' }))).toThrow('a -> b -> a is a circle');
    expect(() => startOrder(of({ a: 'b' }))).toThrow('a depends on b, which is not there');
    expect(resolveVariables(['$$a ${B:-c}', '${B}'], { B: '1' })).toEqual(['$a 1', '1']);
    expect(resolveVariables('${B:-c}', {})).toBe('c');
  });
});

describe.skipIf(cloudMissing() !== undefined)('its processes', { timeout: 240_000 }, () => {
  let cloud: Cloud;
  let dir: string;
  const running: ChildProcess[] = [];
  const said = new Map<ChildProcess, string>();

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
    cloud = await startCloud();
  }, 300_000);
  afterAll(async () => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
    await cloud.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** The command of a service as a process; its exit code when it ends. */
  function start(
    name: string,
    env: Readonly<Record<string, string>>,
  ): readonly [ChildProcess, Promise<number | null>] {
    const {
      entrypoint,
      command = [],
      environment = {},
    } = resolveVariables(written.services[name] as ComposeService, env);
    // As the entry point of the image.
    const [program = '', ...args] = entrypoint ?? ['node', ...heapFlags, main];
    const child = spawn(program, [...args, ...command], {
      cwd: dir,
      env: { ...process.env, ...environment, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => said.set(child, (said.get(child) ?? '') + chunk));
    return [child, new Promise((resolve) => child.once('close', resolve))];
  }

  it('carry an event into a table, started in the order of the file', async () => {
    const ports = { INGEST_PORT: await freePort(), ENRICH_PORT: await freePort() };
    const topology = join(dir, 'flights', 'topology.ts');
    const example = 'topology/examples/flights/';
    for (const path of repositoryFiles().filter((each) => each.startsWith(example))) {
      const target = join(dir, 'flights', path.slice(example.length));
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(join(root, path), target);
    }
    expect(await runSluice(['--dir', dir, 'topology', 'build', topology])).toMatchObject({
      code: 0,
    });
    const shared = {
      LISTEN_HOST: '127.0.0.1',
      TOPOLOGY: topology,
      SLUICE_KEY_FILE: join(dir, 'ingest', 'key'),
      SLUICE_CONFIG: join(dirname(file), 'services.yaml'),
      NEO4J_PASSWORD: cloud.env['NEO4J_PASSWORD'] ?? '',
      INGEST_PORT: String(ports.INGEST_PORT),
      ENRICH_PORT: String(ports.ENRICH_PORT),
      // Where the names of the servers lead in the network of the file.
      KINESIS_ENDPOINT: cloud.env['KINESIS_ENDPOINT'] ?? '',
      KAFKA_BROKERS: cloud.kafka.plain,
      S3_ENDPOINT: cloud.env['S3_ENDPOINT'] ?? '',
      NEO4J_URL: cloud.env['NEO4J_URL'] ?? '',
    };
    const ended = new Map<string, Promise<number | null>>();
    for (const name of startOrder(written)) {
      const service = written.services[name] as ComposeService;
      if (!ofSluice(service)) continue;
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {}))
        if (condition === 'service_completed_successfully' && ended.has(needed))
          expect(await ended.get(needed), needed).toBe(0);
      mkdirSync(join(dir, name), { recursive: true });
      const [, end] = start(name, { ...shared, SLUICE_DIR: join(dir, name, 'data') });
      ended.set(name, end);
    }
    for (const name of ['ingest', 'enrich']) await untilHealthy(join(dir, name, 'data'));

    const key = readFileSync(shared.SLUICE_KEY_FILE, 'utf8').trim();
    const observed = '2013-01-01T12:00:00Z';
    const data = { origin: 'JFK', observed, temp: 39, dewp: 26, humid: 59.4, wind_dir: 270 };
    const rest = { wind_speed: 10.4, wind_gust: null, precip: 0, pressure: 1012, visib: 10 };
    const send = (headers: Record<string, string>): Promise<Response> =>
      fetch(`http://127.0.0.1:${ports.INGEST_PORT}/v1/nyc/weather`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ id: 'first', data: { ...data, ...rest } }),
      });
    expect((await send({})).status).toBe(401);
    expect((await send({ 'x-api-key': key })).status).toBe(200);
    let rows: readonly unknown[] = [];
    for (
      const deadline = performance.now() + 90_000;
      performance.now() < deadline;
      await sleep(500)
    ) {
      const lake = join(dir, 'lake');
      rmSync(lake, { recursive: true, force: true });
      await copyLake(cloud, 'sluice', 'lake/', lake);
      rows = await rowsOf(lake, 'SELECT id, origin FROM weather').catch(() => []);
      if (rows.length > 0) break;
    }
    expect(rows).toEqual([['first', 'JFK']]);
    for (const child of running.filter(({ exitCode }) => exitCode === null)) child.kill('SIGTERM');
    expect([await ended.get('ingest'), await ended.get('enrich')]).toEqual([0, 0]);
  });

  /** The health check of the image. */
  async function untilHealthy(data: string): Promise<void> {
    let health = '';
    for (
      const deadline = performance.now() + 120_000;
      performance.now() < deadline;
      await sleep(200)
    ) {
      const { code, said: answer } = await runSluice(['health', '--ready'], { SLUICE_DIR: data });
      if (code === 0) return;
      health = answer;
    }
    throw new Error(`${health}\n${[...said.values()].join('\n')}`);
  }
});
