/**
 * `sluice cost` as a person and a program call it, the production example, and the load of an
 * instance that runs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../repo/files.ts';
import { temporaryFolder } from '../../repo/support.ts';
import { sluice, startSluice } from '../support.ts';

const example = join(root, 'docs/operating/production.yaml');
const cost = (...args: readonly string[]) => sluice(['--config', example, 'cost', ...args]);
const costJson = async (...args: readonly string[]) => {
  const { code, out } = await sluice(['--json', '--config', example, 'cost', ...args]);
  expect(code).toBe(0);
  return JSON.parse(out) as {
    readonly load: {
      readonly streams: readonly {
        readonly stream: string;
        readonly eventsPerSecond: number;
        readonly eventBytes: number;
      }[];
    };
    readonly bill: { readonly dollars: number };
    readonly halfAsSmall: { readonly dollars: number };
    readonly origin: { readonly dollars: number };
  };
};

describe('sluice cost', { timeout: 60_000 }, () => {
  it('prices the production example under 2,500 dollars, and 28,700 as first drawn', async () => {
    const { bill, halfAsSmall, origin } = await costJson('--events', '4500', '--size', '5kb');
    expect(bill.dollars).toBeLessThan(2_500);
    expect(halfAsSmall.dollars).toBeGreaterThan(bill.dollars + 400);
    expect(Math.abs(origin.dollars / 28_700 - 1)).toBeLessThan(0.01);
  });

  it('tells a person the load, the shards, each service, what is cheaper, and where it turns', async () => {
    const { code, out, err } = await cost(
      '--events',
      '4500',
      '--size',
      '5kb',
      '--edge',
      'api-gateway',
    );
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[1]).toBe(
      'Load: 4,500 events/s of 5,120 bytes: 11,826 million events, 56,391 GB a month',
    );
    expect(out).toContain(
      'shop/clicks    12 (4,500/s x 5,420 bytes / 2.7 (compressed) = 8.61 MiB/s, 1 a shard, 75 % busy: 11.49)',
    );
    expect(out).toMatch(/\n {4}shards +\$142 {2}9,490 shard-hours x \$0\.015\n/);
    expect(out).toMatch(/\n {2}1\. no API Gateway +saves \$10,673 /);
    expect(out).toMatch(/\n {2}claims in S3 +costs less than Kafka above about 34,727 bytes\n/);
    expect(out).toContain('If events compress half as well (1.35 times): $');
    expect(lines.at(-2)).toMatch(/^Not counted: Neo4j, /);
  });

  it('takes prices from a file, line by line', async () => {
    const file = join(temporaryFolder('prices'), 'ours.yaml');
    writeFileSync(file, 'prices: {msk_cluster_hour: {value: 0.5}}\n');
    const load = ['--events', '4500', '--size', '5kb'] as const;
    const [shipped, ours] = [await costJson(...load), await costJson(...load, '--prices', file)];
    expect(shipped.bill.dollars - ours.bill.dollars).toBeCloseTo(730 * 0.25, 6);
  });

  it.each([
    [['--events', '4500'], '--size is missing', '--events 4500 --size 5kb'],
    [['--events', '4500', '--size', '5'], "invalid --size '5'", 'a size with its unit'],
    [['--events', '4500', '--size', '500kb'], '--size is above routing.', '--large 100%'],
    [
      ['--events', '1', '--size', '1kb', '--large', '1%', '--large-size', '5kb'],
      '--large-size is not above routing.',
      'leave out --large',
    ],
    [['--measure', '--events', '3'], '--measure measures what', 'leave out --measure'],
    [['--measure', '--for', '1ms'], "invalid --for '1ms'", 'from 1s to 24h'],
    [['--measure', 'http://127.0.0.1:1/metrics'], 'cannot be read', 'the address of the metrics'],
    [['--events', '1', '--size', '1kb', '--edge', 'cloud'], "invalid --edge 'cloud'", 'nlb or api'],
    [
      ['--events', '1', '--size', '1kb', '--prices', 'none.yaml'],
      'none.yaml cannot be read',
      '--prices',
    ],
  ])('refuses %j with what to do', async (args, problem, fix) => {
    const { code, err } = await cost(...args);
    expect(code).toBe(1);
    expect(err).toContain(problem);
    expect(err).toContain(fix);
  });

  it('refuses a configuration with its lines', async () => {
    const file = join(temporaryFolder('cost'), 'sluice.yaml');
    writeFileSync(file, 'streams:\n  - {team: a, app: b, kinesis: {mode: on-demand, shards: 3}}\n');
    const { code, err } = await sluice([
      '--config',
      file,
      'cost',
      '--events',
      '1',
      '--size',
      '1kb',
    ]);
    expect([code, err]).toEqual([1, expect.stringContaining('sluice.yaml:2:')]);
    expect(err).toContain('streams[0].kinesis.shards: AWS chooses the shards of a stream that is');
  });
});

describe('the production example', { timeout: 60_000 }, () => {
  it('passes config check, without and with its variables', async () => {
    for (const env of [{}, { POD_IP: '10.0.0.7', AWS_REGION: 'eu-central-1', S3_BUCKET: 'ours' }]) {
      const { code, out } = await sluice(['config', 'check', example], root, env);
      expect(out.trimEnd().split('\n').at(-1)).toMatch(/ is valid: 1 stream\(s\), 1 topology file/);
      expect(code).toBe(0);
    }
  });

  it('has what it is priced for', async () => {
    const { out } = await sluice(['--json', 'config', 'check', example]);
    const { config } = JSON.parse(out) as { readonly config: object };
    expect(config).toMatchObject({
      streams: [{ aggregate: 'kpl-gzip', kinesis: { mode: 'provisioned', shards: 12 } }],
      sinks: { firehose: { tables: {} } },
    });
  });
});

it('measures what an instance accepts', { timeout: 120_000 }, async () => {
  const folder = temporaryFolder('measured');
  const [dir, config] = [join(folder, '.sluice'), join(folder, 'sluice.yaml')];
  writeFileSync(config, 'streams: [{team: shop, app: clicks}, {team: shop, app: orders}]\n');
  const started = await startSluice(dir, ['--config', config]);
  try {
    const stream = 'shop/clicks';
    let isOver = false;
    const measured = sluice([
      ...['--json', '--dir', dir, '--config', config],
      ...['cost', '--measure', '--for', '2s'],
    ]).finally(() => {
      isOver = true;
    });
    const body = JSON.stringify({ text: 'x'.repeat(989) });
    while (!isOver) {
      const answer = await fetch(`${started.url}/v1/${stream}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      expect(answer.status).toBe(200);
    }
    const { code, out, err } = await measured;
    expect([code, out, err]).toEqual([0, expect.any(String), 'measuring for 2s\n']);
    const { load } = JSON.parse(out) as Awaited<ReturnType<typeof costJson>>;
    // How many fit in the time depends on the machine; all have the same 1,000 bytes.
    expect(load.streams[0]).toMatchObject({ stream, eventBytes: 1_000 });
    expect(load.streams[0]?.eventsPerSecond).toBeGreaterThan(0);
    expect(load.streams[1]).toEqual({ stream: 'shop/orders', eventsPerSecond: 0, eventBytes: 0 });
  } finally {
    await started.stop();
  }
});
