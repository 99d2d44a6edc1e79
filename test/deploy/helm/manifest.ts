/**
 * Objects of Kubernetes as a chart renders them: the fields that the tests look at, and the pods
 * that they make.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Labels;
  readonly annotations?: Labels;
}

export interface Selector {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist';
    readonly values?: readonly string[];
  }[];
}

export interface KeyReference {
  readonly name?: string;
  readonly key: string;
  readonly optional?: boolean;
}

export interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly configMapKeyRef?: KeyReference;
    readonly secretKeyRef?: KeyReference;
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

/** A ConfigMap or Secret whose keys become files, or variables. */
export interface Source {
  readonly name?: string;
  /** A volume names a Secret so. */
  readonly secretName?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
  readonly optional?: boolean;
}

export interface Volume {
  readonly name: string;
  readonly configMap?: Source;
  readonly secret?: Source;
  readonly projected?: {
    readonly sources: readonly { readonly configMap?: Source; readonly secret?: Source }[];
  };
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly emptyDir?: { readonly sizeLimit?: string };
}

export interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly subPath?: string;
}

export interface Probe {
  readonly httpGet?: { readonly path?: string; readonly port: number | string };
  readonly tcpSocket?: { readonly port: number | string };
  readonly exec?: { readonly command: readonly string[] };
}

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly fsGroup?: number;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly seccompProfile?: { readonly type: string };
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
  readonly hostPort?: number;
}

export const probeNames = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const;

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly Variable[];
  readonly envFrom?: readonly { readonly configMapRef?: Source; readonly secretRef?: Source }[];
  readonly ports?: readonly ContainerPort[];
  readonly volumeMounts?: readonly Mount[];
  readonly startupProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly lifecycle?: {
    readonly preStop?: Probe & { readonly sleep?: { readonly seconds: number } };
  };
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels };
  readonly securityContext?: SecurityContext;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly priorityClassName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly restartPolicy?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext?: SecurityContext;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly topologySpreadConstraints?: readonly { readonly labelSelector?: Selector }[];
}

export interface PodTemplate {
  readonly metadata?: Omit<Metadata, 'name'>;
  readonly spec: PodSpec;
}

export interface PolicyPeer {
  readonly podSelector?: Selector;
}

export interface PolicyRule {
  readonly from?: readonly PolicyPeer[];
  readonly ports?: readonly { readonly port?: number | string; readonly protocol?: string }[];
}

export interface Backend {
  readonly service?: {
    readonly name: string;
    readonly port: { readonly name?: string; readonly number?: number };
  };
}

/** Of any kind: each has some of these. */
export interface Spec {
  readonly selector?: Selector | Labels;
  readonly template?: PodTemplate;
  readonly jobTemplate?: { readonly spec: Spec };
  readonly replicas?: number;
  readonly serviceName?: string;
  readonly activeDeadlineSeconds?: number;
  readonly volumeClaimTemplates?: readonly { readonly metadata: Metadata }[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly targetPort?: number | string;
  }[];
  readonly type?: string;
  readonly scaleTargetRef?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
  };
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
  readonly metrics?: readonly { readonly type: string; readonly resource?: { name: string } }[];
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
  readonly podSelector?: Selector;
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
  readonly endpoints?: readonly { readonly port?: string; readonly path?: string }[];
  readonly podMetricsEndpoints?: readonly { readonly port?: string; readonly path?: string }[];
  readonly serviceRef?: { readonly name: string; readonly port: number | string };
  readonly defaultBackend?: Backend;
  readonly rules?: readonly {
    readonly http?: { readonly paths: readonly { readonly backend: Backend }[] };
  }[];
  readonly tls?: readonly { readonly secretName?: string }[];
  readonly groups?: readonly {
    readonly rules: readonly { readonly alert?: string; readonly expr: string }[];
  }[];
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec?: Spec;
  readonly data?: Labels;
  readonly stringData?: Labels;
  readonly automountServiceAccountToken?: boolean;
}

/** What makes pods, of any kind. */
export interface Workload {
  readonly object: Manifest;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly pod: PodSpec;
}

export const titleOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;

/** What makes pods that stay; the others run to their end. */
export const lasting: ReadonlySet<string> = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);

export function workloadsOf(objects: readonly Manifest[]): readonly Workload[] {
  return objects.flatMap((object) => {
    const { kind, metadata, spec } = object;
    if (spec === undefined) return [];
    if (kind === 'Pod') {
      const { labels = {}, annotations = {} } = metadata;
      return [{ object, labels, annotations, pod: spec as unknown as PodSpec }];
    }
    const template = spec.template ?? spec.jobTemplate?.spec.template;
    if (template === undefined) return [];
    const { labels = {}, annotations = {} } = template.metadata ?? {};
    return [{ object, labels, annotations, pod: template.spec }];
  });
}

export const containersOf = ({ pod }: Workload): readonly Container[] => [
  ...(pod.initContainers ?? []),
  ...pod.containers,
];

/** Whether a selector, or the plain labels of a Service, select `labels`; an empty one selects all. */
export function selects(selector: Selector | Labels | undefined, labels: Labels): boolean {
  if (selector === undefined) return true;
  if (!isSelector(selector)) return hasAll(selector, labels);
  const { matchLabels = {}, matchExpressions = [] } = selector;
  const holds = matchExpressions.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    const isOf = value !== undefined && (operator === 'Exists' || values.includes(value));
    return operator === 'DoesNotExist'
      ? value === undefined
      : isOf === (operator === 'In' || operator === 'Exists');
  });
  return holds && hasAll(matchLabels, labels);
}

const isSelector = (selector: Selector | Labels): selector is Selector =>
  'matchLabels' in selector || 'matchExpressions' in selector;

const hasAll = (wanted: Labels, labels: Labels): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);
