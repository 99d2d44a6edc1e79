/**
 * Where the enrich service reads streams from: the one place that names all sources. A new one is a
 * module as deploy/streams/stream-source.ts describes, and a line here.
 */

import { kafkaSource } from '../streams/kafka/kafka-source.ts';
import { kinesisSource } from '../streams/kinesis/kinesis-source.ts';
import type { OpenSource, SourcePorts, StreamSource } from '../streams/stream-source.ts';

const sources: readonly OpenSource[] = [kinesisSource, kafkaSource];

/** Each stream is read from all of them. Throws `SluiceError` `config-incomplete`. */
export function openSources(
  config: Parameters<OpenSource>[0],
  ports: SourcePorts,
): readonly StreamSource[] {
  return sources.map((open) => open(config, ports));
}
