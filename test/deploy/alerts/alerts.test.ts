/**
 * The alerts and dashboards that ship with the chart: every metric and label in them is one that
 * instances print, and Prometheus itself plays each alert, in a course in which it fires and in one
 * in which it does not.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { promtool, promtoolMissing } from '../../servers/promtool.ts';
import { alertCases, endedCases } from './cases.ts';
import type { Series } from './exported.ts';
import { exportedSeries, targetLabels } from './exported.ts';
import { readExpression, selects } from './expressions.ts';
import {
  alertsFile,
  courses,
  dashboardsDir,
  queriesOf,
  readAlerts,
  readDashboards,
} from './rule-files.ts';

const alerts = readAlerts();
const dashboards = readDashboards();
const targetOnly = new Set([...Object.keys(targetLabels), 'pod', 'container', 'alertname']);
let exported: readonly Series[];

beforeAll(async () => {
  exported = await exportedSeries();
});

/** What of an expression no instance prints, as sentences. */
function unknownIn(text: string): readonly string[] {
  const { selectors, labels } = readExpression(text);
  const found = selectors.map(({ metric, matchers }) => ({
    metric,
    matchers,
    series: exported.filter((each) => each.metric === metric),
  }));
  const known = new Set(
    found.flatMap(({ series }) => series.flatMap((each) => Object.keys(each.labels))),
  );
  return [
    ...(selectors.length === 0 ? ['selects nothing'] : []),
    ...found.flatMap(({ metric, matchers, series }) => {
      if (series.length === 0) return [`no instance prints ${metric}`];
      if (series.some((each) => selects(matchers, each.labels))) return [];
      return [
        `no series of ${metric} has ${matchers.map(({ label, value }) => `${label} ${value}`).join()}`,
      ];
    }),
    ...labels
      .filter((label) => !known.has(label) && !targetOnly.has(label) && label !== 'le')
      .map((label) => `no metric here has the label ${label}`),
  ];
}

describe('the alerts', () => {
  it('name metrics, labels and values that instances print', () => {
    expect(
      alerts.flatMap(({ alert, expr }) => unknownIn(expr).map((why) => `${alert}: ${why}`)),
    ).toEqual([]);
    expect(alerts.length).toBeGreaterThan(30);
  });

  it('have a severity, a summary, a description and a page each', () => {
    for (const { alert, labels, annotations } of alerts) {
      expect(alert).toMatch(/^Sluice[A-Z]\w+$/);
      expect(['critical', 'warning'], alert).toContain(labels['severity']);
      expect(Object.keys(annotations), alert).toEqual(['summary', 'description', 'runbook_url']);
    }
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
  });

  it('tell of labels that their expression leaves', () => {
    const lost = alerts.flatMap(({ alert, expr, annotations }) => {
      const { labels } = readExpression(expr);
      return [
        ...Object.values(annotations)
          .join(' ')
          .matchAll(/\$labels\.(\w+)/g),
      ]
        .map(([, label = '']) => label)
        .filter((label) => !labels.includes(label))
        .map((label) => `${alert}: ${label}`);
    });
    expect(lost).toEqual([]);
  });

  it('are all played', () => {
    expect(Object.keys(alertCases).sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });
});

describe('the dashboards', () => {
  it('ask for metrics, labels and values that instances print', () => {
    const unknown = dashboards.flatMap((dashboard) => [
      ...queriesOf(dashboard).flatMap((query) =>
        unknownIn(query.replace(/(?:or )?vector\(0\)/, '')).map((why) => `${query}: ${why}`),
      ),
    ]);
    expect(unknown).toEqual([]);
    expect(dashboards.flatMap(queriesOf).length).toBeGreaterThan(50);
  });

  it('fill their variables from labels that are there, and the data source too', () => {
    for (const { templating } of dashboards) {
      const [source, ...others] = templating.list;
      expect(source).toMatchObject({ type: 'datasource', query: 'prometheus' });
      for (const { query } of others) {
        const text = typeof query === 'string' ? query : query.query;
        const [, metric, label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(text) ?? [];
        const series = exported.filter((each) => each.metric === metric);
        expect(series.map(({ labels }) => Object.keys(labels))[0], text).toContain(label);
      }
    }
  });

  it('have panels with a title, a unit, words and a place of their own', () => {
    for (const { file, uid, panels, schemaVersion } of dashboards) {
      expect(file).toBe(`${uid}.json`);
      expect(schemaVersion).toBeGreaterThanOrEqual(36);
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`);
      expect(new Set(places).size).toBe(places.length);
      for (const { type, title, gridPos, ...panel } of panels) {
        expect(title, file).not.toBe('');
        expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
        if (type === 'row') continue;
        expect(['timeseries', 'stat'], title).toContain(type);
        expect(panel.description?.length, title).toBeGreaterThan(10);
        expect(panel.fieldConfig?.defaults.unit, title).toMatch(/^[a-z]+$/i);
        expect(panel.targets?.length, title).toBeGreaterThan(0);
        for (const { datasource } of [panel, ...(panel.targets ?? [])])
          expect(datasource?.uid, title).toBe('${datasource}');
      }
    }
  });

  it('are small enough for a ConfigMap of 1 MiB, all together', () => {
    const bytes = dashboards.map(({ file }) => readFileSync(join(dashboardsDir, file)).length);
    expect(bytes.reduce((sum, size) => sum + size, 0)).toBeLessThan(500_000);
  });
});

describe('what looks for unknown names', () => {
  it('finds a metric, a label and a value that nobody prints', () => {
    expect(unknownIn('rate(sluice_nothing_total[5m]) > 0')).toEqual([
      'no instance prints sluice_nothing_total',
    ]);
    expect(unknownIn('sum by (colour) (sluice_topology_running) == 0')).toEqual([
      'no metric here has the label colour',
    ]);
    expect(unknownIn('sluice_node_elements_total{outcome=~"eaten|lost"} > 0')).toEqual([
      'no series of sluice_node_elements_total has outcome eaten|lost',
    ]);
    expect(unknownIn('1 > 0')).toEqual(['selects nothing']);
  });

  it('reads what is selected, and by which labels', () => {
    const text =
      'sum by (a, b) (rate(x_total{c="d}", e!~"f"}[5m])) / on (g) group_left () y unless time() > 3e2';
    expect(readExpression(text)).toEqual({
      selectors: [
        {
          metric: 'x_total',
          matchers: [
            { label: 'c', operator: '=', value: 'd}' },
            { label: 'e', operator: '!~', value: 'f' },
          ],
        },
        { metric: 'y', matchers: [] },
      ],
      labels: ['a', 'b', 'g'],
    });
  });
});

describe.skipIf(promtoolMissing() !== undefined)('Prometheus', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-alerts-'));
  let program: string;
  beforeAll(async () => {
    program = await promtool();
  }, 600_000);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  function check(what: 'check' | 'test', file: string): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync(program, [what, 'rules', file], {
      encoding: 'utf8',
    });
    return { status, output: `${stdout}${stderr}` };
  }

  function written(name: string, value: object): string {
    const file = join(dir, name);
    writeFileSync(file, stringify(value));
    return file;
  }

  it('accepts the alerts, and the queries of the dashboards', () => {
    expect(check('check', alertsFile)).toMatchObject({
      status: 0,
      output: expect.stringContaining(`SUCCESS: ${alerts.length} rules found`),
    });
    const rules = dashboards
      .flatMap(queriesOf)
      .map((expr, index) => ({ record: `panel:${index}`, expr }));
    const file = written('dashboards.yaml', { groups: [{ name: 'dashboards', rules }] });
    expect(check('check', file)).toMatchObject({ status: 0 });
  });

  it('lets each alert fire where it should, and nowhere else', () => {
    const file = written('courses.yaml', courses(alertCases));
    expect(check('test', file)).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });

  it('lets an alert fire, too, once the series of a process ended with it', () => {
    const file = written('ended.yaml', courses(endedCases));
    expect(check('test', file)).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });

  it('says which alert does not fire, when its rule is wrong', () => {
    const text = readFileSync(alertsFile, 'utf8');
    const wrong = join(dir, 'wrong.yaml');
    writeFileSync(
      wrong,
      text.replace('sluice_topology_running) == 0', 'sluice_topology_running) == 2'),
    );
    const { SluiceTopologyDown, SluiceTopologySilent } = alertCases;
    const cases = { SluiceTopologyDown, SluiceTopologySilent } as typeof alertCases;
    const { status, output } = check('test', written('planted.yaml', courses(cases, wrong)));
    expect(status).toBe(1);
    const [, expected, got] = /exp: (.*)\n\s+got: (.*)\n/.exec(output) ?? [];
    expect(expected).toContain('SluiceTopologyDown-fires');
    expect(got).not.toContain('SluiceTopologyDown');
    expect(got).toContain('SluiceTopologySilent-fires');
  });
});
