/**
 * Faults for the rendered chart, one at a time, and what a real API server says to each: most are
 * refused, and the last ones are accepted, which is why the tests look at them in references.ts.
 */
import type { Manifest } from './manifest.ts';

/** An object of the chart as it may be changed. */
interface Plain {
  [key: string]: unknown;
}

export interface PlantedFault {
  readonly name: string;
  /** The kind that it is planted in; the first of them. */
  readonly kind: string;
  readonly plant: (object: Plain) => void;
  /** Of the answer. */
  readonly status: number;
  /** Part of what is said. */
  readonly says?: string;
}

const at = (object: unknown, ...path: readonly (string | number)[]): Plain => {
  let found = object;
  for (const key of path) found = (found as Record<string | number, unknown>)[key];
  return found as Plain;
};

const pod = (object: Plain): Plain => at(object, 'spec', 'template', 'spec');
const container = (object: Plain): Plain => at(pod(object), 'containers', 0);

export const plantedFaults: readonly PlantedFault[] = [
  {
    name: 'a selector that does not match the labels of the pods',
    kind: 'Deployment',
    plant: (object) => void (at(object, 'spec', 'selector', 'matchLabels')['other'] = 'label'),
    status: 422,
    says: '`selector` does not match template `labels`',
  },
  {
    name: 'a mount without its volume',
    kind: 'Deployment',
    plant: (object) => void (at(container(object), 'volumeMounts', 0)['name'] = 'other'),
    status: 422,
    says: 'volumeMounts[0].name: Not found',
  },
  {
    name: 'two mounts at one path',
    kind: 'Deployment',
    plant: (object) =>
      void (at(container(object), 'volumeMounts', 1)['mountPath'] = at(
        container(object),
        'volumeMounts',
        0,
      )['mountPath']),
    status: 422,
    says: 'must be unique',
  },
  {
    name: 'a request above its limit',
    kind: 'Deployment',
    plant: (object) => void (at(container(object), 'resources', 'requests')['memory'] = '1Ti'),
    status: 422,
    says: 'must be less than or equal to memory limit',
  },
  {
    name: 'a rolling update that may do nothing',
    kind: 'Deployment',
    plant: (object) =>
      void (at(object, 'spec')['strategy'] = {
        rollingUpdate: { maxSurge: 0, maxUnavailable: 0 },
      }),
    status: 422,
    says: 'may not be 0 when `maxSurge` is 0',
  },
  {
    name: 'an autoscaler whose most is below its least',
    kind: 'HorizontalPodAutoscaler',
    plant: (object) => void Object.assign(at(object, 'spec'), { minReplicas: 3, maxReplicas: 2 }),
    status: 422,
    says: 'maxReplicas',
  },
  {
    name: 'a quantity that is none',
    kind: 'Deployment',
    plant: (object) => void (at(container(object), 'resources', 'limits')['memory'] = '512mb'),
    status: 400,
    says: 'quantities must match',
  },
  {
    name: 'a field that is not there',
    kind: 'PodDisruptionBudget',
    plant: (object) => void (at(object, 'spec')['maxUnavailabel'] = 1),
    status: 400,
    says: 'unknown field "spec.maxUnavailabel"',
  },
  {
    name: 'a kind that the server does not have',
    kind: 'Deployment',
    plant: (object) => void Object.assign(object, { apiVersion: 'apps/v1', kind: 'Deploiment' }),
    status: 404,
  },
  {
    name: 'a pod without a seccomp profile',
    kind: 'Pod',
    plant: (object) => void delete at(object, 'spec', 'securityContext')['seccompProfile'],
    status: 403,
    says: 'violates PodSecurity "restricted:latest"',
  },
  {
    name: 'pods without a seccomp profile in a Deployment',
    kind: 'Deployment',
    plant: (object) => void delete at(pod(object), 'securityContext')['seccompProfile'],
    status: 201,
    says: 'would violate PodSecurity "restricted:latest"',
  },
  {
    name: 'a probe of a port that is not there',
    kind: 'Deployment',
    plant: (object) =>
      void (container(object)['readinessProbe'] = { httpGet: { path: '/readyz', port: 'other' } }),
    status: 201,
  },
  {
    name: 'an account that is not there',
    kind: 'Deployment',
    plant: (object) => void (pod(object)['serviceAccountName'] = 'other'),
    status: 201,
  },
  {
    name: 'a configuration that is not there',
    kind: 'Deployment',
    plant: (object) => {
      const volumes = pod(object)['volumes'] as Plain[];
      const config = volumes.find((volume) => 'configMap' in volume);
      if (config !== undefined) config['configMap'] = { name: 'other' };
    },
    status: 201,
  },
];

/** A copy of the first object of the fault's kind, with the fault; and all objects with it. */
export function planted(
  fault: PlantedFault,
  objects: readonly Manifest[],
): readonly [object: Manifest, all: readonly Manifest[]] {
  const found = objects.find(({ kind }) => kind === fault.kind);
  if (found === undefined) throw new Error(`the chart renders no ${fault.kind}`);
  const copy = structuredClone(found) as unknown as Plain;
  fault.plant(copy);
  const object = copy as unknown as Manifest;
  return [object, objects.map((each) => (each === found ? object : each))];
}
