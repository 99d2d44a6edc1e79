/**
 * A running instance as real clients meet it: the ingress over the embedded log in this process,
 * and what landed in its streams.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { embeddedReader, openEmbeddedStreams } from '../../deploy/streams/embedded/embedded-log.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { parseConfig } from '../../schemas/config-file.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { decodeRecord } from '../../schemas/wire.ts';

export interface Landed {
  readonly attributes: EventAttributes;
  readonly data: unknown;
  readonly text: string;
}

export interface RealInstance {
  readonly url: string;
  /** Everything that is in the stream now. */
  landed(stream?: string): Promise<readonly Landed[]>;
  /** Waits until `count` events are in the stream. */
  landedAtLeast(count: number, stream?: string): Promise<readonly Landed[]>;
  stop(): Promise<void>;
}

export async function realInstance(yaml: string): Promise<RealInstance> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-clients-'));
  const parsed = parseConfig(yaml, { file: 'clients', env: {}, baseDir: dir });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const streams = await openEmbeddedStreams({
    root: dir,
    streams: [...config.streams, ledgerStream],
    local: { ...config.local, kinesisShards: 1, kafkaPartitions: 1 },
    clock: systemClock,
  });
  const ingress = await createIngress({
    config,
    writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
  });
  const landed = async (stream = 't/web'): Promise<readonly Landed[]> => {
    const found: Landed[] = [];
    for (const handle of streams.handles(stream)) {
      const reader = embeddedReader(handle);
      for (const { id } of await reader.splits()) {
        const { records } = await reader.read(id, undefined, {
          maxRecords: 100_000,
          maxBytes: 1e9,
        });
        for (const record of records) {
          const decoded = decodeRecord(record);
          if ('problem' in decoded) throw new Error(decoded.problem);
          const text = Buffer.from(decoded.data).toString();
          found.push({ attributes: decoded.attributes, data: JSON.parse(text), text });
        }
      }
      await reader.close();
    }
    return found;
  };
  return {
    url: ingress.url,
    landed,
    async landedAtLeast(count, stream) {
      for (;;) {
        const found = await landed(stream);
        if (found.length >= count) return found;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async stop() {
      await ingress.shutDown();
      await streams.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
