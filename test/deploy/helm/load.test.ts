/**
 * The Job that sends a load from several pods: off by default, fitting the rest of the chart, and its
 * pods, run as processes against an instance, send the whole load.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { LoadReport } from '../../../deploy/load/report.ts';
import { pythonMissing } from '../../servers/cache.ts';
import type { Helm } from '../../servers/helm.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { newestKubernetes, validateObjects } from '../../servers/kube-schemas.ts';
import { sluice, startSluice } from '../support.ts';
import {
  kindsOfOperators,
  oldestKubernetes,
  outsideOf,
  render,
  valueSet,
  valueSets,
} from './chart.ts';
import type { Manifest } from './manifest.ts';
import { titleOf } from './manifest.ts';
import { commandOf, processesOf } from './pod-process.ts';
import { findUnsafePods } from './pods.ts';
import { findLooseEnds } from './references.ts';

const isMissing = helmMissing() !== undefined || pythonMissing() !== undefined;
let helm: Helm;
beforeAll(async () => {
  if (!isMissing) helm = await openHelm();
}, 300_000);

const startAt = '2026-01-02T09:00:00Z';
const on = { 'load.enabled': true, 'load.startAt': startAt };
const jobsIn = (objects: readonly Manifest[]): readonly Manifest[] =>
  objects.filter(({ kind, metadata }) => kind === 'Job' && metadata.name.includes('-load-'));

describe.skipIf(isMissing)('the Job of a load', { timeout: 300_000 }, () => {
  it('is there only where it is wanted, and then needs its instant', async () => {
    const minimal = valueSet('minimal');
    expect(jobsIn(await render(helm, minimal))).toEqual([]);
    expect(jobsIn(await render(helm, minimal, { set: on }))).toHaveLength(1);
    await expect(render(helm, minimal, { set: { 'load.enabled': true } })).rejects.toThrow(
      'load.startAt is missing',
    );
    const wrong = { ...on, 'load.startAt': 'soon' };
    await expect(render(helm, minimal, { set: wrong })).rejects.toThrow('startAt');
  });

  it.each(valueSets)('fits the rest of the chart: $name', async (values) => {
    const objects = await render(helm, values, { set: on });
    const own = objects.filter((each) => titleOf(each).includes('-load'));
    expect(own.length).toBeGreaterThanOrEqual(1);
    expect(
      await validateObjects(
        [oldestKubernetes, newestKubernetes].map((version) => [version, own]),
        kindsOfOperators,
      ),
    ).toEqual([[], []]);
    expect(findLooseEnds(objects, outsideOf(values))).toEqual([]);
    expect(findUnsafePods(objects)).toEqual([]);
    const [job] = jobsIn(objects);
    expect(job?.spec).toMatchObject({
      completionMode: 'Indexed',
      completions: 3,
      parallelism: 3,
      backoffLimit: 0,
    });
  });

  it('is another one for another load, as a Job cannot be changed', async () => {
    const nameOf = async (set: object): Promise<string> => {
      const [job] = jobsIn(await render(helm, valueSet('minimal'), { set: { ...on, ...set } }));
      return job === undefined ? 'none' : titleOf(job);
    };
    expect(await nameOf({})).toBe(await nameOf({}));
    expect(await nameOf({ 'load.rate': 9_000 })).not.toBe(await nameOf({}));
    expect(await nameOf({ 'ingest.replicas': 4 })).toBe(await nameOf({}));
  });

  it('goes where it is told, but not to what nodes tell of themselves', async () => {
    const set = { ...on, 'load.url': 'http://other.example', 'load.existingSecret': 'load-key' };
    const [policy] = (await render(helm, valueSet('minimal'), { set })).filter(
      ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name.endsWith('-load'),
    );
    expect(policy?.spec?.egress?.[1]).toEqual({
      ports: [{ port: 80, protocol: 'TCP' }],
      to: [
        { namespaceSelector: {} },
        { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
        { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::/32'] } },
      ],
    });
  });

  it('sends the whole load, when its pods are run', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'sluice-load-job-'));
    const values = valueSet('minimal');
    const { config } = values.values;
    const { streams } = (typeof config === 'string' ? parse(config) : config) as {
      readonly streams: readonly { readonly team: string; readonly app: string }[];
    };
    const [{ team, app } = { team: '', app: '' }] = streams;
    writeFileSync(join(dir, 'sluice.yaml'), `streams: [{team: ${team}, app: ${app}}]\n`);
    const started = await startSluice(join(dir, 'data'), ['--config', join(dir, 'sluice.yaml')]);
    try {
      const outs = await podsRun(values, started.url);
      writeFileSync(join(dir, 'logs.txt'), outs.join(''));
      const merged = await sluice(['--json', 'load', 'merge', join(dir, 'logs.txt')]);
      expect(merged.code).toBe(0);
      expect(JSON.parse(merged.out) as LoadReport).toMatchObject({
        plan: { stream: `${team}/${app}`, parts: 2, rate: 60 },
        intended: 60,
        accepted: 60,
      });
    } finally {
      await started.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  /** What each pod prints; with a later instant where the machine is slow. */
  async function podsRun(
    values: Parameters<typeof render>[1],
    url: string,
    aheadMs = 5_000,
  ): Promise<readonly string[]> {
    const objects = await render(helm, values, {
      set: {
        ...{ 'load.enabled': true, 'load.parts': 2, 'load.rate': 60, 'load.duration': '1s' },
        ...{ 'load.connections': 2, 'load.size': '1kb' },
        ...{ 'load.url': url, 'load.existingSecret': 'load-key' },
        'load.startAt': `${new Date(Date.now() + aheadMs).toISOString().slice(0, 19)}Z`,
      },
    });
    const [pod] = await processesOf(jobsIn(objects));
    expect(await commandOf(pod?.args ?? [])).toBe('load');
    const ran = await Promise.all(
      ['0', '1'].map((index) =>
        sluice([...(pod?.args ?? [])], undefined, { JOB_COMPLETION_INDEX: index }),
      ),
    );
    const isLate = ran.some(({ out }) => out.includes('"start-at-invalid"'));
    if (isLate && aheadMs < 100_000) return podsRun(values, url, aheadMs * 4);
    expect(ran.map(({ code }) => code)).toEqual([0, 0]);
    return ran.map(({ out }) => out);
  }
});
