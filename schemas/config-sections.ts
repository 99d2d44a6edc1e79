/**
 * The sections of the configuration that are plain fields: names, types, bounds, defaults.
 */
import type { MetricsConfig } from './config.ts';
import type { Field, FieldValue } from './config-fields.ts';
import { parsePointer } from './json-scan.ts';
import { limits } from './limits.ts';

export const mebi = 1_024 * 1_024;
export const hourMs = 3_600_000;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const nameExpected = '1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit';
export const isName = (value: string): boolean => namePattern.test(value);
const name = (value: string): string | undefined => (isName(value) ? undefined : nameExpected);
const pointer = (value: string): string | undefined =>
  value !== '' && parsePointer(value) !== undefined
    ? undefined
    : 'a JSON pointer such as /orderId (RFC 6901)';
const host = (value: string): string | undefined =>
  /^[A-Za-z0-9.:_-]+$/.test(value) ? undefined : 'a host name or address';

export const streamFields: Readonly<Record<string, Field>> = {
  team: { type: 'string', check: name },
  app: { type: 'string', check: name },
  kinesis_stream: {
    type: 'string',
    default: '',
    check: (value) =>
      /^[A-Za-z0-9._-]{1,128}$/.test(value) ? undefined : '1 to 128 of A-Z a-z 0-9 . _ -',
  },
  kafka_topic: {
    type: 'string',
    default: '',
    check: (value) =>
      /^[A-Za-z0-9._-]{1,249}$/.test(value) ? undefined : '1 to 249 of A-Z a-z 0-9 . _ -',
  },
  envelope: { type: 'string', default: 'none', oneOf: ['none', 'sluice'] },
  ack: { type: 'string', default: 'replicated', oneOf: ['replicated', 'spooled', 'buffered'] },
  when_down: { type: 'string', default: 'refuse', oneOf: ['refuse', 'spool'] },
  order: { type: 'string', default: 'none', oneOf: ['none', 'key'] },
  aggregate: { type: 'string', default: 'none', oneOf: ['none', 'kpl', 'kpl-gzip'] },
  validate: { type: 'string', default: 'none', oneOf: ['none', 'warn', 'reject'] },
  schema: { type: 'string', default: '' },
};
export const eventFields: Readonly<Record<string, Field>> = {
  id: { type: 'string', default: '', check: pointer },
  time: { type: 'string', default: '', check: pointer },
  key: { type: 'string', default: '', check: pointer },
  type: { type: 'string', default: '', check: pointer },
};
/** `values` of the section, after checks. */
export function metricsOf(
  values: Readonly<Record<string, FieldValue>> = {},
  hosts: readonly string[],
): MetricsConfig {
  const { host: at, port } = values;
  return { host: String(at), port: typeof port === 'number' ? port : undefined, hosts };
}

/** Of `metrics.hosts`. */
export const hostField: Field = { type: 'string', check: host };
export const sections: Readonly<Record<string, Readonly<Record<string, Field>>>> = {
  routing: {
    large_message_threshold_kb: {
      type: 'integer',
      default: limits.largeMessageThresholdBytes / 1_024,
      min: 1,
      max: 10_240,
    },
    failover: { type: 'boolean', default: false },
    claim_check: { type: 'boolean', default: true },
  },
  ingress: {
    host: { type: 'string', default: '127.0.0.1', check: host },
    port: { type: 'integer', default: 8_080, min: 0, max: 65_535 },
    body_max_mb: { type: 'integer', default: limits.bodyMaxBytes / mebi, min: 1, max: 256 },
    body_decoded_max_mb: {
      type: 'integer',
      default: limits.bodyDecodedMaxBytes / mebi,
      min: 1,
      max: 1_024,
    },
    in_flight_max_mb: {
      type: 'integer',
      default: limits.ingressInFlightMaxBytes / mebi,
      min: 1,
      max: 16_384,
    },
    spool_max_mb: {
      type: 'integer',
      default: limits.spoolMaxBytes / mebi,
      min: 16,
      max: 1_048_576,
    },
    buffer_max_mb: { type: 'integer', default: limits.bufferMaxBytes / mebi, min: 1, max: 16_384 },
    address_requests_per_second: { type: 'integer', default: 0, min: 0, max: 1_000_000 },
    address_burst: { type: 'integer', default: 0, min: 0, max: 10_000_000 },
    address_websockets_max: {
      type: 'integer',
      default: limits.wsNetworkConnectionsMax,
      min: 1,
      max: limits.wsConnectionsMax,
    },
    trusted_proxies: { type: 'integer', default: 0, min: 0, max: 16 },
    address_secret: { type: 'string', default: '' },
    address_secret_file: { type: 'string', default: '' },
    segment_stream: {
      type: 'string',
      default: '',
      check: (value) => (/^[^/*]+\/[^/*]+$/.test(value) ? undefined : 'team/app'),
    },
    log_level: {
      type: 'string',
      default: 'info',
      oneOf: ['silent', 'error', 'warn', 'info', 'debug'],
    },
    repeat_window_s: {
      type: 'integer',
      default: limits.repeatWindowMs / 1_000,
      min: 0,
      max: 86_400,
    },
    repeat_window_mb: {
      type: 'integer',
      default: limits.repeatWindowMaxBytes / mebi,
      min: 1,
      max: 4_096,
    },
  },
  metrics: {
    host: { type: 'string', default: '127.0.0.1', check: host },
    port: { type: 'integer', default: '', min: 0, max: 65_535 },
  },
  local: {
    kinesis_shards: { type: 'integer', default: 2, min: 1, max: 64 },
    kafka_partitions: { type: 'integer', default: 2, min: 1, max: 64 },
    retention_mb: {
      type: 'integer',
      default: limits.retentionMaxBytes / mebi,
      min: 64,
      max: 10_485_760,
    },
    retention_hours: {
      type: 'integer',
      default: limits.retentionMaxMs / hourMs,
      min: 1,
      max: 87_600,
    },
    checkpoint_ms: {
      type: 'integer',
      default: limits.startCheckpointIntervalMs,
      min: 100,
      max: 3_600_000,
    },
    function_max_ms: {
      type: 'integer',
      default: limits.functionMaxMs,
      min: limits.functionMinMs,
      max: 3_600_000,
    },
    parquet_file_age_ms: {
      type: 'integer',
      default: limits.startParquetFileMaxAgeMs,
      min: 0,
      max: 86_400_000,
    },
  },
};
