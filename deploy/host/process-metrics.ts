/**
 * The numbers of the process itself, beside those of what it runs: its CPU and memory, how late its
 * event loop is, and the room on its disks. The first names are those that every client of
 * Prometheus uses (https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics).
 *
 * Invariant: a disk that cannot be asked leaves no series, and never fails a scrape.
 */
import { statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { StateConfig } from '../../schemas/config/state.ts';
import { stateDir } from './layout.ts';
import { registerMetrics } from './metric-table.ts';

/** How often the event loop is looked at: what is on time is this late, which is taken off. */
const loopResolutionMs = 20;
const loopPercentile = 99;

const table = {
  cpu: {
    kind: 'counter',
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, of the user and of the system',
    labels: [],
  },
  memory: {
    kind: 'gauge',
    name: 'process_resident_memory_bytes',
    help: 'Memory of the process that is in RAM',
    labels: [],
  },
  started: {
    kind: 'gauge',
    name: 'process_start_time_seconds',
    help: 'When the process began (epoch)',
    labels: [],
  },
  late: {
    kind: 'gauge',
    name: 'sluice_event_loop_late_seconds',
    help: 'How late the event loop of the main thread was since the last scrape, in 99 of 100 turns at most',
    labels: [],
  },
  free: {
    kind: 'gauge',
    name: 'sluice_disk_free_bytes',
    help: 'Bytes that are free on the disk of a folder: data (--dir), state',
    labels: ['disk'],
  },
  size: {
    kind: 'gauge',
    name: 'sluice_disk_size_bytes',
    help: 'Size of that disk',
    labels: ['disk'],
  },
} as const;

/** A folder by what it is for: `data` is the one of `--dir`, `state` that of state on disk. */
export type Disks = Readonly<Partial<Record<'data' | 'state', string>>>;

/** Those of an instance in `dir`. */
export function disksOf(dir: string, { backend, folder }: StateConfig): Disks {
  return backend === 'disk' ? { data: dir, state: folder ?? stateDir(dir) } : { data: dir };
}

export interface ProcessMetrics {
  /** What is late counts from one call to the next. */
  text(): Promise<MetricsText>;
  stop(): void;
}

export function watchProcess(disks: Disks): ProcessMetrics {
  const delay = monitorEventLoopDelay({ resolution: loopResolutionMs });
  delay.enable();
  return {
    async text() {
      const registry = new Registry();
      const metrics = registerMetrics(table, registry);
      const { user, system } = process.cpuUsage();
      metrics.cpu.inc((user + system) / 1e6);
      metrics.memory.set(process.memoryUsage.rss());
      metrics.started.set(Math.round(Date.now() / 1_000 - process.uptime()));
      const lateMs = delay.percentile(loopPercentile) / 1e6 - loopResolutionMs;
      metrics.late.set(Math.max(0, lateMs) / 1_000);
      delay.reset();
      for (const [disk, folder] of Object.entries(disks)) {
        const room = await roomOf(folder);
        if (room === undefined) continue;
        metrics.free.set({ disk }, room.free);
        metrics.size.set({ disk }, room.size);
      }
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
    stop: () => void delay.disable(),
  };
}

/** Bytes: what a process without the rights of root may still write. */
async function roomOf(folder: string): Promise<{ free: number; size: number } | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { free: bavail * bsize, size: blocks * bsize };
  } catch {
    return undefined;
  }
}
