/**
 * One path of one stream with its spool: what is spooled gets to the stream, in a stream with order
 * nothing passes it, what the stream will never take is kept beside, and the folders of it all are
 * found again.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { RoutedRecord } from '../../../ingest/delivery/route.ts';
import type { DeliveryNews, RouteDelivery } from '../../../ingest/delivery/route-delivery.ts';
import { createRouteDelivery } from '../../../ingest/delivery/route-delivery.ts';
import type { Spool, SpoolOutcome } from '../../../ingest/delivery/spool.ts';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import { isSpool, listSpoolFolders, spoolFolder } from '../../../ingest/delivery/spool-folders.ts';
import { SpoolMemory } from '../../../ingest/delivery/spool-memory.ts';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import type { StreamDouble } from './support.ts';
import { down, never, streamDouble, textOf, until } from './support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-path-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const folder = (): string => join(root, String(made++));
const routed = (text: string): RoutedRecord => ({
  route: 'kafka',
  record: { key: 'k', value: [Buffer.from(text)] },
  bytes: text.length,
});

interface Rig {
  readonly clock: ManualClock;
  readonly stream: StreamDouble;
  readonly path: RouteDelivery;
  readonly news: DeliveryNews[];
  write(text: string): Promise<WriteOutcome>;
  spool(text: string): Promise<SpoolOutcome>;
}

const close: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of close.splice(0)) await step();
});

async function rigOf(
  dir: string,
  more: { readonly order?: 'none' | 'key'; readonly spools?: boolean } = {},
): Promise<Rig> {
  const clock = manualClock(1_000_000);
  const stream = streamDouble();
  const news: DeliveryNews[] = [];
  const open = (name: string): Promise<Spool> =>
    openSpool({ dir: join(dir, name), clock, maxBytes: 1_000_000 });
  const path = createRouteDelivery({
    writer: stream,
    stream: 'a/b',
    order: more.order ?? 'none',
    aggregate: 'none',
    spool: await open('kafka'),
    spools: more.spools ?? true,
    memory: new SpoolMemory(),
    openAside: () => open('kafka.refused'),
    clock,
    random: seededRandom(1),
    tell: (what) => void news.push(what),
  });
  close.push(async () => {
    let closed = false;
    const closing = path.close().then(() => {
      closed = true;
    });
    await until(() => closed, clock);
    await closing;
  });
  const rig: Rig = {
    clock,
    stream,
    path,
    news,
    write: (text) => new Promise((resolve) => path.write(routed(text), resolve)),
    spool: (text) => new Promise((resolve) => path.spool(routed(text), resolve)),
  };
  return rig;
}

const closeLast = async (): Promise<void> => close.pop()?.();

describe('a path with a spool', () => {
  it('is settled by the disk, and then gets what it holds to the stream', async () => {
    const rig = await rigOf(folder());
    expect(await rig.spool('a')).toMatchObject({ kind: 'applied' });
    await until(() => rig.stream.texts.length === 1, rig.clock);
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    expect(rig.path.state()).toMatchObject({
      path: 'kafka',
      breaker: 'closed',
      spoolBytes: 0,
      spoolAgeMs: 0,
    });
  });

  it('leaves what it could not write to its next run, which writes it', async () => {
    const dir = folder();
    const first = await rigOf(dir);
    first.stream.decide = () => down;
    for (const text of ['a', 'b', 'c']) await first.spool(text);
    expect(first.path.state()).toMatchObject({ spoolRecords: 3 });
    await closeLast();
    expect(first.stream.texts).toEqual([]);
    const second = await rigOf(dir);
    await until(() => second.path.state().spoolRecords === 0, second.clock);
    expect(second.stream.texts).toEqual(['a', 'b', 'c']);
  });

  it('tells when the stream does not answer any more, and when it does again', async () => {
    const rig = await rigOf(folder());
    rig.stream.decide = (_text, attempt) => (attempt < 8 ? down : undefined);
    await rig.spool('a');
    await until(() => rig.stream.texts.length === 1, rig.clock);
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    const states = rig.news.flatMap((what) => (what.kind === 'breaker' ? [what.state] : []));
    expect(states[0]).toBe('open');
    expect(states.at(-1)).toBe('closed');
  });

  it('keeps beside, for good, what the stream will never take', async () => {
    const dir = folder();
    const rig = await rigOf(dir);
    rig.stream.decide = (text) => (text === 'b' ? never : undefined);
    for (const text of ['a', 'b', 'c']) await rig.spool(text);
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    expect(rig.stream.texts).toEqual(['a', 'c']);
    await closeLast();
    const aside = await openSpool({
      dir: join(dir, 'kafka.refused'),
      clock: rig.clock,
      maxBytes: 1_000_000,
    });
    expect(
      (await aside.read({ maxRecords: 9, maxBytes: 9_000 })).map(({ record }) => textOf(record)),
    ).toEqual(['b']);
    await aside.close();
  });

  it('keeps it as soon as the folder beside can be made', async () => {
    const dir = folder();
    mkdirSync(dir);
    writeFileSync(join(dir, 'kafka.refused'), 'in the way');
    const rig = await rigOf(dir);
    rig.stream.decide = (text) => (text === 'a' ? never : undefined);
    for (const text of ['a', 'b']) await rig.spool(text);
    await until(() => rig.news.some(({ kind }) => kind === 'spool-fault'), rig.clock);
    expect(rig.path.state().spoolRecords).toBeGreaterThan(0);
    rmSync(join(dir, 'kafka.refused'));
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    expect(rig.stream.texts).toEqual(['b']);
    expect(rig.news.some(({ kind }) => kind === 'set-aside')).toBe(true);
  });
});

describe('a path with order', () => {
  it('lets nothing pass what the spool holds or is about to hold', async () => {
    const rig = await rigOf(folder(), { order: 'key' });
    expect(rig.path.mustSpool).toBe(false);
    const spooling = rig.spool('a');
    expect(rig.path.mustSpool).toBe(true);
    await spooling;
    await until(() => rig.stream.texts.length === 1 && !rig.path.mustSpool, rig.clock);
    expect(await rig.write('b')).toMatchObject({ kind: 'applied' });
    expect(rig.stream.texts).toEqual(['a', 'b']);
  });

  it('that spools no more still writes what an earlier run left before anything new', async () => {
    const dir = folder();
    const before = await rigOf(dir, { order: 'key' });
    before.stream.decide = () => down;
    await before.spool('old');
    await closeLast();
    const rig = await rigOf(dir, { order: 'key', spools: false });
    rig.stream.decide = (text, attempt) => (text === 'old' && attempt < 3 ? down : undefined);
    expect(rig.path.canSpool).toBe(false);
    expect(await rig.write('new')).toMatchObject({
      kind: 'refused',
      code: 'order-kept',
      retryable: true,
    });
    expect(await rig.spool('new')).toMatchObject({ kind: 'refused' });
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    expect(await rig.write('new')).toMatchObject({ kind: 'applied' });
    expect(rig.stream.texts).toEqual(['old', 'new']);
  });
});

describe('a path without order', () => {
  it('that spools no more writes what an earlier run left beside what is new', async () => {
    const dir = folder();
    const before = await rigOf(dir);
    before.stream.decide = () => down;
    await before.spool('old');
    await closeLast();
    const rig = await rigOf(dir, { spools: false });
    expect(await rig.write('new')).toMatchObject({ kind: 'applied' });
    await until(() => rig.path.state().spoolRecords === 0, rig.clock);
    expect([...rig.stream.texts].sort()).toEqual(['new', 'old']);
  });
});

describe('the folders of spools', () => {
  it('are all found, and nothing else that lies there', async () => {
    const dir = folder();
    expect(await listSpoolFolders(dir)).toEqual([]);
    const kept = [
      spoolFolder(dir, 'a/b', 'kinesis', 'waiting'),
      spoolFolder(dir, 'a/b', 'kafka', 'refused'),
      spoolFolder(dir, 'b/a', 'kafka', 'waiting'),
    ];
    for (const { dir: own } of kept) mkdirSync(own, { recursive: true });
    mkdirSync(join(dir, 'a', 'b', 'elsewhere'));
    mkdirSync(join(dir, 'a', 'empty'));
    writeFileSync(join(dir, 'a', 'file'), '');
    writeFileSync(join(dir, 'b', 'a', 'kinesis'), 'no folder');
    expect(await listSpoolFolders(dir)).toEqual(kept);
  });

  it('hold a spool once one was opened there', async () => {
    const own = spoolFolder(folder(), 'a/b', 'kafka', 'waiting');
    expect(await isSpool(own)).toBe(false);
    await (await openSpool({ dir: own.dir, clock: manualClock(), maxBytes: 1_000_000 })).close();
    expect(await isSpool(own)).toBe(true);
  });
});
