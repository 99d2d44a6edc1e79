/**
 * The numbers of a process: its own, and the room on its disks.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Disks } from '../../../deploy/host/process-metrics.ts';
import { disksOf, watchProcess } from '../../../deploy/host/process-metrics.ts';

async function numbersOf(disks: Disks): Promise<ReadonlyMap<string, number>> {
  const metrics = watchProcess(disks);
  onTestFinished(() => metrics.stop());
  const { text } = await metrics.text();
  return new Map(
    [...text.matchAll(/^([a-z_]+(?:\{.*\})?) (\S+)$/gm)].map(([, name = '', value]) => [
      name,
      Number(value),
    ]),
  );
}

it('are its memory, its CPU and when it began', async () => {
  const numbers = await numbersOf({});
  expect(numbers.get('process_resident_memory_bytes')).toBeGreaterThan(1e7);
  expect(numbers.get('process_cpu_seconds_total')).toBeGreaterThan(0);
  const beganAgo = Date.now() / 1_000 - (numbers.get('process_start_time_seconds') ?? 0);
  expect(Math.abs(beganAgo - process.uptime())).toBeLessThan(5);
});

it('tell how late the event loop was since they were asked last', async () => {
  const metrics = watchProcess({});
  onTestFinished(() => metrics.stop());
  const late = async (): Promise<number> =>
    Number(/^sluice_event_loop_late_seconds (\S+)$/m.exec((await metrics.text()).text)?.[1]);
  const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 60));
  await turn();
  await late();
  await turn();
  // Of a few turns one that is late is more than 1 in 100.
  const until = performance.now() + 300;
  while (performance.now() < until);
  await turn();
  expect(await late()).toBeGreaterThan(0.2);
});

it('tell the room on the disk of each folder, and nothing of one that is not there', async () => {
  const numbers = await numbersOf({ data: tmpdir(), state: join(tmpdir(), 'sluice-not-there') });
  const size = numbers.get('sluice_disk_size_bytes{disk="data"}') ?? 0;
  expect(size).toBeGreaterThan(0);
  expect(numbers.get('sluice_disk_free_bytes{disk="data"}')).toBeLessThanOrEqual(size);
  expect(numbers.has('sluice_disk_free_bytes{disk="state"}')).toBe(false);
});

it('are of the folder of state where state rests on disk', () => {
  expect(disksOf('/data', { backend: 'memory', folder: undefined })).toEqual({ data: '/data' });
  expect(disksOf('/data', { backend: 'disk', folder: '/fast' })).toEqual({
    data: '/data',
    state: '/fast',
  });
  expect(disksOf('/data', { backend: 'disk', folder: undefined }).state).toMatch(/^\/data\//);
});
