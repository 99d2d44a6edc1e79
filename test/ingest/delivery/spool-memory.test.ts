/**
 * What all spools of a process hold in memory together: before, each of them had a bound of its
 * own, and a hundred streams a hundred of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openSpool } from '../../../ingest/delivery/spool.ts';
import { SpoolMemory } from '../../../ingest/delivery/spool-memory.ts';
import { openLogFile } from '../../../ingest/segment-log/log-file.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-spool-memory-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the memory of spools', () => {
  it('has room for reads up to its bound, then lets them in by turns', async () => {
    const memory = new SpoolMemory({ readMaxBytes: 100 });
    const [one, two] = [await memory.room(60), await memory.room(40)];
    const order: string[] = [];
    const large = memory.room(80).then((room) => {
      order.push('large');
      return room;
    });
    const small = memory.room(10).then((room) => {
      order.push('small');
      return room;
    });
    two.release();
    await Promise.resolve();
    // The small one would fit, and the large one would wait for ever behind such.
    expect([order, memory.readBytes]).toEqual([[], 60]);
    one.shrinkTo(15);
    await large;
    expect([order, memory.readBytes]).toEqual([['large'], 95]);
    one.release();
    one.release();
    await small;
    expect(memory.readBytes).toBe(90);
    (await large).release();
    (await small).release();
    expect(memory.readBytes).toBe(0);
  });

  it('refuses what is on its way to the disk past the bound of all, whichever spool it is for, until that is written', async () => {
    const memory = new SpoolMemory({ pendingMaxBytes: 2_500 });
    let release: () => void = () => undefined;
    const synced = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isSlow = false;
    const openFile: typeof openLogFile = async (path) => {
      const file = await openLogFile(path);
      return Object.assign(Object.create(file) as typeof file, {
        datasync: async () => {
          if (isSlow) await synced;
          await file.datasync();
        },
      });
    };
    const open = (name: string) =>
      openSpool({
        dir: join(root, name),
        clock: manualClock(1_000),
        maxBytes: 1e9,
        memory,
        openFile,
      });
    const [one, two] = [await open('one'), await open('two')];
    isSlow = true;
    const record: OutgoingRecord = { key: 'k', value: [Buffer.alloc(1_000)] };
    const [first, second] = [one.append([record]), two.append([record])];
    expect(memory.pendingBytes).toBeGreaterThan(2_000);
    expect(await two.append([record])).toMatchObject({ kind: 'refused', code: 'backlog-full' });
    release();
    expect([(await first).kind, (await second).kind]).toEqual(['applied', 'applied']);
    expect(memory.pendingBytes).toBe(0);
    expect((await two.append([record])).kind).toBe('applied');
    expect([one.records, two.records]).toEqual([1, 2]);
    await one.close();
    await two.close();
  });
});
