/**
 * The load as running instances count it: two readings of the metrics of each ingress become events
 * a second and bytes an event, by stream. Pure.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Load } from './design.ts';

/** One ingress: where it was read, and both readings. */
export interface Readings {
  readonly from: string;
  readonly before: string;
  readonly after: string;
}

interface Counted {
  small: number;
  large: number;
  bytes: number;
  largeBytes: number;
}

const counters = {
  accepted: 'sluice_ingress_events_accepted_total',
  bytes: 'sluice_ingress_event_bytes_total',
  written: 'sluice_ingress_batch_bytes_total',
} as const;

/** Gauges beside them rise and fall. */
const wanted: ReadonlySet<string> = new Set(Object.values(counters));

/**
 * The streams of `names` in `readings` that are `seconds` apart. Throws `SluiceError`
 * `metrics-unreadable`.
 */
export function loadOfMetrics(
  readings: readonly Readings[],
  seconds: number,
  names: readonly string[],
): Pick<Load, 'streams' | 'large'> {
  const counted = new Map(
    names.map((name): [string, Counted] => [name, { small: 0, large: 0, bytes: 0, largeBytes: 0 }]),
  );
  for (const reading of readings) add(counted, reading);
  const all = [...counted.values()];
  const sum = (of: (one: Counted) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  const largeEvents = sum(({ large }) => large);
  return {
    streams: [...counted].map(([stream, { small, bytes, largeBytes }]) => ({
      stream,
      eventsPerSecond: small / seconds,
      eventBytes: small === 0 ? 0 : Math.max(0, bytes - largeBytes) / small,
    })),
    large: {
      eventsPerSecond: largeEvents / seconds,
      eventBytes: largeEvents === 0 ? 0 : sum(({ largeBytes }) => largeBytes) / largeEvents,
    },
  };
}

function add(counted: ReadonlyMap<string, Counted>, { from, before, after }: Readings): void {
  const [was, is] = [seriesOf(before), seriesOf(after)];
  if (![...is.values()].some(({ name }) => name === counters.accepted))
    throw new SluiceError('metrics-unreadable', `${from} has no metrics of an ingress`, {
      retryable: true,
      fix: 'name the metrics of `sluice ingest` or `sluice start`, such as http://127.0.0.1:9464/metrics',
    });
  for (const [series, { name, labels, value }] of is) {
    const own = counted.get(labels['stream'] ?? '');
    const grown = value - (was.get(series)?.value ?? 0);
    if (grown < 0)
      throw new SluiceError('metrics-unreadable', `${from} was restarted while it was measured`, {
        retryable: true,
        fix: 'measure again',
      });
    if (own === undefined) continue;
    const isLarge = labels['path'] === 'kafka';
    if (name === counters.accepted) own[isLarge ? 'large' : 'small'] += grown;
    if (name === counters.bytes) own.bytes += grown;
    if (name === counters.written && isLarge) own.largeBytes += grown;
  }
}

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The counters above, by name and labels as they are written; each once. */
function seriesOf(text: string): ReadonlyMap<string, Series> {
  const found = new Map<string, Series>();
  for (const [, series = '', name = '', labels = '', value] of text.matchAll(
    /^((sluice_ingress_\w+)(?:\{([^}]*)\})?) (\S+)$/gm,
  ))
    if (wanted.has(name))
      found.set(series, {
        name,
        labels: Object.fromEntries(
          [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, word]) => [key, word]),
        ) as Readonly<Record<string, string>>,
        value: Number(value),
      });
  return found;
}
