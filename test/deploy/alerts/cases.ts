/**
 * For each alert a course of its metrics in which it fires, and one close to it in which it does
 * not. Times are minutes of the course; values are in the notation of promtool, such as `0+60x30`:
 * https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series
 */
export interface AlertCase {
  /** Values by series. */
  readonly fires: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
  /** When both are looked at, minutes; default 40. */
  readonly atMinutes?: number;
  /** Whether the ingress of all other cases is there; default true. */
  readonly ingressIsThere?: false;
}

const answers = (status: number): string => `sluice_ingress_answers_total{status="${status}"}`;
const ofStream = (name: string, more = ''): string => `${name}{stream="shop/clicks"${more}}`;
const ofPath = (name: string, more = ''): string => ofStream(name, `,path="kinesis"${more}`);
const onTarget = (name: string): string => ofPath(name, ',job="ingest",instance="a:9464"');
const ofTopology = (name: string, more = ''): string => `${name}{topology="orders"${more}}`;
const ofSplit = (name: string): string =>
  ofTopology(name, ',source="clicks",stream="shop/clicks",path="kinesis",split="shard-1"');
const elements = (outcome: string): string =>
  ofTopology('sluice_node_elements_total', `,node="hourly",outcome="${outcome}"`);
const lookups = (outcome: string): string =>
  ofTopology('sluice_lookup_calls_total', `,node="prices",outcome="${outcome}"`);
const inPod = (name: string): string => `${name}{pod="sluice-ingest-1",container="ingest"}`;
const watermarkLag = ofTopology('sluice_node_watermark_lag_seconds', ',node="hourly"');
const spoolMax = 'sluice_ingress_spool_max_bytes{job="ingest",instance="a:9464"}';
const day = 86_400;

/** One number for the whole course. */
const steady = (value: number): string => `${value}+0x60`;
/** A counter that grows by so much a minute. */
const growing = (perMinute: number): string => `0+${perMinute}x60`;

function gauge(series: string, fires: number, quiet: number): AlertCase {
  return { fires: { [series]: steady(fires) }, quiet: { [series]: steady(quiet) } };
}

/** Part of a whole, each by minute: of 1,000 in all. */
function share(part: string, rest: string, fires: number, quiet: number): AlertCase {
  const course = (size: number): AlertCase['fires'] => ({
    [part]: growing(size),
    [rest]: growing(1_000 - size),
  });
  return { fires: course(fires), quiet: course(quiet) };
}

/** One that counts in the whole as well. */
function shareOf(part: string, whole: string, fires: number, quiet: number): AlertCase {
  const course = (size: number): AlertCase['fires'] => ({
    [part]: growing(size),
    [whole]: growing(1_000),
  });
  return { fires: course(fires), quiet: course(quiet) };
}

const ingressCases: Readonly<Record<string, AlertCase>> = {
  SluiceIngressAbsent: {
    ingressIsThere: false,
    fires: { up: steady(0) },
    quiet: { sluice_ingress_in_flight_bytes: steady(0) },
  },
  SluiceAnswersFailing: share(answers(503), answers(202), 20, 5),
  SluiceEventsRefused: share(
    ofStream('sluice_ingress_events_refused_total', ',code="schema-invalid"'),
    ofStream('sluice_ingress_events_accepted_total', ',route="kinesis"'),
    80,
    30,
  ),
  SluiceKeysRefused: share(answers(401), answers(202), 80, 30),
  SluiceQuotaExceeded: share(answers(429), answers(202), 80, 30),
  SluiceStreamThrottled: {
    fires: {
      [ofPath('sluice_ingress_write_failures_total', ',code="throughput-exceeded"')]: growing(5),
    },
    quiet: {
      [ofPath('sluice_ingress_write_failures_total', ',code="throughput-exceeded"')]: steady(5),
      [ofPath('sluice_ingress_write_failures_total', ',code="stream-failed"')]: growing(5),
    },
  },
  // One that comes back for a moment in five minutes is not away.
  SluiceStreamUnavailable: {
    fires: { [ofPath('sluice_ingress_breaker_state')]: '0x10 2 1 2 2 1 2 2 2 1 2+0x40' },
    quiet: {
      [ofPath('sluice_ingress_breaker_state')]: '0 2 2 2 0 2 2 2 0 2 2 2 0 2 2 2 0 2 2 2 0',
    },
    atMinutes: 20,
  },
  SluiceSpoolFilling: {
    fires: { [onTarget('sluice_ingress_spool_bytes')]: steady(600), [spoolMax]: steady(1_000) },
    quiet: { [onTarget('sluice_ingress_spool_bytes')]: steady(400), [spoolMax]: steady(1_000) },
  },
  SluiceSpoolOld: gauge(onTarget('sluice_ingress_spool_age_seconds'), 901, 899),
  SluiceEventsDropped: {
    fires: { [ofStream('sluice_ingress_events_dropped_total')]: '0x30 7+0x30' },
    quiet: { [ofStream('sluice_ingress_events_dropped_total')]: '7+0x60' },
  },
  SluiceRepeatsEvicted: {
    fires: { 'sluice_ingress_repeats_evicted_total{instance="a:9464"}': growing(1) },
    quiet: { 'sluice_ingress_repeats_evicted_total{instance="a:9464"}': steady(1_000) },
    atMinutes: 50,
  },
  SluiceConfigRefused: gauge(
    'sluice_ingress_config_refused_since_seconds{instance="a:9464"}',
    1_700_000_000,
    0,
  ),
};

const topologyCases: Readonly<Record<string, AlertCase>> = {
  // While one process takes over from another, the one that ends says 0.
  SluiceTopologyDown: {
    fires: { [ofTopology('sluice_topology_running', ',instance="a"')]: '1x10 0+0x40' },
    quiet: {
      [ofTopology('sluice_topology_running', ',instance="a"')]: '1x10 0+0x40',
      [ofTopology('sluice_topology_running', ',instance="b"')]: '0x10 1+0x40',
    },
  },
  SluiceTopologyRestarts: {
    fires: { [ofTopology('sluice_topology_restarts_total')]: '0x15 1 2 3 4 5 6+0x30' },
    quiet: { [ofTopology('sluice_topology_restarts_total')]: '0x15 1 2 2+0x40' },
  },
  SluiceTopologySilent: gauge(ofTopology('sluice_topology_silent_seconds'), 31, 29),
  SluiceCheckpointFailing: gauge(ofTopology('sluice_checkpoint_alarm'), 1, 0),
  // While nothing comes there is nothing to keep, and the last one gets old.
  SluiceCheckpointOld: {
    fires: {
      [ofTopology('sluice_checkpoint_age_seconds')]: growing(60),
      [elements('in')]: growing(10),
    },
    quiet: {
      [ofTopology('sluice_checkpoint_age_seconds')]: growing(60),
      [elements('in')]: steady(10),
      'sluice_checkpoint_age_seconds{topology="young"}': steady(899),
      'sluice_node_elements_total{topology="young",outcome="in"}': growing(10),
    },
  },
  SluiceCheckpointStall: gauge(ofTopology('sluice_checkpoint_stall_seconds'), 1.2, 0.9),
  SluiceStateUnsaved: gauge(ofTopology('sluice_state_changed_bytes'), 220e6, 200e6),
  SluiceReaderBehind: gauge(ofSplit('sluice_split_behind_seconds'), 601, 599),
  // Both fire: the second says that it is urgent.
  SluiceReaderNearRetention: {
    fires: { [ofSplit('sluice_split_behind_seconds')]: steady(43_201) },
    quiet: { [ofSplit('sluice_split_behind_seconds')]: steady(43_199) },
  },
  SluiceReaderLagGrowing: {
    fires: { [ofSplit('sluice_split_lag_records')]: '10000+100x100' },
    quiet: {
      [ofSplit('sluice_split_lag_records')]: '90000-100x100',
      'sluice_split_lag_records{topology="small",source="clicks"}': '0+100x100',
    },
    atMinutes: 90,
  },
  SluiceSplitUnheard: gauge(ofSplit('sluice_split_unheard'), 1, 0),
  SluiceRecordsLost: {
    fires: { [ofTopology('sluice_losses_total')]: '2x20 3+0x40' },
    quiet: { [ofTopology('sluice_losses_total')]: steady(3) },
  },
  SluiceWatermarkBehind: {
    fires: { [watermarkLag]: steady(1_000), [ofSplit('sluice_split_idle')]: steady(0) },
    quiet: { [watermarkLag]: steady(800), [ofSplit('sluice_split_idle')]: steady(0) },
  },
  SluiceSourceIdle: {
    fires: { [watermarkLag]: growing(60), [ofSplit('sluice_split_idle')]: steady(1) },
    quiet: {
      [ofSplit('sluice_split_idle')]: steady(1),
      'sluice_split_idle{topology="soon"}': steady(1),
      'sluice_node_watermark_lag_seconds{topology="soon"}': steady(899),
    },
    atMinutes: 50,
  },
  SluiceSinkLate: gauge(ofTopology('sluice_sink_late_seconds', ',node="table"'), 301, 299),
  SluiceConnectionThrottled: {
    fires: {
      [ofTopology('sluice_connector_events_total', ',event="kinesis-throttled"')]: growing(1),
    },
    quiet: {
      [ofTopology('sluice_connector_events_total', ',event="kafka-reconnected"')]: growing(1),
      [ofTopology('sluice_connector_events_total', ',event="firehose-throttled"')]: steady(9),
    },
  },
  SluiceLookupFailing: share(lookups('failed'), lookups('answered'), 80, 30),
  SluiceEventsRejected: shareOf(ofTopology('sluice_rejected_events_total'), elements('in'), 20, 5),
  SluiceEventsLate: shareOf(elements('late'), elements('in'), 20, 5),
};

const hostCases: Readonly<Record<string, AlertCase>> = {
  SluicePodNotReady: gauge(inPod('kube_pod_container_status_ready'), 0, 1),
  SluiceEventLoopLate: gauge('sluice_event_loop_late_seconds{instance="a:9464"}', 0.3, 0.1),
  SluiceCpuThrottled: shareOf(
    inPod('container_cpu_cfs_throttled_periods_total'),
    inPod('container_cpu_cfs_periods_total'),
    150,
    50,
  ),
  SluiceDiskFilling: {
    fires: {
      'sluice_disk_free_bytes{instance="a:9464",disk="state"}': steady(10),
      'sluice_disk_size_bytes{instance="a:9464",disk="state"}': steady(100),
    },
    quiet: {
      'sluice_disk_free_bytes{instance="a:9464",disk="state"}': steady(20),
      'sluice_disk_size_bytes{instance="a:9464",disk="state"}': steady(100),
    },
  },
  // Time begins at 0 in a course; the certificate that cert-manager has would end later.
  SluiceCertificateExpiring: {
    fires: { 'probe_ssl_earliest_cert_expiry{job="sluice-edge",instance="x"}': `${13 * day}x120` },
    quiet: {
      'probe_ssl_earliest_cert_expiry{job="sluice-edge",instance="x"}': `${15 * day}x120`,
      'certmanager_certificate_expiration_timestamp_seconds{name="sluice-tls"}': `${60 * day}x120`,
    },
    atMinutes: 90,
  },
};

/** By the name of the alert. */
export const alertCases: Readonly<Record<string, AlertCase>> = {
  ...ingressCases,
  ...topologyCases,
  ...hostCases,
};

/** More of them, where the series of a process end with it. */
export const endedCases: Readonly<Record<string, AlertCase>> = {
  SluiceTopologyDown: {
    fires: { [ofTopology('sluice_topology_running', ',instance="a"')]: '1x10' },
    quiet: {
      [ofTopology('sluice_topology_running', ',instance="a"')]: '1x10',
      [ofTopology('sluice_topology_running', ',instance="b"')]: '0x10 1+0x40',
    },
  },
};

/** Alerts that the course of another is also one of. */
export const alsoFiring: Readonly<Record<string, readonly string[]>> = {
  SluiceReaderNearRetention: ['SluiceReaderBehind'],
};
