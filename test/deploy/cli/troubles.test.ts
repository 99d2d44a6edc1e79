/**
 * What a person sees of a topology in trouble: checkpoints that cannot be stored, a function that
 * does not return for a while, a skip of what is fine.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { sluice, startSluice, until } from '../support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-troubles-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const config = `streams:
  - {team: a, app: x, kinesis_stream: a-x, kafka_topic: a-x}
topologies: [orders.ts]
local: {kinesis_shards: 1, kafka_partitions: 1}
`;
const orders = `import { schemaOf, stream, table, topology } from 'sluice';

const row = schemaOf<{ id: string }>({ $id: 'https://sluice.example/test/order', type: 'object', properties: { id: { type: 'string' } } });
export default topology('orders', { version: 1, owner: 'a/x' }, (t) => {
  t.source('events', stream('a/x'))
    .map((e) => {
      const until = Date.now() + ((e.data as { busyMs?: number }).busyMs ?? 0);
      while (Date.now() < until);
      return { id: e.id };
    })
    .sinkTo('rows', table('rows', row));
});
`;

it('says what is wrong in a line, goes on when it is over, and every event is there once', {
  timeout: 90_000,
}, async () => {
  writeFileSync(join(dir, 'sluice.yaml'), config);
  writeFileSync(join(dir, 'orders.ts'), orders);
  const data = join(dir, 'data');
  const started = await startSluice(data, ['--config', join(dir, 'sluice.yaml')]);
  const instance = async (): Promise<{ readonly out: string; readonly topology: string }> => {
    const { out } = await sluice(['--dir', data, 'status']);
    return { out, topology: out.split('\n').find((line) => line.startsWith('topology ')) ?? '' };
  };
  const sees = async (what: RegExp): Promise<string> => {
    let seen = '';
    await until(
      async () => {
        seen = (await instance()).topology;
        return what.test(seen);
      },
      () => `${seen}\n${started.output()}`,
    );
    return seen;
  };
  let sent = 0;
  const send = async (body: unknown): Promise<void> => {
    const headers = { 'content-type': 'application/json', 'x-event-id': `e${sent++}` };
    expect(
      (
        await fetch(`${started.url}/v1/a/x`, {
          method: 'POST',
          headers,
          body: JSON.stringify(body),
        })
      ).status,
    ).toBe(200);
  };

  await send({});
  await sees(/^topology orders \(.*\): running; lag 0; checkpoint [2-9]/);
  const refused = await sluice(['--dir', data, 'skip', 'orders', 'kafka partition-0', '--whole']);
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringContaining("'events kafka partition-0' was not skipped: it can be read"),
  ]);
  expect((await sluice(['--dir', data, 'skip', 'orders', 'kafka partition-0'])).err).toContain(
    'expected one of --to',
  );
  expect(
    (await sluice(['--dir', data, 'skip', 'none', 'kafka partition-0', '--whole'])).err,
  ).toContain("no topology 'none' runs here");

  // A file where the checkpoints are: nothing can be stored.
  const checkpoints = join(data, 'checkpoints', 'orders');
  renameSync(checkpoints, join(dir, 'kept'));
  writeFileSync(checkpoints, '');
  await send({});
  await sees(
    /: running; .*ALARM: \d+ checkpoints failed in a row since .*: blob 'checkpoints\/orders\//,
  );
  const { metrics } = JSON.parse((await sluice(['--json', '--dir', data, 'status'])).out)
    .instance as { metrics: string };
  expect(await (await fetch(metrics)).text()).toMatch(
    /^sluice_checkpoint_alarm\{topology="orders"\} 1$/m,
  );
  expect(started.output()).toMatch(/ALARM: 3 checkpoints failed in a row/);
  rmSync(checkpoints);
  renameSync(join(dir, 'kept'), checkpoints);
  await sees(/: running; lag 0; checkpoint \d+, \d+\.\d s ago$/);

  await send({ busyMs: 6_000 });
  await sees(/; has not answered since \d{4}-/);
  await sees(/: running; lag 0; checkpoint \d+, \d+\.\d s ago$/);

  await until(async () => {
    const rows = await sluice([
      '--json',
      '--dir',
      data,
      'query',
      'SELECT id FROM rows ORDER BY id',
    ]);
    return rows.out.trim() === '[{"id":"e0"},{"id":"e1"},{"id":"e2"}]';
  }, started.output);
  expect(await started.stop()).toBe(0);
});
