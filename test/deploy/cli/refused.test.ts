/**
 * `sluice refused`: events that a stream refused after they were acknowledged, beside an ingress
 * that runs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import { spoolFolder } from '../../../ingest/delivery/spool-folders.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import type { OutgoingRecord, Route } from '../../../schemas/ports/record.ts';
import { encodeBinary, encodeStructured } from '../../../schemas/wire.ts';
import type { Started } from '../support.ts';
import { sluice, startSluice } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-refused-'));
const dir = join(root, '.sluice');
const config = join(root, 'sluice.yaml');

const attributesOf = (id: string) => ({
  id,
  source: '/shop/clicks',
  type: 'click',
  time: '2026-01-02T03:04:05.000Z',
  datacontenttype: 'application/json',
  team: 'shop',
  app: 'clicks',
  partitionkey: 'k',
  receivedtime: '2026-01-02T03:04:05.000Z',
  extensions: { color: 'blue' },
});
const structured = (id: string, data: unknown): OutgoingRecord => ({
  key: 'k',
  value: encodeStructured(attributesOf(id), Buffer.from(JSON.stringify(data))),
});
const binary = (id: string, data: unknown): OutgoingRecord =>
  encodeBinary(attributesOf(id), Buffer.from(JSON.stringify(data)));

async function setAside(
  path: Route,
  records: readonly OutgoingRecord[],
  stream = 'shop/clicks',
): Promise<void> {
  const spool = await openSpool({
    dir: spoolFolder(join(dir, 'spool'), stream, path, 'refused').dir,
    clock: systemClock,
    maxBytes: 1e9,
  });
  await spool.append(records);
  await spool.close();
}

const refused = async (
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> =>
  sluice(['--dir', dir, 'refused', ...args], root);
const held = async (): Promise<readonly (readonly [string, string, number])[]> => {
  const { out } = await sluice(['--dir', dir, '--json', 'refused', 'list'], root);
  const { refused: found } = JSON.parse(out) as {
    readonly refused: readonly { stream: string; path: string; events: number }[];
  };
  return found.map(({ stream, path, events }) => [stream, path, events]);
};

describe('sluice refused', { timeout: 60_000 }, () => {
  let running: Started;
  beforeAll(async () => {
    writeFileSync(
      join(root, 'click.schema.json'),
      JSON.stringify({
        $id: 'click',
        type: 'object',
        required: ['n'],
        properties: { n: { type: 'integer' } },
      }),
    );
    writeFileSync(
      config,
      'streams:\n  - {team: shop, app: clicks, validate: reject, schema: click.schema.json}\nmetrics: {port: 0}\n',
    );
    await setAside('kinesis', [
      structured('a', { n: 1 }),
      structured('bad', { n: 'x' }),
      structured('c', { n: 3 }),
    ]);
    await setAside('kafka', [binary('d', { n: 4 })]);
    await setAside('kinesis', [structured('e', { n: 5 })], 'shop/gone');
    running = await startSluice(dir, ['--config', config]);
  }, 60_000);
  afterAll(async () => {
    await running?.stop();
    rmSync(root, { recursive: true, force: true });
  });

  it('lists what is there, by stream and path, while an ingress runs', async () => {
    expect(await held()).toEqual([
      ['shop/clicks', 'kinesis', 3],
      ['shop/clicks', 'kafka', 1],
      ['shop/gone', 'kinesis', 1],
    ]);
    expect((await refused('list')).out).toMatch(
      /^shop\/clicks kinesis: 3 events, \d+ bytes, since 20\d\d-/,
    );
  });

  it('shows events with their attributes and data, as many as are asked for', async () => {
    const { out } = await refused('show', 'shop/clicks', '--limit', '3');
    const lines = out
      .trim()
      .split('\n')
      .map(
        (line) =>
          JSON.parse(line) as {
            readonly attributes: { readonly id: string };
            readonly data: unknown;
          },
      );
    expect(lines.map(({ attributes, data }) => [attributes.id, data])).toEqual([
      ['a', { n: 1 }],
      ['bad', { n: 'x' }],
      ['c', { n: 3 }],
    ]);
    expect(await held()).toHaveLength(3);
  });

  it('drops nothing unless the stream is named and it is said', async () => {
    for (const args of [['drop'], ['drop', '--yes'], ['drop', 'shop/gone']]) {
      expect(await refused(...args)).toMatchObject({
        code: 1,
        err: expect.stringContaining('nowhere else') as string,
      });
    }
    expect(await held()).toHaveLength(3);
  });

  it('sends again what the ingress takes now, and keeps what it does not, with the reason', async () => {
    const sent = await refused('send', 'shop/clicks');
    expect(sent).toMatchObject({
      code: 1,
      out: '3 events sent, 1 refused again and kept\n',
      err: expect.stringContaining(
        'shop/clicks kinesis: 1 refused again: schema-invalid',
      ) as string,
    });
    expect(await held()).toEqual([
      ['shop/clicks', 'kinesis', 1],
      ['shop/gone', 'kinesis', 1],
    ]);
    const { out } = await refused('show', 'shop/clicks');
    expect(JSON.parse(out)).toMatchObject({
      attributes: { id: 'bad', extensions: { color: 'blue' } },
    });
    // The ingress has them: the same id with other data is refused by it.
    for (const id of ['a', 'c', 'd']) {
      const reply = await fetch(`${running.url}/v1/shop/clicks`, {
        method: 'POST',
        headers: { 'content-type': 'application/cloudevents+json' },
        body: JSON.stringify({
          specversion: '1.0',
          id,
          source: '/shop/clicks',
          type: 'click',
          data: { n: 99 },
        }),
      });
      expect(reply.status, id).toBe(409);
    }
  });

  it('stops at a stream that nobody takes, and loses nothing', async () => {
    expect(await refused('send', 'shop/gone')).toMatchObject({
      code: 1,
      err: expect.stringContaining('404') as string,
    });
    expect(await held()).toContainEqual(['shop/gone', 'kinesis', 1]);
  });

  it('drops what is named', async () => {
    expect(await refused('drop', 'shop/gone', '--yes')).toMatchObject({
      code: 0,
      out: '1 events dropped\n',
    });
    expect(await refused('drop', 'shop/clicks', '--yes')).toMatchObject({
      code: 0,
      out: '1 events dropped\n',
    });
    expect((await refused('list')).out).toBe('no refused events\n');
  });

  it('says what can be done', async () => {
    expect(await refused('keep')).toMatchObject({
      code: 1,
      err: expect.stringContaining('expected list, show, send or drop') as string,
    });
  });
});
