/**
 * What a service has to know of where it reads streams from: the contract between a vendor's module
 * and the list of all of them (deploy/services/stream-sources.ts).
 */
import type { SluiceConfig, StreamConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { StartupCheck } from '../../schemas/ports/startup-check.ts';

export interface SourcePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** What happened, by name, for metrics. */
  readonly count: (name: string) => void;
}

export interface StreamSource {
  /** That the stream is there and may be read, before a service starts. */
  check(stream: StreamConfig): StartupCheck;
  /** For one run of a topology. */
  reader(stream: StreamConfig, topology: string): RecordReader;
}

/** Throws `SluiceError` `config-incomplete`. */
export type OpenSource = (
  config: Pick<SluiceConfig, 'kinesis' | 'kafka'>,
  ports: SourcePorts,
) => StreamSource;

/**
 * How many splits there are, in words: `called` is what the vendor calls them. One record of the
 * first is asked for: whether it may be read is not known before.
 */
export async function readable(reader: RecordReader, called: string): Promise<string> {
  try {
    const splits = await reader.splits();
    const [first] = splits;
    if (first !== undefined) await reader.read(first.id, undefined, { maxRecords: 1, maxBytes: 1 });
    return `${splits.length} ${called}`;
  } finally {
    await reader.close();
  }
}
