/**
 * From the checked values of the sections `routing`, `ingress` and `local` to what the rest of the
 * system is given, in bytes and milliseconds. Pure.
 */
import type { LogLevel, SluiceConfig } from './config.ts';
import { quotaOf } from './config-access.ts';
import type { FieldValue } from './config-fields.ts';
import { hourMs, mebi } from './config-sections.ts';

type Values = Readonly<Record<string, FieldValue>>;

/** `pathOf`: where a file lies that the configuration names. */
export function ingressOf(
  { routing, ingress, local }: Readonly<Record<'routing' | 'ingress' | 'local', Values>>,
  pathOf: (file: string) => string,
): Pick<SluiceConfig, 'routing' | 'ingress' | 'local'> {
  return {
    routing: {
      largeMessageThresholdBytes: Number(routing['large_message_threshold_kb']) * 1_024,
      failover: routing['failover'] as boolean,
      claimCheck: routing['claim_check'] as boolean,
    },
    ingress: {
      host: ingress['host'] as string,
      port: Number(ingress['port']),
      bodyMaxBytes: Number(ingress['body_max_mb']) * mebi,
      bodyDecodedMaxBytes: Number(ingress['body_decoded_max_mb']) * mebi,
      inFlightMaxBytes: Number(ingress['in_flight_max_mb']) * mebi,
      spoolMaxBytes: Number(ingress['spool_max_mb']) * mebi,
      bufferMaxBytes: Number(ingress['buffer_max_mb']) * mebi,
      repeatWindowMs: Number(ingress['repeat_window_s']) * 1_000,
      repeatWindowMaxBytes: Number(ingress['repeat_window_mb']) * mebi,
      addressQuota: quotaOf({
        events_per_second: ingress['address_requests_per_second'],
        burst: ingress['address_burst'],
      }),
      addressWebSocketsMax: Number(ingress['address_websockets_max']),
      trustedProxies: Number(ingress['trusted_proxies']),
      ...secretOf(ingress, pathOf),
      logLevel: ingress['log_level'] as LogLevel,
    },
    local: {
      kinesisShards: Number(local['kinesis_shards']),
      kafkaPartitions: Number(local['kafka_partitions']),
      retentionMaxBytes: Number(local['retention_mb']) * mebi,
      retentionMaxMs: Number(local['retention_hours']) * hourMs,
      checkpointIntervalMs: Number(local['checkpoint_ms']),
      functionMaxMs: Number(local['function_max_ms']),
      parquetFileMaxAgeMs: Number(local['parquet_file_age_ms']),
    },
  };
}

function secretOf(
  ingress: Readonly<Record<string, FieldValue>>,
  pathOf: (file: string) => string,
): Pick<SluiceConfig['ingress'], 'addressSecret'> {
  const [text, file] = [String(ingress['address_secret']), String(ingress['address_secret_file'])];
  if (file !== '') return { addressSecret: { file: pathOf(file) } };
  return text === '' ? {} : { addressSecret: { text } };
}
