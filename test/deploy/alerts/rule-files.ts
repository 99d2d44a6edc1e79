/**
 * The shipped rules and dashboards, as data, and what promtool is given of them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../../repo/files.ts';
import type { AlertCase } from './cases.ts';
import { alsoFiring } from './cases.ts';

const files = join(root, 'deploy/helm/sluice/files');
export const alertsFile = join(files, 'alerts.yaml');
export const dashboardsDir = join(files, 'dashboards');

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export function readAlerts(): readonly Alert[] {
  const { groups } = parse(readFileSync(alertsFile, 'utf8')) as {
    readonly groups: readonly { readonly rules: readonly Alert[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

export interface Panel {
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly id: number;
  readonly gridPos: Readonly<Record<'h' | 'w' | 'x' | 'y', number>>;
  readonly datasource?: { readonly type: string; readonly uid: string };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly expr: string;
    readonly refId: string;
    readonly legendFormat: string;
    readonly datasource: { readonly uid: string };
  }[];
}

interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string | { readonly query: string };
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly templating: { readonly list: readonly Variable[] };
  readonly panels: readonly Panel[];
}

export function readDashboards(): readonly Dashboard[] {
  return readdirSync(dashboardsDir).map((file) => ({
    file,
    ...(JSON.parse(readFileSync(join(dashboardsDir, file), 'utf8')) as Omit<Dashboard, 'file'>),
  }));
}

/** Queries of a dashboard, with its variables as Grafana fills them in for "All". */
export function queriesOf({ panels, templating }: Dashboard): readonly string[] {
  const names = templating.list.map(({ name }) => name);
  return panels.flatMap(({ targets = [] }) =>
    targets.map(({ expr }) =>
      names.reduce((text, name) => text.replaceAll(`$${name}`, '.*'), expr),
    ),
  );
}

/**
 * A file of tests for `promtool test rules`: after each course its alerts fire, and no others. All
 * courses are in one test, each in a namespace of its own, as a database is made for each test;
 * only those without an ingress are alone.
 */
export function courses(cases: Readonly<Record<string, AlertCase>>, rules = alertsFile): object {
  const all = Object.entries(cases).flatMap(([alert, given]) => [
    courseOf(`${alert}-fires`, given.fires, given, [alert, ...(alsoFiring[alert] ?? [])]),
    courseOf(`${alert}-quiet`, given.quiet, given, alsoFiring[alert] ?? []),
  ]);
  const together = all.filter(({ isAlone }) => !isAlone);
  const there = { [ingress]: '0x120' };
  return {
    rule_files: [rules],
    evaluation_interval: '1m',
    tests: [
      testOf(together, Object.assign(there, ...together.map(({ series }) => series))),
      ...all.filter(({ isAlone }) => isAlone).map((each) => testOf([each], each.series)),
    ],
  };
}

const ingress = 'sluice_ingress_in_flight_bytes{namespace="other"}';

interface Course {
  readonly name: string;
  readonly isAlone: boolean;
  readonly series: AlertCase['fires'];
  readonly atMinutes: number;
  readonly firing: readonly string[];
}

function courseOf(
  name: string,
  series: AlertCase['fires'],
  { atMinutes = 40, ingressIsThere }: AlertCase,
  firing: readonly string[],
): Course {
  const isAlone = ingressIsThere === false;
  const own = isAlone ? '' : `namespace="${name}"`;
  return { name, isAlone, series: labeled(series, own, name), atMinutes, firing };
}

/** The series with a label more, and on a machine of the course. */
function labeled(series: AlertCase['fires'], label: string, name: string): AlertCase['fires'] {
  return Object.fromEntries(
    Object.entries(series).map(([of, values]) => {
      const [, metric = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(of) ?? [];
      const own = labels.replace(/instance="/, `instance="${name}-`);
      return [`${metric}{${[own, label].filter((part) => part !== '').join(',')}}`, values];
    }),
  );
}

function testOf(given: readonly Course[], series: AlertCase['fires']): object {
  const times = [...new Set(given.map(({ atMinutes }) => atMinutes))];
  return {
    interval: '1m',
    input_series: Object.entries(series).map(([of, values]) => ({ series: of, values })),
    promql_expr_test: times.map((time) => {
      const now = given.filter(({ atMinutes }) => atMinutes === time);
      const names = now.map(({ name, isAlone }) => (isAlone ? '' : name)).join('|');
      const firing = now.flatMap(({ name, isAlone, firing: alerts }) =>
        alerts.map((alert) => ({
          labels: `{alertname="${alert}"${isAlone ? '' : `,namespace="${name}"`}}`,
          value: 1,
        })),
      );
      return {
        expr: `count by (alertname, namespace) (ALERTS{alertstate="firing",namespace=~"${names}"})`,
        eval_time: `${time}m`,
        exp_samples: firing,
      };
    }),
  };
}
