/**
 * The sections `routing`, `ingress`, `metrics` and `local`: how events get in, and the embedded
 * streams of `sluice start`.
 */
import { mebi } from '../kernel/bytes.ts';
import { limits } from '../limits.ts';
import { origin } from './access.ts';
import type { Finding, SectionRules } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { choice, flag, group, list, text, whole } from './setting.ts';
import { state } from './state.ts';
import type { QuotaConfig } from './streams.ts';
import { quotaOf } from './streams.ts';

/**
 * Identities that are remembered for their repeats, of all streams: how long, and in how much
 * memory.
 */
export const repeatWindowMs = 120_000;
export const repeatWindowMaxBytes = 64 * mebi;
/** Checkpoint interval under `sluice start`. */
export const startCheckpointIntervalMs = 1_000;
/** Age at which `sluice start` publishes a Parquet file. */
export const startParquetFileMaxAgeMs = 2_000;

/** Threads of one topology. */
const parallelismMax = 32;

const host = { pattern: '^[A-Za-z0-9.:_-]+$', expected: 'a host name or address' } as const;
/** How long one call of an author's function may take, of `local` and `enrich`. */
export const functionMax = whole({
  description: "How long one call of a topology's function may take.",
  unit: 'ms',
  default: 10_000,
  minimum: 100,
  maximum: 3_600_000,
});

export const parallelism = whole({
  description:
    'Threads over which each topology divides the keys of its keyed operators. 1: they run in its own thread.',
  default: 1,
  minimum: 1,
  maximum: parallelismMax,
});
export const listenHost = text({
  ...host,
  description: 'Address to listen on.',
  default: '127.0.0.1',
  examples: ['0.0.0.0'],
});

export const routing = group({
  description: 'Which path an event takes, by the size of its data.',
  properties: {
    large_message_threshold_kb: whole({
      description: 'Data up to this size goes to Kinesis, larger data to Kafka.',
      unit: 'KiB',
      as: 'largeMessageThresholdBytes',
      default: 100,
      minimum: 1,
      maximum: 10_240,
    }),
    failover: flag({
      description: 'Whether an event that fits may take the other route while its own is down.',
      default: false,
    }),
    claim_check: flag({
      description:
        'Whether data too large for both routes goes to the blob store, and a pointer to it into the stream.',
      default: true,
    }),
  },
});

export const ingress = group({
  description: 'The HTTP and WebSocket server that accepts events.',
  properties: {
    host: listenHost,
    port: whole({
      description: 'Port to listen on; 0 means any free port.',
      default: 8_080,
      minimum: 0,
      maximum: 65_535,
    }),
    body_max_mb: whole({
      description: 'Largest body, as it arrives.',
      unit: 'MiB',
      as: 'bodyMaxBytes',
      default: limits.bodyMaxBytes / mebi,
      minimum: 1,
      maximum: 256,
    }),
    body_decoded_max_mb: whole({
      description: 'Largest body, once decompressed.',
      unit: 'MiB',
      as: 'bodyDecodedMaxBytes',
      default: limits.bodyDecodedMaxBytes / mebi,
      minimum: 1,
      maximum: 1_024,
    }),
    in_flight_max_mb: whole({
      description: 'Bytes of all requests in flight; more is answered 503.',
      unit: 'MiB',
      as: 'inFlightMaxBytes',
      default: limits.ingressInFlightMaxBytes / mebi,
      minimum: 1,
      maximum: 16_384,
    }),
    spool_max_mb: whole({
      description: 'Largest spool: of one stream and path, on disk.',
      unit: 'MiB',
      as: 'spoolMaxBytes',
      default: 1_024,
      minimum: 16,
      maximum: 1_048_576,
    }),
    buffer_max_mb: whole({
      description: 'Answered events of `ack: buffered` that are not written yet, of each stream.',
      unit: 'MiB',
      as: 'bufferMaxBytes',
      default: 64,
      minimum: 1,
      maximum: 16_384,
    }),
    address_requests_per_second: whole({
      description: 'Requests a second from one client address; 0 means no quota.',
      unit: 'requests/s',
      default: 0,
      minimum: 0,
      maximum: 1_000_000,
    }),
    address_burst: whole({
      description: 'Requests at once from one client address; 0 means what two seconds allow.',
      unit: 'requests',
      default: 0,
      minimum: 0,
      maximum: 10_000_000,
    }),
    address_websockets_max: whole({
      description: 'Open WebSockets of one client address.',
      as: 'addressWebSocketsMax',
      default: 100,
      minimum: 1,
      maximum: limits.wsConnectionsMax,
    }),
    trusted_proxies: whole({
      description:
        "Proxies in front that append to X-Forwarded-For or Forwarded. The client's address is the entry at this position from the right.",
      default: 0,
      minimum: 0,
      maximum: 16,
    }),
    address_secret: text({
      description: 'Secret for the digests of `context: {ip: hmac}`.',
      writeOnly: true,
      examples: ['${ADDRESS_SECRET}'],
    }),
    address_secret_file: text({
      description: 'File with that secret.',
      format: 'file',
      examples: ['/run/secrets/addresses'],
    }),
    segment_stream: text({
      description: 'Without keys: stream to which the Segment API sends the events.',
      pattern: '^[^/*]+/[^/*]+$',
      expected: 'team/app',
      examples: ['shop/clicks'],
    }),
    log_level: choice({
      description: 'Least severe messages to log.',
      default: 'info',
      enum: ['silent', 'error', 'warn', 'info', 'debug'],
    }),
    repeat_window_s: whole({
      description: 'How long the identity of an accepted event is remembered.',
      unit: 's',
      as: 'repeatWindowMs',
      default: repeatWindowMs / 1_000,
      minimum: 0,
      maximum: 86_400,
    }),
    repeat_window_mb: whole({
      description: 'Memory for the identities of all senders.',
      unit: 'MiB',
      as: 'repeatWindowMaxBytes',
      default: repeatWindowMaxBytes / mebi,
      minimum: 1,
      maximum: 4_096,
    }),
    origins: list({
      description: 'Without keys: origins of pages that may send. Unset: those of this machine.',
      items: origin,
    }),
  },
});

export const metrics = group({
  description:
    'Listener for Prometheus, separate from the ingress because the metrics cover all teams.',
  properties: {
    host: listenHost,
    port: whole({
      description:
        'Port to listen on; 0 means any free port. Unset: 9464 (start, ingest) or 9465 (enrich).',
      minimum: 0,
      maximum: 65_535,
    }),
    hosts: list({
      description: 'Host names that it answers to, besides addresses and loopback names.',
      default: [],
      items: text({ ...host, description: 'Host name.', examples: ['sluice.prod.svc'] }),
    }),
  },
});

export const local = group({
  description: 'The embedded streams and topologies of `sluice start`.',
  properties: {
    kinesis_shards: whole({
      description: 'Shards of each embedded Kinesis stream.',
      default: 2,
      minimum: 1,
      maximum: 64,
    }),
    kafka_partitions: whole({
      description: 'Partitions of each embedded Kafka topic.',
      default: 2,
      minimum: 1,
      maximum: 64,
    }),
    retention_mb: whole({
      description: 'Size up to which a shard or partition keeps its records.',
      unit: 'MiB',
      as: 'retentionMaxBytes',
      default: 4_096,
      minimum: 64,
      maximum: 10_485_760,
    }),
    retention_hours: whole({
      description: 'Time for which records are kept.',
      unit: 'h',
      as: 'retentionMaxMs',
      default: 7 * 24,
      minimum: 1,
      maximum: 87_600,
    }),
    checkpoint_ms: whole({
      description: 'Time between two checkpoints.',
      unit: 'ms',
      as: 'checkpointIntervalMs',
      default: startCheckpointIntervalMs,
      minimum: 100,
      maximum: 3_600_000,
    }),
    function_max_ms: functionMax,
    state,
    parallelism,
    parquet_file_age_ms: whole({
      description: 'Age at which a Parquet file is published.',
      unit: 'ms',
      as: 'parquetFileMaxAgeMs',
      default: startParquetFileMaxAgeMs,
      minimum: 0,
      maximum: 86_400_000,
    }),
  },
});

export type RoutingConfig = ValueOf<typeof routing>;
export type LocalConfig = ValueOf<typeof local>;
/** A port that is undefined is what the command has by default. */
export type MetricsConfig = ValueOf<typeof metrics>;

/** A secret as it was given, or the file that has it. Never log it or put it into an error. */
export type SecretConfig = { readonly text: string } | { readonly file: string };

type IngressValues = ValueOf<typeof ingress>;
export type LogLevel = IngressValues['logLevel'];
type Reshaped =
  | 'addressRequestsPerSecond'
  | 'addressBurst'
  | 'addressSecret'
  | 'addressSecretFile'
  | 'segmentStream'
  | 'origins';
export interface IngressConfig extends Omit<IngressValues, Reshaped> {
  /** Requests of one client address (of IPv6 its network of 64 bits); undefined: no quota. */
  readonly addressQuota: QuotaConfig | undefined;
  /** What addresses are digested with, for streams with `context: {ip: hmac}`. */
  readonly addressSecret?: SecretConfig;
}

export function ingressOf(values: IngressValues): IngressConfig {
  const { addressRequestsPerSecond, addressBurst, addressSecret, addressSecretFile, ...rest } =
    values;
  const { segmentStream: _segmentStream, origins: _origins, ...settings } = rest;
  const secret = secretOf(addressSecret, addressSecretFile);
  return {
    ...settings,
    addressQuota: quotaOf({ eventsPerSecond: addressRequestsPerSecond, burst: addressBurst }),
    ...(secret === undefined ? {} : { addressSecret: secret }),
  };
}

/** The file, where both are given. */
export function secretOf(
  given: string | undefined,
  file: string | undefined,
): SecretConfig | undefined {
  if (file !== undefined) return { file };
  return given === undefined ? undefined : { text: given };
}

export const addressSecretExpected = `a text of at least ${limits.addressSecretMinChars} characters from the environment, or ingress.address_secret_file`;

interface Ingress {
  readonly routing: RoutingConfig;
  readonly ingress: IngressConfig;
}

function* thresholdFitsARecord({ routing }: Ingress): Iterable<Finding> {
  const most = limits.kinesisRecordMaxBytes - limits.recordHeadMaxBytes;
  if (routing.largeMessageThresholdBytes > most)
    yield {
      path: ['routing', 'large_message_threshold_kb'],
      at: ['routing'],
      message: 'such an event does not fit a record of the small route',
      expected: `at most ${most / 1_024}`,
    };
}

function* secretIsLong({ ingress: { addressSecret } }: Ingress): Iterable<Finding> {
  if (addressSecret === undefined || 'file' in addressSecret) return;
  if (addressSecret.text.length < limits.addressSecretMinChars)
    yield {
      path: ['ingress', 'address_secret'],
      at: ['ingress'],
      message: 'is too short',
      expected: addressSecretExpected,
    };
}

function* bodiesFit({ ingress }: Ingress): Iterable<Finding> {
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = ingress;
  if (bodyDecodedMaxBytes < bodyMaxBytes)
    yield {
      path: ['ingress', 'body_decoded_max_mb'],
      at: ['ingress'],
      message: 'is below body_max_mb',
      expected: 'at least as much',
    };
  if (inFlightMaxBytes < bodyDecodedMaxBytes)
    yield {
      path: ['ingress', 'in_flight_max_mb'],
      at: ['ingress'],
      message: 'does not admit one body of body_decoded_max_mb',
      expected: 'at least body_decoded_max_mb',
    };
}

export const ingressRules: SectionRules<Ingress> = {
  whole: [thresholdFitsARecord, secretIsLong, bodiesFit],
};
