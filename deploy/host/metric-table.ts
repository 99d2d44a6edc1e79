/**
 * Metrics as a table: name, kind, help and labels of each, registered in its order.
 */
import type { Registry } from 'prom-client';
import { Counter, Gauge } from 'prom-client';

export interface MetricDefinition {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export type MetricTable = Readonly<Record<string, MetricDefinition>>;

/** The metrics of a table, by its keys. */
export type MetricsOf<T extends MetricTable> = {
  readonly [K in keyof T]: T[K]['kind'] extends 'counter' ? Counter : Gauge;
};

export function registerMetrics<const T extends MetricTable>(
  table: T,
  registry: Registry,
): MetricsOf<T> {
  const metrics = Object.entries(table).map(([key, { kind, name, help, labels }]) => {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    return [key, kind === 'counter' ? new Counter(options) : new Gauge(options)];
  });
  return Object.fromEntries(metrics) as MetricsOf<T>;
}
