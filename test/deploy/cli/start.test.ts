/**
 * The first run, as a person has it: start, the printed curl line, query, status; a second
 * instance, a taken port, a topology that changes, breaks and is mended; a stop that finishes its
 * work.
 */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { queryLake, tablesOf } from '../../../enrich/lake/query.ts';
import { programMissing } from '../../servers/cache.ts';
import { sluice, startSluice, until } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-start-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const config = `streams:
  - team: a
    app: clicks
topologies: [topology.ts]
local: { checkpoint_ms: 200, parquet_file_age_ms: 0 }
`;
const topologyText = (extra: string, source = 'clicks'): string => `
import { schemaOf, stream, table, topology } from 'sluice';
const row = schemaOf<{ id: string; n: number; tag: string }>({ $id: 'row', type: 'object', required: ['id', 'n', 'tag'], properties: { id: { type: 'string' }, n: { type: 'integer' }, tag: { type: 'string' } } });
export default topology('clicks', { version: 1, owner: 'a/clicks' }, (t) => {
  t.source('${source}', stream('a/clicks')).map((e) => ({ id: e.id, n: (e.data as { n: number }).n, tag: ${extra} })).sinkTo('clicks-table', table('clicks', row));
});`;

function project(name: string): {
  readonly dir: string;
  readonly data: string;
  readonly args: readonly string[];
  readonly topology: string;
} {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'sluice.yaml'), config);
  writeFileSync(join(dir, 'topology.ts'), topologyText("'one'"));
  return {
    dir,
    data: join(dir, '.sluice'),
    args: ['--config', join(dir, 'sluice.yaml')],
    topology: join(dir, 'topology.ts'),
  };
}

const post = (url: string, body: string): Promise<Response> =>
  fetch(`${url}/v1/a/clicks`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });
async function rows(data: string): Promise<readonly unknown[]> {
  // Until the topology has opened its sinks there is no table.
  if (!tablesOf(join(data, 'lake')).includes('clicks')) return [];
  return (await queryLake(join(data, 'lake'), 'SELECT n, tag FROM clicks ORDER BY n')).rows;
}

describe('sluice start', () => {
  it.skipIf(programMissing('curl'))(
    'on the shipped example prints a curl line that works, and where to look',
    async () => {
      const data = join(root, 'example');
      const started = await startSluice(data);
      const line = /^ {2}(curl .*)$/m.exec(started.output())?.[1] ?? '';
      const curl = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
      expect(curl.stdout).toMatch(/^HTTP\/1.1 200 OK/);
      expect(curl.stdout).toMatch(/x-sluice-ack: replicated/i);
      const query = /query "(.*)"/.exec(started.output())?.[1] ?? '';
      let found = '';
      await until(
        async () => {
          found = (await sluice(['--dir', data, 'query', query])).out;
          return found.includes('(1 row)');
        },
        () => found + started.output(),
      );
      expect(found).toContain('JFK');
      const status = await sluice(['--dir', data, 'status']);
      expect(status.out).toMatch(
        /^topology flights \(.*\): running; lag 0; checkpoint \d+, .* ago$/m,
      );
      expect(status.out.trimEnd().split('\n')).toHaveLength(3);
      const details = await sluice(['--dir', data, 'status', 'flights']);
      expect(details.out).toMatch(/nyc\/weather kinesis shardId-\d+: lag 0/);
      expect((await sluice(['--dir', data, 'status', '--details'])).out).toMatch(
        /nyc\/weather kinesis shardId-\d+: lag 0/,
      );
      expect((await sluice(['--dir', data, 'status', 'none'])).err).toContain(
        "no topology 'none' runs here; there is flights",
      );
      expect(await started.stop()).toBe(0);
      expect(await sluice(['--dir', data, 'status'])).toMatchObject({
        code: 1,
        err: expect.stringContaining('no instance runs') as string,
      });
    },
  );

  it('refuses to run twice on a directory, and on a taken port, and says who is there', async () => {
    const { data, args } = project('twice');
    const started = await startSluice(data, args);
    const second = await sluice(['--dir', data, ...args, 'start', '--port', '0']);
    expect(second).toMatchObject({
      code: 1,
      err: expect.stringContaining(`in use by pid ${started.child.pid}`) as string,
    });
    const port = new URL(started.url).port;
    expect(
      await sluice(['--dir', join(root, 'other'), ...args, 'start', '--port', port]),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining(`port ${port} of 127.0.0.1 is taken`) as string,
    });
    expect(await sluice(['--dir', data, 'reset', '--yes'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('in use by pid') as string,
    });
    await started.stop();
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const taken = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await sluice(['--dir', data, ...args, 'start', '--port', String(taken)])).toMatchObject({
      code: 1,
      err: expect.stringContaining('is taken') as string,
    });
    server.close();
    expect((await sluice(['--dir', data, 'reset', '--yes'])).out).toContain('removed');
  });

  it('loads a changed topology and goes on from the last checkpoint; a broken one leaves the old one running', async () => {
    const { data, args, topology } = project('reload');
    const started = await startSluice(data, args);
    await until(() => started.output().includes('topology clicks'), started.output);
    await post(started.url, '{"n":1}');
    await until(async () => (await rows(data)).length === 1, started.output);

    writeFileSync(topology, `${topologyText("'two'")}\nconst x = ;\n`);
    await until(() => started.output().includes('was changed but is not used'), started.output);
    expect(started.output()).toMatch(/topology\.ts:7:11: Unexpected ";"/);
    expect((await sluice(['--dir', data, 'status'])).out).toMatch(
      /topology clicks .*: running; .*its file as it is now is not used, since \S+ \(build [0-9a-f]{8} is\): \S+topology\.ts:7:11: Unexpected/,
    );
    await post(started.url, '{"n":2}');
    await until(async () => (await rows(data)).length === 2, started.output);

    writeFileSync(topology, topologyText("'renamed'", 'another-id'));
    await until(() => started.output().includes("source 'clicks' was removed"), started.output);

    writeFileSync(topology, topologyText("'three'"));
    await until(() => started.output().includes('was loaded again'), started.output);
    await post(started.url, '{"n":3}');
    await until(async () => (await rows(data)).length === 3, started.output);
    expect(await rows(data)).toEqual([
      [1, 'one'],
      [2, 'one'],
      [3, 'three'],
    ]);
    expect(await started.stop()).toBe(0);
  });

  it('captures while its topology does not compile, and catches up when it is mended', async () => {
    const { data, args, topology } = project('broken');
    writeFileSync(topology, 'export default (;');
    const started = await startSluice(data, args);
    await until(() => /topology\.ts:1:\d+:/.test(started.output()), started.output);
    expect((await post(started.url, '{"n":1}')).status).toBe(200);
    writeFileSync(topology, topologyText("'mended'"));
    await until(async () => (await rows(data)).length === 1, started.output);
    expect(await rows(data)).toEqual([[1, 'mended']]);
    await started.stop();
  });

  it('lets a user function throw: that event is rejected, the topology lives', async () => {
    const { data, args, topology } = project('throws');
    writeFileSync(topology, topologyText('(e.data as { tag: { text: string } }).tag.text'));
    const started = await startSluice(data, args);
    await post(started.url, '[{"n":1},{"n":2,"tag":{"text":"good"}}]');
    await until(async () => (await rows(data)).length === 1, started.output);
    // The two are in shards of their own, and their tables are written each by itself.
    const sql = 'SELECT code, operator, data, stream FROM rejected';
    const rejected = async (): Promise<readonly unknown[]> =>
      (await queryLake(join(data, 'lake'), sql)).rows;
    await until(async () => (await rejected()).length > 0, started.output);
    expect(await rejected()).toEqual([['function-threw', 'clicks/map', '{"n":1}', 'a/clicks']]);
    await started.stop();
  });

  it('does not open over a corrupt segment', async () => {
    const { data, args } = project('corrupt');
    const started = await startSluice(data, args);
    // One key, so one shard; one after the other, so a commit each: what lies before the last
    // commit was acknowledged for certain.
    for (let n = 0; n < 4; n++) {
      const headers = { 'content-type': 'application/json', 'x-partition-key': 'one' };
      expect(
        (await fetch(`${started.url}/v1/a/clicks`, { method: 'POST', body: `{"n":${n}}`, headers }))
          .status,
      ).toBe(200);
    }
    await started.stop();
    const shards = join(data, 'log/a/clicks/kinesis');
    const segments = readdirSync(shards).map((shard) =>
      join(shards, shard, '00000000000000000000.log'),
    );
    const segment = segments.find((path) => statSync(path).size > 0) ?? '';
    const bytes = readFileSync(segment);
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    writeFileSync(segment, bytes);
    expect(await sluice(['--dir', data, ...args, 'start', '--port', '0'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/00000\.log is damaged at byte 0/) as string,
    });
  });

  it('keeps what it acknowledged through SIGKILL, and lands it afterwards', async () => {
    const { data, args } = project('killed');
    const started = await startSluice(data, args);
    const acknowledged: number[] = [];
    const sending = (async () => {
      for (let n = 0; ; n++) {
        const answer = await post(started.url, `{"n":${n}}`).catch(() => undefined);
        if (answer?.status !== 200) return;
        acknowledged.push(n);
      }
    })();
    await until(() => acknowledged.length > 60);
    await started.stop('SIGKILL');
    await sending;
    const again = await startSluice(data, args);
    await until(async () => (await rows(data)).length >= acknowledged.length, again.output);
    const landed = (await rows(data)).map((row) => (row as number[])[0]);
    expect(landed.slice(0, acknowledged.length)).toEqual(acknowledged);
    expect(new Set(landed).size).toBe(landed.length);
    await again.stop();
  });
});

describe('sluice send', () => {
  it('sends plain and gzipped files, tells what was refused by line, and starts over when it is done', async () => {
    const { dir, data, args } = project('send');
    const started = await startSluice(data, args);
    const plain = join(dir, 'events.ndjson');
    writeFileSync(plain, '{"n":1}\nnot json\n\n{"n":2}\n');
    const sent = await sluice(['--dir', data, 'send', plain, '--stream', 'a/clicks']);
    expect([sent.code, sent.out]).toEqual([
      1,
      expect.stringMatching(
        /^2 events .* to a\/clicks in .*: 2 to kinesis\n1 refused:\n {2}1 not-json, the first on line 2: at byte 1 there is 'o'/,
      ) as string,
    ]);
    writeFileSync(`${plain}.gz`, gzipSync('{"n":3}\n{"n":4}'));
    const zipped = await sluice([
      '--json',
      '--dir',
      data,
      'send',
      `${plain}.gz`,
      '--stream',
      'a/clicks',
    ]);
    expect([zipped.code, JSON.parse(zipped.out)]).toMatchObject([
      0,
      { sent: 2, refused: 0, byRoute: { kinesis: 2 } },
    ]);
    await until(async () => (await rows(data)).length === 4, started.output);
    expect(await sluice(['--dir', data, 'send', plain, '--stream', 'a/none'])).toMatchObject({
      code: 1,
      err: expect.stringContaining("there is no stream 'a/none'") as string,
    });
    expect(
      await sluice(['--dir', data, 'send', join(dir, 'missing'), '--stream', 'a/clicks']),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining('missing does not exist') as string,
    });
    await started.stop();
    expect(
      await sluice([
        '--dir',
        data,
        'send',
        plain,
        '--stream',
        'a/clicks',
        '--url',
        started.url,
        '--give-up-after',
        '1',
      ]),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining('accepted nothing for 1 s') as string,
    });
  });
});
