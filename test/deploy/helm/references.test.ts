/**
 * The checks of the rendered chart see what they are for: each is given the chart with one fault.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { pythonMissing } from '../../servers/cache.ts';
import { helmMissing, openHelm } from '../../servers/helm.ts';
import { outsideOf, render, valueSet } from './chart.ts';
import type { Manifest } from './manifest.ts';
import { titleOf } from './manifest.ts';
import { findUnsafePods } from './pods.ts';
import { findLooseEnds } from './references.ts';

const isMissing = helmMissing() !== undefined || pythonMissing() !== undefined;
const values = valueSet('production-aws');
/** With what those values leave out. */
const set = {
  'ingest.ingress': { enabled: true, host: 'events.shop.example', tlsSecret: 'certificate' },
  'config.ingress.trusted_proxies': 1,
  'monitoring.serviceMonitor.enabled': true,
};
const outside = new Set([...outsideOf(values), 'certificate']);

/** An object in which a fault can be put anywhere. */
type Open = any;
type Plant = (object: Open) => void;

/** Title of the object, by its end; what becomes of it; what is said. */
type Case = readonly [object: string, says: string, plant: Plant];

const container = (object: Open): Open => object.spec.template.spec.containers[0];
const podOf = (object: Open): Open => object.spec.template.spec;

const looseEnds: readonly Case[] = [
  [
    'Deployment -ingest',
    'no volume other to mount',
    (o) => (container(o).volumeMounts[0].name = 'other'),
  ],
  [
    'Deployment -ingest',
    'volume more is mounted nowhere',
    (o) => podOf(o).volumes.push({ name: 'more', emptyDir: {} }),
  ],
  [
    'Deployment -ingest',
    'two volumes in ingest at /tmp',
    (o) => container(o).volumeMounts.push({ name: 'tmp', mountPath: '/tmp' }),
  ],
  [
    'Deployment -ingest',
    'no port web in ingest for a probe',
    (o) => (container(o).readinessProbe.httpGet.port = 'web'),
  ],
  ['Deployment -ingest', 'no ConfigMap other', (o) => (configOf(o).configMap.name = 'other')],
  [
    'Deployment -ingest',
    'no key other.yaml in ConfigMap',
    (o) => (configOf(o).configMap.items = [{ key: 'other.yaml', path: 'sluice.yaml' }]),
  ],
  ['Deployment -ingest', 'no ServiceAccount other', (o) => (podOf(o).serviceAccountName = 'other')],
  ['Deployment -ingest', 'no Secret other', (o) => container(o).env.push(secretVariable)],
  [
    'Deployment -ingest',
    'no PersistentVolumeClaim other',
    (o) => (configOf(o).persistentVolumeClaim = { claimName: 'other' }),
  ],
  [
    'Deployment -ingest',
    'is spread by labels that its pods do not have',
    (o) => (podOf(o).topologySpreadConstraints[0].labelSelector.matchLabels = { a: 'b' }),
  ],
  [
    'Deployment -ingest',
    'does not select its own pods',
    (o) => (o.spec.selector.matchLabels['app.kubernetes.io/component'] = 'other'),
  ],
  [
    'Deployment -ingest',
    'selects pods of',
    (o) => delete o.spec.selector.matchLabels['app.kubernetes.io/component'],
  ],
  ['Deployment -ingest', 'an upgrade sets the replicas of', (o) => (o.spec.replicas = 3)],
  ['Deployment -ingest', 'requests no cpu', (o) => delete container(o).resources.requests.cpu],
  ['Service -ingest', 'selects no pod', (o) => (o.spec.selector = { a: 'b' })],
  ['Service -ingest', 'no port web in', (o) => (o.spec.ports[0].targetPort = 'web')],
  [
    'Service -ingest',
    'selects pods of StatefulSet shop-sluice-enrich-shop, too',
    (o) => delete o.spec.selector['app.kubernetes.io/component'],
  ],
  ['StatefulSet -enrich-shop', 'no Service other', (o) => (o.spec.serviceName = 'other')],
  ['TargetGroupBinding -tls', 'no Service other', (o) => (o.spec.serviceRef.name = 'other')],
  ['TargetGroupBinding -tls', 'no port 8 in Service', (o) => (o.spec.serviceRef.port = 8)],
  ['Ingress -ingest', 'no Service other', (o) => (backendOf(o).name = 'other')],
  ['Ingress -ingest', 'no port web in Service', (o) => (backendOf(o).port = { name: 'web' })],
  ['Ingress -ingest', 'no Secret other', (o) => (o.spec.tls[0].secretName = 'other')],
  [
    'ServiceMonitor -sluice',
    'selects no Service',
    (o) => (o.spec.selector.matchLabels = { a: 'b' }),
  ],
  [
    'ServiceMonitor -sluice',
    'selects no Service',
    (o) => (o.spec.selector.matchExpressions[0].operator = 'NotIn'),
  ],
  [
    'ServiceMonitor -sluice',
    'no Service has a port web',
    (o) => (o.spec.endpoints[0].port = 'web'),
  ],
  [
    'HorizontalPodAutoscaler -ingest',
    'to scale',
    (o) => (o.spec.scaleTargetRef.kind = 'StatefulSet'),
  ],
  [
    'PodDisruptionBudget -ingest',
    'no pod of 3 may ever be evicted',
    (o) => (o.spec.maxUnavailable = 0),
  ],
  [
    'PodDisruptionBudget -ingest',
    'no pod of 3 may ever be evicted',
    (o) => Object.assign(o.spec, { maxUnavailable: undefined, minAvailable: '80%' }),
  ],
  [
    'PodDisruptionBudget -ingest',
    'selects no pod',
    (o) => (o.spec.selector.matchLabels = { a: 'b' }),
  ],
  ['NetworkPolicy -ingest', 'selects no pod', (o) => (o.spec.podSelector.matchLabels = { a: 'b' })],
  ['NetworkPolicy -ingest', 'no port 8 in its pods', (o) => (o.spec.ingress[0].ports[0].port = 8)],
  ['NetworkPolicy -ingest', 'no NetworkPolicy lets port http in', (o) => o.spec.ingress.shift()],
];

const secretVariable = { name: 'A', valueFrom: { secretKeyRef: { name: 'other', key: 'a' } } };
const backendOf = (object: Open): Open => object.spec.rules[0].http.paths[0].backend.service;
const configOf = (object: Open): Open =>
  podOf(object).volumes.find(({ configMap }: Open) => configMap !== undefined);

const unsafe: readonly Case[] = [
  ['Deployment -ingest', 'hostNetwork', (o) => (podOf(o).hostNetwork = true)],
  [
    'Deployment -ingest',
    'volume tmp is hostPath',
    (o) => Object.assign(podOf(o).volumes[1], { emptyDir: undefined, hostPath: { path: '/' } }),
  ],
  ['Deployment -ingest', 'is privileged', (o) => (container(o).securityContext.privileged = true)],
  [
    'Deployment -ingest',
    'may escalate its privileges',
    (o) => delete container(o).securityContext.allowPrivilegeEscalation,
  ],
  [
    'Deployment -ingest',
    'may run as root',
    (o) => (container(o).securityContext.runAsNonRoot = false),
  ],
  ['Deployment -ingest', 'names no user', (o) => (podOf(o).securityContext.runAsUser = 0)],
  [
    'Deployment -ingest',
    'has no seccomp profile',
    (o) => delete podOf(o).securityContext.seccompProfile,
  ],
  [
    'Deployment -ingest',
    'keeps capabilities',
    (o) => delete container(o).securityContext.capabilities,
  ],
  [
    'Deployment -ingest',
    'adds capabilities',
    (o) => (container(o).securityContext.capabilities.add = ['SYS_ADMIN']),
  ],
  [
    'Deployment -ingest',
    'can write to its root',
    (o) => delete container(o).securityContext.readOnlyRootFilesystem,
  ],
  ['Deployment -ingest', 'takes a port of the node', (o) => (container(o).ports[0].hostPort = 80)],
  ['Deployment -ingest', 'has no exact image', (o) => (container(o).image = 'sluice:latest')],
  ['Deployment -ingest', 'has no exact image', (o) => (container(o).image = 'sluice')],
  [
    'Deployment -ingest',
    'has no requests and limit',
    (o) => delete container(o).resources.limits.memory,
  ],
  [
    'StatefulSet -enrich-shop',
    'is claimed without fsGroup',
    (o) => delete podOf(o).securityContext.fsGroup,
  ],
  [
    'Deployment -ingest',
    'has a token of the server',
    (o) => delete podOf(o).automountServiceAccountToken,
  ],
  ['Deployment -ingest', 'sleeps 0 s before it stops', (o) => delete container(o).lifecycle],
  [
    'Deployment -ingest',
    'is killed after 45 s',
    (o) => (podOf(o).terminationGracePeriodSeconds = 45),
  ],
  [
    'StatefulSet -enrich-shop',
    'is killed after 20 s',
    (o) => (podOf(o).terminationGracePeriodSeconds = 20),
  ],
  ['ConfigMap -topics', 'comes too late', (o) => delete o.metadata.annotations['helm.sh/hook']],
  [
    'ConfigMap -topics',
    'comes too late',
    (o) => (o.metadata.annotations['helm.sh/hook-weight'] = '0'),
  ],
  [
    'ServiceAccount -topics',
    'comes too late',
    (o) => (o.metadata.annotations['helm.sh/hook'] = 'pre-install'),
  ],
  ['Job -topics', 'has no deadline', (o) => delete o.spec.activeDeadlineSeconds],
  ['Job -topics', 'is restarted', (o) => (podOf(o).restartPolicy = 'Always')],
  [
    'ConfigMap -ingest',
    'is deleted when its hook is done',
    (o) =>
      (o.metadata.annotations = {
        'helm.sh/hook': 'pre-install',
        'helm.sh/hook-delete-policy': 'hook-succeeded',
      }),
  ],
];

describe.skipIf(isMissing)('a fault in the chart is found', () => {
  let objects: readonly Manifest[];
  beforeAll(async () => {
    objects = await render(await openHelm(), values, { set });
  }, 300_000);

  function plant([kindAndEnd, , change]: Case): readonly Manifest[] {
    const [kind = '', end = ''] = kindAndEnd.split(' ');
    const copies = structuredClone(objects) as Manifest[];
    const found = copies.filter((o) => o.kind === kind && o.metadata.name.endsWith(end));
    expect(found.map(titleOf), kindAndEnd).toHaveLength(1);
    change(found[0]);
    return copies;
  }

  it.each(looseEnds)('%s: %s', (...each) => {
    expect(findLooseEnds(objects, outside)).toEqual([]);
    expect(findLooseEnds(plant(each), outside).join('\n')).toContain(each[1]);
  });

  it.each(unsafe)('%s: %s', (...each) => {
    expect(findUnsafePods(objects)).toEqual([]);
    expect(findUnsafePods(plant(each)).join('\n')).toContain(each[1]);
  });

  it('two objects of one name', () => {
    const [first] = objects;
    const twice = findLooseEnds([...objects, first as Manifest], outside);
    expect(twice).toContain(`${titleOf(first as Manifest)} twice`);
  });
});
