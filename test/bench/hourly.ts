/**
 * The hourly topology of the flights example, from the embedded log to Parquet: events a second,
 * beside the same records read and only parsed. The log holds the shipped departures several times,
 * each copy a month later and under ids of its own.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { jobStateThread } from '../../deploy/host/state-thread.ts';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { localLake } from '../../deploy/stores/local/local-lake-files.ts';
import type { EmbeddedStreamHandle } from '../../deploy/streams/embedded/embedded-log.ts';
import { embeddedReader, openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { parquetFileMaxBytes } from '../../enrich/parquet/table-binding.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import {
  startCheckpointIntervalMs,
  startParquetFileMaxAgeMs,
} from '../../schemas/config/ingress.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import { decodeRecord, encodeStructured } from '../../schemas/wire.ts';
import { departure } from '../../topology/examples/flights/schemas/departure.gen.ts';
import { hourlyRow } from '../../topology/examples/flights/schemas/hourly-row.gen.ts';
import type { Topology } from '../../topology/index.ts';
import { count, createJob, stream, sum, table, topology, tumbling } from '../../topology/index.ts';
import { turnMaxBytes, turnMaxRows } from '../../topology/runtime/job.ts';
import { streamConfig } from '../ingest/support.ts';

const data = fileURLToPath(
  new URL('../../../topology/examples/flights/data/departures.ndjson.gz', import.meta.url),
);
const monthMs = 31 * 24 * 3_600_000;
const writeBatch = 500;

export interface HourlyMeasure {
  readonly events: number;
  /** Read from the log and decoded; and JSON.parse of the data on top. */
  readonly readPerSecond: number;
  readonly parsedPerSecond: number;
  readonly topologyPerSecond: number;
  /** Of the process while the topology ran. */
  readonly cpuUsPerEvent: number;
  readonly windows: number;
}

function hourly(): Topology {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return topology('bench-hourly', { version: 1, owner: 'bench/hourly' }, (t) => {
    const departures = t
      .source('departures', stream('bench/events'))
      .validate('valid', departure)
      .eventTime('time', (e) => e.data.departed, { outOfOrderness: '24h', idleAfter: '1s' })
      .deduplicate('once', { by: (e) => [e.source, e.id], within: '2d' });
    const perHour = departures
      .keyBy((e) => e.data.origin)
      .window('hourly', tumbling('1h'))
      .aggregate({ departures: count(), delay_min: sum((e) => e.data.depDelayMin) });
    perHour.out
      .map((w) => ({
        origin: w.key,
        window_start: iso(w.windowStart),
        window_end: iso(w.windowEnd),
        departures: w.departures,
        delay_min: w.delay_min,
      }))
      .sinkTo('table', table('departures_hourly', hourlyRow, { partitionBy: ['date'] }));
  });
}

function recordsOf(copy: number, lines: readonly string[]): readonly OutgoingRecord[] {
  const shift = copy * monthMs;
  return lines.map((line) => {
    const {
      id,
      subject,
      time,
      data: fields,
    } = JSON.parse(line) as {
      id: string;
      subject: string;
      time: string;
      data: Record<string, unknown>;
    };
    const moved = (at: unknown): unknown =>
      typeof at === 'string' ? new Date(Date.parse(at) + shift).toISOString() : at;
    const attributes: EventAttributes = {
      id: `${id}-${copy}`,
      source: '/bench/events',
      type: 'flight.departed',
      time: String(moved(time)),
      datacontenttype: 'application/json',
      team: 'bench',
      app: 'events',
      partitionkey: subject,
      receivedtime: '2026-01-01T00:00:00.000Z',
    };
    const text = JSON.stringify({
      ...fields,
      departed: moved(fields['departed']),
      scheduled: moved(fields['scheduled']),
    });
    return { key: subject, value: encodeStructured(attributes, Buffer.from(text)) };
  });
}

async function readAll(handles: readonly EmbeddedStreamHandle[], parse: boolean): Promise<number> {
  const bounds = { maxRecords: turnMaxRows, maxBytes: turnMaxBytes };
  let events = 0;
  for (const reader of handles.map(embeddedReader)) {
    for (const split of await reader.splits()) {
      for (let after: string | undefined; ; ) {
        const { records } = await reader.read(split.id, after, bounds);
        if (records.length === 0) break;
        for (const record of records) {
          const decoded = decodeRecord(record);
          if ('problem' in decoded) throw new Error(decoded.problem);
          if (parse) JSON.parse(Buffer.from(decoded.data).toString('utf8'));
          events++;
        }
        after = records.at(-1)?.position;
      }
    }
    await reader.close();
  }
  return events;
}

async function perSecond(events: number, work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return events / ((performance.now() - startedMs) / 1_000);
}

export async function measureHourly(copies: number): Promise<HourlyMeasure> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-hourly-'));
  const lines = gunzipSync(readFileSync(data))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '');
  const streams = await openEmbeddedStreams({
    root: join(dir, 'log'),
    streams: [streamConfig('bench', 'events')],
    local: {
      kinesisShards: 2,
      kafkaPartitions: 1,
      retentionMaxBytes: 2 ** 40,
      retentionMaxMs: 2 ** 40,
    },
    clock: systemClock,
  });
  try {
    for (let copy = 0; copy < copies; copy++) {
      const records = recordsOf(copy, lines);
      for (let at = 0; at < records.length; at += writeBatch) {
        const outcomes = await streams
          .writer('kinesis')
          .write('bench/events', records.slice(at, at + writeBatch));
        if (outcomes.some(({ kind }) => kind !== 'applied'))
          throw new Error(JSON.stringify(outcomes[0]));
      }
    }
    const handles = streams.handles('bench/events');
    const events = copies * lines.length;
    const readPerSecond = await perSecond(events, () => readAll(handles, false));
    const parsedPerSecond = await perSecond(events, () => readAll(handles, true));
    const before = process.cpuUsage();
    let windows = 0;
    const topologyPerSecond = await perSecond(events, async () => {
      windows = await runJob(dir, handles);
    });
    const { user, system } = process.cpuUsage(before);
    return {
      events,
      readPerSecond,
      parsedPerSecond,
      topologyPerSecond,
      cpuUsPerEvent: (user + system) / events,
      windows,
    };
  } finally {
    await streams.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs until drained; how many windows came out. */
async function runJob(dir: string, handles: readonly EmbeddedStreamHandle[]): Promise<number> {
  const lake = join(dir, 'lake');
  // As in production.
  const thread = jobStateThread();
  const job = createJob({
    topology: hourly(),
    blobs: localBlobStore(dir),
    connectors: {
      readers: () => Promise.resolve(handles.map(embeddedReader)),
      sink: (node, plan, run) => {
        if (node.sink.kind !== 'table') throw new Error('the only sink is a table');
        return tableSink({
          lake: localLake(lake),
          table: node.sink.table,
          schema: node.sink.schema,
          partitionBy: node.sink.partitionBy,
          owner: plan.owner,
          topology: plan.name,
          run,
          fileMaxBytes: parquetFileMaxBytes,
          fileMaxAgeMs: startParquetFileMaxAgeMs,
          clock: systemClock,
        });
      },
      table: () => Promise.resolve([]),
      lookup: () => () => Promise.resolve(undefined),
      rejected: (plan, run) =>
        rejectedSink({ lake: localLake(lake), topology: plan.name, run, clock: systemClock }),
    },
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: startCheckpointIntervalMs,
    stateWriter: thread.stateWriter,
    recordStore: thread.recordStore,
  });
  await job.open();
  const running = job.run();
  await job.drain();
  await running;
  const { nodes } = await job.status();
  await job.close();
  await thread.close();
  return nodes.find(({ id }) => id === 'table')?.passed ?? 0;
}
