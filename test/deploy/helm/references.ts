/**
 * What no schema sees: whether the objects of a rendered chart fit together. Each function gives a
 * sentence for each thing that another object, or the pod itself, does not have. A test plants a
 * fault for every one of them.
 */
import type { Container, Labels, Manifest, Selector, Source, Workload } from './manifest.ts';
import { containersOf, lasting, probeNames, selects, titleOf, workloadsOf } from './manifest.ts';

/** All of this file. `outside` are names of objects that are not the chart's own. */
export function findLooseEnds(
  objects: readonly Manifest[],
  outside: ReadonlySet<string>,
): readonly string[] {
  const workloads = workloadsOf(objects);
  return [
    ...findTwice(objects),
    ...workloads.flatMap((workload) => [
      ...findVolumes(workload),
      ...findPorts(workload),
      ...findNamed(workload, objects, outside),
      ...findSpread(workload),
    ]),
    ...findSelectors(objects, workloads),
    ...findServices(objects, workloads),
    ...findCertificates(objects, outside),
    ...findScaled(objects, workloads),
    ...findDisrupted(objects, workloads),
    ...findPolicies(objects, workloads),
    ...findScraped(objects, workloads),
  ];
}

function findTwice(objects: readonly Manifest[]): readonly string[] {
  const titles = objects.map(titleOf);
  return titles.filter((title, at) => titles.indexOf(title) !== at).map((each) => `${each} twice`);
}

/** Mounts and volumes of one pod. */
function findVolumes(workload: Workload): readonly string[] {
  const { pod, object } = workload;
  const claimed = (object.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata.name);
  const volumes = [...(pod.volumes ?? []).map(({ name }) => name), ...claimed];
  const mounts = containersOf(workload).flatMap(({ volumeMounts = [] }) => volumeMounts);
  const title = titleOf(object);
  const places = containersOf(workload).flatMap(({ name, volumeMounts = [] }) =>
    volumeMounts.map(({ mountPath }) => `${name} at ${mountPath}`),
  );
  return [
    ...mounts
      .filter(({ name }) => !volumes.includes(name))
      .map(({ name }) => `${title}: no volume ${name} to mount`),
    ...volumes
      .filter((name) => !mounts.some((mount) => mount.name === name))
      .map((name) => `${title}: volume ${name} is mounted nowhere`),
    ...places
      .filter((place, at) => places.indexOf(place) !== at)
      .map((place) => `${title}: two volumes in ${place}`),
  ];
}

const hasPort = ({ ports = [] }: Container, port: number | string): boolean =>
  ports.some(({ name, containerPort }) => name === port || containerPort === port);

const podHasPort = ({ pod }: Workload, port: number | string): boolean =>
  pod.containers.some((container) => hasPort(container, port));

/** Probes ask ports of their own container. */
function findPorts({ object, pod }: Workload): readonly string[] {
  return pod.containers.flatMap((container) =>
    [...probeNames.map((name) => container[name]), container.lifecycle?.preStop].flatMap(
      (probe) => {
        const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port;
        if (port === undefined || hasPort(container, port)) return [];
        return [`${titleOf(object)}: no port ${port} in ${container.name} for a probe`];
      },
    ),
  );
}

interface Needed {
  readonly kind: string;
  readonly name: string;
  readonly keys: readonly string[];
}

/** What a pod needs to be there before it starts. */
export function neededBy(workload: Workload): readonly Needed[] {
  const { pod } = workload;
  const of = (kind: string, source: Source | undefined, key?: string): readonly Needed[] => {
    const name = source?.name ?? source?.secretName;
    if (source === undefined || name === undefined || source.optional === true) return [];
    const keys = key === undefined ? (source.items ?? []).map((item) => item.key) : [key];
    return [{ kind, name, keys }];
  };
  const inVolumes = (pod.volumes ?? []).flatMap(
    ({ configMap, secret, projected, persistentVolumeClaim: claim }) => [
      ...of('ConfigMap', configMap),
      ...of('Secret', secret),
      ...(projected?.sources ?? []).flatMap((source) => [
        ...of('ConfigMap', source.configMap),
        ...of('Secret', source.secret),
      ]),
      ...of('PersistentVolumeClaim', claim === undefined ? claim : { name: claim.claimName }),
    ],
  );
  const inVariables = containersOf(workload).flatMap(({ env = [], envFrom = [] }) => [
    ...env.flatMap(({ valueFrom }) => [
      ...of('ConfigMap', valueFrom?.configMapKeyRef, valueFrom?.configMapKeyRef?.key),
      ...of('Secret', valueFrom?.secretKeyRef, valueFrom?.secretKeyRef?.key),
    ]),
    ...envFrom.flatMap(({ configMapRef, secretRef }) => [
      ...of('ConfigMap', configMapRef),
      ...of('Secret', secretRef),
    ]),
  ]);
  const { serviceAccountName, imagePullSecrets = [] } = pod;
  return [
    ...inVolumes,
    ...inVariables,
    ...of(
      'ServiceAccount',
      serviceAccountName === undefined ? undefined : { name: serviceAccountName },
    ),
    ...imagePullSecrets.flatMap(({ name }) => of('Secret', { name })),
  ];
}

function findNamed(
  workload: Workload,
  objects: readonly Manifest[],
  outside: ReadonlySet<string>,
): readonly string[] {
  const title = titleOf(workload.object);
  return neededBy(workload).flatMap(({ kind, name, keys }) => {
    const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
    if (found === undefined) return outside.has(name) ? [] : [`${title}: no ${kind} ${name}`];
    const there = Object.keys({ ...found.data, ...found.stringData });
    return keys
      .filter((key) => !there.includes(key))
      .map((key) => `${title}: no key ${key} in ${kind} ${name}`);
  });
}

function findSpread({ object, pod, labels }: Workload): readonly string[] {
  return (pod.topologySpreadConstraints ?? [])
    .filter(({ labelSelector }) => !selects(labelSelector, labels))
    .map(() => `${titleOf(object)}: is spread by labels that its pods do not have`);
}

/** A workload selects its own pods and nobody else's. */
function findSelectors(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  return objects
    .filter(({ kind }) => lasting.has(kind))
    .flatMap((object) => {
      const wanted = object.spec?.selector;
      const selected = selectedBy(wanted, workloads).map((workload) => titleOf(workload.object));
      const title = titleOf(object);
      return [
        ...(selected.includes(title) ? [] : [`${title}: does not select its own pods`]),
        ...selected
          .filter((each) => each !== title)
          .map((each) => `${title}: selects pods of ${each}`),
      ];
    });
}

const selectedBy = (
  selector: Selector | Labels | undefined,
  workloads: readonly Workload[],
): readonly Workload[] => workloads.filter(({ labels }) => selects(selector, labels));

/** A Service leads to pods of one workload, on ports that they have. */
function findServices(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  const services = objects.filter(({ kind }) => kind === 'Service');
  const ends = services.flatMap((service) => {
    const pods = selectedBy(service.spec?.selector, workloads);
    const title = titleOf(service);
    const [only] = pods;
    if (only === undefined) return [`${title}: selects no pod`];
    const ports = (service.spec?.ports ?? [])
      .map(({ port, targetPort = port }) => targetPort)
      .filter((port) => !podHasPort(only, port));
    return [
      ...pods.slice(1).map(({ object }) => `${title}: selects pods of ${titleOf(object)}, too`),
      ...ports.map((port) => `${title}: no port ${port} in ${titleOf(only.object)}`),
    ];
  });
  const named = objects.flatMap((object) =>
    servicesNamedBy(object).flatMap(({ name, port }) => {
      const service = services.find(({ metadata }) => metadata.name === name);
      if (service === undefined) return [`${titleOf(object)}: no Service ${name}`];
      const ports = (service.spec?.ports ?? []).flatMap((each) => [each.name, each.port]);
      if (port === undefined || ports.includes(port)) return [];
      return [`${titleOf(object)}: no port ${port} in Service ${name}`];
    }),
  );
  return [...ends, ...named];
}

interface NamedService {
  readonly name: string;
  readonly port?: number | string | undefined;
}

/** By a StatefulSet, a TargetGroupBinding or an Ingress. */
function servicesNamedBy({ spec = {} }: Manifest): readonly NamedService[] {
  const backends = [
    ...(spec.defaultBackend === undefined ? [] : [spec.defaultBackend]),
    ...(spec.rules ?? []).flatMap(({ http }) => (http?.paths ?? []).map((each) => each.backend)),
  ];
  return [
    ...(spec.serviceName === undefined ? [] : [{ name: spec.serviceName }]),
    ...(spec.serviceRef === undefined ? [] : [spec.serviceRef]),
    ...backends.flatMap(({ service }) =>
      service === undefined
        ? []
        : [{ name: service.name, port: service.port.name ?? service.port.number }],
    ),
  ];
}

/** Certificates of an Ingress. */
function findCertificates(
  objects: readonly Manifest[],
  outside: ReadonlySet<string>,
): readonly string[] {
  return objects.flatMap((object) =>
    (object.spec?.tls ?? [])
      .flatMap(({ secretName }) => secretName ?? [])
      .filter((name) => !outside.has(name) && !isThere('Secret', name, objects))
      .map((name) => `${titleOf(object)}: no Secret ${name}`),
  );
}

const isThere = (kind: string, name: string, objects: readonly Manifest[]): boolean =>
  objects.some((each) => each.kind === kind && each.metadata.name === name);

/** An autoscaler's target is there, is not given a number by the chart, and asks for the CPU. */
function findScaled(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  return objects
    .filter(({ kind }) => kind === 'HorizontalPodAutoscaler')
    .flatMap((scaler) => {
      const { scaleTargetRef: target, metrics = [] } = scaler.spec ?? {};
      const title = titleOf(scaler);
      const scaled = workloads.find(
        ({ object }) =>
          object.kind === target?.kind &&
          object.apiVersion === target.apiVersion &&
          object.metadata.name === target.name,
      );
      if (scaled === undefined) return [`${title}: no ${target?.kind} ${target?.name} to scale`];
      const measured = metrics.flatMap(({ resource }) => resource?.name ?? []);
      return [
        ...(scaled.object.spec?.replicas === undefined
          ? []
          : [`${title}: an upgrade sets the replicas of ${titleOf(scaled.object)} back`]),
        ...measured
          .filter((name) =>
            scaled.pod.containers.some(
              ({ resources }) => resources?.requests?.[name] === undefined,
            ),
          )
          .map((name) => `${title}: ${titleOf(scaled.object)} requests no ${name}`),
      ];
    });
}

/** A disruption budget selects pods and lets a node be drained at the smallest number of them. */
function findDisrupted(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  return objects
    .filter(({ kind }) => kind === 'PodDisruptionBudget')
    .flatMap((budget) => {
      const title = titleOf(budget);
      const pods = selectedBy(budget.spec?.selector, workloads);
      if (pods.length === 0) return [`${title}: selects no pod`];
      const least = pods.reduce((sum, { object }) => sum + leastReplicas(object, objects), 0);
      const { minAvailable, maxUnavailable } = budget.spec ?? {};
      const left =
        minAvailable === undefined
          ? shareOf(maxUnavailable ?? 0, least)
          : least - shareOf(minAvailable, least);
      return left >= 1 ? [] : [`${title}: no pod of ${least} may ever be evicted`];
    });
}

/** Of percentages the API rounds up, https://kubernetes.io/docs/tasks/run-application/configure-pdb. */
function shareOf(value: number | string, of: number): number {
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? Math.ceil((Number.parseFloat(value) / 100) * of) : Number(value);
}

function leastReplicas(object: Manifest, objects: readonly Manifest[]): number {
  const scaler = objects.find(
    ({ kind, spec }) =>
      kind === 'HorizontalPodAutoscaler' &&
      spec?.scaleTargetRef?.kind === object.kind &&
      spec.scaleTargetRef.name === object.metadata.name,
  );
  return scaler === undefined ? (object.spec?.replicas ?? 1) : (scaler.spec?.minReplicas ?? 1);
}

/** A network policy is about pods, on ports that they have, and shuts out no Service of theirs. */
function findPolicies(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  const policies = objects.filter(({ kind }) => kind === 'NetworkPolicy');
  const ends = policies.flatMap((policy) => {
    const pods = selectedBy(policy.spec?.podSelector, workloads);
    const title = titleOf(policy);
    if (pods.length === 0) return [`${title}: selects no pod`];
    return (policy.spec?.ingress ?? [])
      .flatMap(({ ports = [] }) => ports.flatMap(({ port }) => port ?? []))
      .filter((port) => !pods.some((workload) => podHasPort(workload, port)))
      .map((port) => `${title}: no port ${port} in its pods`);
  });
  const shut = objects
    .filter(({ kind }) => kind === 'Service')
    .flatMap((service) =>
      selectedBy(service.spec?.selector, workloads).flatMap((workload) =>
        (service.spec?.ports ?? [])
          .map(({ port, targetPort = port }) => targetPort)
          .filter((port) => !isLetIn(port, workload, policies))
          .map((port) => `${titleOf(service)}: no NetworkPolicy lets port ${port} in`),
      ),
    );
  return [...ends, ...shut];
}

/** Whether the policies of a pod, if it has one, name the port, by its name or number. */
function isLetIn(
  port: number | string,
  workload: Workload,
  policies: readonly Manifest[],
): boolean {
  const own = policies.filter(
    ({ spec }) =>
      selects(spec?.podSelector, workload.labels) &&
      (spec?.policyTypes ?? ['Ingress']).includes('Ingress'),
  );
  if (own.length === 0) return true;
  const same = workload.pod.containers
    .flatMap(({ ports = [] }) => ports)
    .find(({ name, containerPort }) => name === port || containerPort === port);
  return own
    .flatMap(({ spec }) => spec?.ingress ?? [])
    .some(
      ({ ports }) =>
        ports === undefined ||
        ports.some((each) => each.port === same?.name || each.port === same?.containerPort),
    );
}

/** What Prometheus is told to scrape is there. */
function findScraped(
  objects: readonly Manifest[],
  workloads: readonly Workload[],
): readonly string[] {
  return objects.flatMap((monitor) => {
    const { kind, spec } = monitor;
    const title = titleOf(monitor);
    const wanted = spec?.selector;
    if (kind === 'ServiceMonitor') {
      const services = objects.filter(
        (each) => each.kind === 'Service' && selects(wanted, each.metadata.labels ?? {}),
      );
      const ports = services.flatMap((each) => (each.spec?.ports ?? []).map(({ name }) => name));
      return services.length === 0
        ? [`${title}: selects no Service`]
        : (spec?.endpoints ?? [])
            .filter(({ port }) => !ports.includes(port))
            .map(({ port }) => `${title}: no Service has a port ${port}`);
    }
    if (kind !== 'PodMonitor') return [];
    const pods = selectedBy(wanted, workloads);
    return pods.length === 0
      ? [`${title}: selects no pod`]
      : (spec?.podMetricsEndpoints ?? [])
          .filter(({ port }) => !pods.some((pod) => podHasPort(pod, port ?? '')))
          .map(({ port }) => `${title}: no pod has a port ${port}`);
  });
}
