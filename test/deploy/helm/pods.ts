/**
 * What a pod of the chart owes by itself: the rules of the Pod Security Standard "restricted"
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards), a read-only root, an end
 * that is long enough, and what a hook may rely on before the chart's other objects are there.
 */
import { limits } from '../../../schemas/limits.ts';
import type { Container, Manifest, Workload } from './manifest.ts';
import { containersOf, lasting, selects, titleOf, workloadsOf } from './manifest.ts';
import { neededBy } from './references.ts';

/** All of this file. */
export function findUnsafePods(objects: readonly Manifest[]): readonly string[] {
  return workloadsOf(objects).flatMap((workload) => [
    ...findLoose(workload),
    ...findLatest(workload),
    ...findOpen(workload),
    ...findShortEnds(workload, objects),
    ...findEarlyHooks(workload, objects),
  ]);
}

const volumeKinds = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

function findLoose({ object, pod }: Workload): readonly string[] {
  const title = titleOf(object);
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => pod[name]);
  const volumes = (pod.volumes ?? []).flatMap(({ name, ...kinds }) =>
    Object.keys(kinds)
      .filter((kind) => !volumeKinds.includes(kind))
      .map((kind) => `${title}: volume ${name} is ${kind}`),
  );
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  return [
    ...shared.map((name) => `${title}: ${name}`),
    ...volumes,
    ...containers.flatMap((container) =>
      looseIn(container, pod.securityContext ?? {}).map(
        (what) => `${title}: ${container.name} ${what}`,
      ),
    ),
  ];
}

function looseIn(
  { securityContext: own = {}, ports = [] }: Container,
  ofPod: NonNullable<Container['securityContext']>,
): readonly string[] {
  const seccomp = (own.seccompProfile ?? ofPod.seccompProfile)?.type;
  const user = own.runAsUser ?? ofPod.runAsUser;
  const added = (own.capabilities?.add ?? []).filter((name) => name !== 'NET_BIND_SERVICE');
  const rules: readonly (readonly [boolean, string])[] = [
    [own.privileged !== true, 'is privileged'],
    [own.allowPrivilegeEscalation === false, 'may escalate its privileges'],
    [(own.runAsNonRoot ?? ofPod.runAsNonRoot) === true, 'may run as root'],
    [user !== undefined && user > 0, 'names no user'],
    [seccomp === 'RuntimeDefault' || seccomp === 'Localhost', 'has no seccomp profile'],
    [own.capabilities?.drop?.includes('ALL') === true, 'keeps capabilities'],
    [added.length === 0, 'adds capabilities'],
    [own.readOnlyRootFilesystem === true, 'can write to its root'],
    [ports.every(({ hostPort }) => hostPort === undefined), 'takes a port of the node'],
  ];
  return rules.filter(([holds]) => !holds).map(([, what]) => what);
}

/** An image by an exact tag or digest; a limit of memory, without which a pod takes the node's. */
function findLatest(workload: Workload): readonly string[] {
  const title = titleOf(workload.object);
  return containersOf(workload).flatMap(({ name, image, resources }) => [
    ...(/(@sha256:[0-9a-f]{64}|:(?!latest$)[\w][\w.-]*)$/.test(image)
      ? []
      : [`${title}: ${name} has no exact image but ${image}`]),
    ...(resources?.requests?.['cpu'] === undefined ||
    resources.requests['memory'] === undefined ||
    resources.limits?.['memory'] === undefined
      ? [`${title}: ${name} has no requests and limit`]
      : []),
  ]);
}

/** What is claimed is the group's to write, and a token of the API server is in no pod. */
function findOpen({ object, pod }: Workload): readonly string[] {
  const title = titleOf(object);
  const claims =
    object.spec?.volumeClaimTemplates !== undefined ||
    (pod.volumes ?? []).some(({ persistentVolumeClaim }) => persistentVolumeClaim !== undefined);
  return [
    ...(claims && pod.securityContext?.fsGroup === undefined
      ? [`${title}: a volume is claimed without fsGroup`]
      : []),
    ...(pod.automountServiceAccountToken === false ? [] : [`${title}: has a token of the server`]),
  ];
}

/** A target is deregistered for this long: `deregistration` in deploy/aws/src/stacks. */
const deregistrationSeconds = 30;

/**
 * A pod behind a Service of the ingress sleeps until nobody sends to it, then answers what is in
 * flight and writes its spools: `limits.shutdownMaxMs` for each of both. Kubernetes kills it when
 * the grace period, which begins with the sleep, is over.
 */
function findShortEnds(workload: Workload, objects: readonly Manifest[]): readonly string[] {
  const { object, pod, labels } = workload;
  if (!lasting.has(object.kind)) return [];
  const title = titleOf(object);
  const grace = pod.terminationGracePeriodSeconds ?? 30;
  const drainSeconds = (2 * limits.shutdownMaxMs) / 1_000;
  const slept = Math.max(0, ...pod.containers.map(sleepSeconds));
  const isServed =
    servesEvents(pod.containers) &&
    objects.some(({ kind, spec }) => kind === 'Service' && selects(spec?.selector, labels));
  return [
    ...(isServed && slept <= deregistrationSeconds
      ? [`${title}: sleeps ${slept} s before it stops, not longer than ${deregistrationSeconds} s`]
      : []),
    ...(grace <= slept + drainSeconds
      ? [`${title}: is killed after ${grace} s, sleeps ${slept} s and drains ${drainSeconds} s`]
      : []),
  ];
}

const servesEvents = (containers: readonly Container[]): boolean =>
  containers.some(({ args = [] }) => args.includes('ingest') || args.includes('start'));

/** Kubernetes sleeps itself from 1.30 on; before that Node does, as the image need not have more. */
function sleepSeconds({ lifecycle }: Container): number {
  const { sleep, exec } = lifecycle?.preStop ?? {};
  const [, ms] = /setTimeout\(.*, ([\d_]+)\)/.exec((exec?.command ?? []).join(' ')) ?? [];
  return sleep?.seconds ?? Number(ms?.replaceAll('_', '') ?? 0) / 1_000;
}

interface Hook {
  readonly events: readonly string[];
  readonly weight: number;
}

export function hookOf({ metadata }: Manifest): Hook | undefined {
  const events = metadata.annotations?.['helm.sh/hook'];
  if (events === undefined) return undefined;
  const weight = Number(metadata.annotations?.['helm.sh/hook-weight'] ?? 0);
  return { events: events.split(',').map((event) => event.trim()), weight };
}

/** What a hook of `pre-install` needs is a hook of the same events, and comes before it. */
function findEarlyHooks(workload: Workload, objects: readonly Manifest[]): readonly string[] {
  const { object, pod } = workload;
  const title = titleOf(object);
  const hook = hookOf(object);
  const own = neededBy(workload).flatMap(({ kind, name }) =>
    objects.filter((each) => each.kind === kind && each.metadata.name === name),
  );
  if (hook === undefined)
    return own
      .filter((each) =>
        each.metadata.annotations?.['helm.sh/hook-delete-policy']?.includes('succe'),
      )
      .map((each) => `${title}: ${titleOf(each)} is deleted when its hook is done`);
  const early = hook.events.filter((event) => /^pre-(install|upgrade)$/.test(event));
  const late = own.filter((each) => {
    const needed = hookOf(each);
    return (
      early.some((event) => !needed?.events.includes(event)) || (needed?.weight ?? 0) >= hook.weight
    );
  });
  const bounded = object.kind === 'Pod' || object.spec?.activeDeadlineSeconds !== undefined;
  return [
    ...(early.length === 0 ? [] : late).map((each) => `${title}: ${titleOf(each)} comes too late`),
    ...(bounded ? [] : [`${title}: has no deadline`]),
    ...(['Never', 'OnFailure'].includes(pod.restartPolicy ?? '') ? [] : [`${title}: is restarted`]),
  ];
}
