/**
 * The chart's objects at a real API server: where each kind is, who completes its Jobs, and what it
 * has of a namespace.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeAnswer, KubeApiServer } from '../../servers/kube-api-server.ts';
import type { Manifest } from './manifest.ts';
import { titleOf } from './manifest.ts';

interface Resource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

interface Running extends Manifest {
  readonly status?: { readonly conditions?: readonly Condition[]; readonly phase?: string };
}

const pollMs = 50;

export class Cluster {
  readonly #server: KubeApiServer;
  readonly #resources = new Map<string, Promise<readonly Resource[]>>();

  constructor(server: KubeApiServer) {
    this.#server = server;
  }

  get kubeconfig(): string {
    return this.#server.kubeconfig;
  }

  /** A namespace that refuses pods which are not "restricted", and warns of what would make them. */
  async createNamespace(name: string): Promise<void> {
    const levels = ['enforce', 'warn', 'audit'].map((mode) => [
      `pod-security.kubernetes.io/${mode}`,
      'restricted',
    ]);
    const labels = Object.fromEntries(levels) as Record<string, string>;
    await this.#expect('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
  }

  /** A class that pods of the values have, for the whole cluster. */
  async createPriorityClass(name: string): Promise<void> {
    const path = '/apis/scheduling.k8s.io/v1/priorityclasses';
    if ((await this.#server.ask('GET', `${path}/${name}`)).status === 200) return;
    const apiVersion = 'scheduling.k8s.io/v1';
    const metadata = { name };
    await this.#expect('POST', path, { apiVersion, kind: 'PriorityClass', metadata, value: 1_000 });
  }

  /** Definitions of kinds; resolves when the server has them. */
  async define(definitions: readonly Manifest[]): Promise<void> {
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    for (const definition of definitions) await this.#expect('POST', path, definition);
    for (const { metadata } of definitions) {
      for (let tries = 0; ; tries++) {
        const { body } = await this.#server.ask('GET', `${path}/${metadata.name}`);
        const { status } = body as unknown as Running;
        const named = (status?.conditions ?? []).filter((each) => each.status === 'True');
        if (named.some(({ type }) => type === 'Established')) break;
        if (tries > 200) throw new Error(`${metadata.name} was not established`);
        await sleep(pollMs);
      }
    }
    this.#resources.clear();
  }

  /** What the server would say to a new object; strict: to a field that it does not know, 400. */
  async tryToCreate(object: Manifest, namespace: string): Promise<KubeAnswer> {
    const path = await this.#pathOf(object, namespace);
    if (path === undefined) return { status: 404, body: {}, message: '', warnings: [] };
    return this.#server.ask('POST', `${path}?dryRun=All&fieldValidation=Strict`, object);
  }

  async read(object: Manifest, namespace: string): Promise<Running | undefined> {
    const path = await this.#pathOf(object, namespace);
    const { status, body } = await this.#server.ask('GET', `${path}/${object.metadata.name}`);
    return status === 200 ? (body as unknown as Running) : undefined;
  }

  /** Objects of these kinds (`like`) in a namespace. */
  async list(like: readonly Manifest[], namespace: string): Promise<readonly Running[]> {
    const paths = await Promise.all(like.map((object) => this.#pathOf(object, namespace)));
    const found = await Promise.all(
      [...new Set(paths)].map(async (path) => {
        if (path === undefined) return [];
        const { body } = await this.#server.ask('GET', path);
        const { kind, items = [] } = body as unknown as {
          readonly kind: string;
          readonly items?: readonly Omit<Running, 'kind'>[];
        };
        return items.map((item): Running => ({ ...item, kind: kind.replace(/List$/, '') }));
      }),
    );
    return found.flat();
  }

  /** As an autoscaler does it. */
  async scale(object: Manifest, namespace: string, replicas: number): Promise<void> {
    const path = `${await this.#pathOf(object, namespace)}/${object.metadata.name}/scale`;
    await this.#expect('PATCH', path, { spec: { replicas } }, 'application/merge-patch+json');
  }

  /** Every entry of a Secret gets this value, in base64. */
  async replaceData(object: Manifest, namespace: string, value: string): Promise<void> {
    const path = `${await this.#pathOf(object, namespace)}/${object.metadata.name}`;
    const data = Object.fromEntries(Object.keys(object.data ?? {}).map((name) => [name, value]));
    await this.#expect('PATCH', path, { data }, 'application/merge-patch+json');
  }

  /** Until `isOver`, Jobs and pods that wait end well: nobody else here runs them. */
  async complete(namespace: string, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      for (const [path, status] of [
        [`/apis/batch/v1/namespaces/${namespace}/jobs`, completedJob],
        [`/api/v1/namespaces/${namespace}/pods`, completedPod],
      ] as const) {
        const { body } = await this.#server.ask('GET', path);
        for (const each of (body as { readonly items?: readonly Running[] }).items ?? []) {
          if (each.status?.conditions !== undefined || each.status?.phase === 'Succeeded') continue;
          await this.#server.ask('PATCH', `${path}/${each.metadata.name}/status`, status());
        }
      }
      await sleep(pollMs);
    }
  }

  async #pathOf({ apiVersion, kind }: Manifest, namespace: string): Promise<string | undefined> {
    const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const known = this.#resources.get(base) ?? this.#discover(base);
    this.#resources.set(base, known);
    const found = (await known).find((each) => each.kind === kind && !each.name.includes('/'));
    if (found === undefined) return undefined;
    return `${base}${found.namespaced ? `/namespaces/${namespace}` : ''}/${found.name}`;
  }

  async #discover(base: string): Promise<readonly Resource[]> {
    const { body } = await this.#server.ask('GET', base);
    return (body as { readonly resources?: readonly Resource[] }).resources ?? [];
  }

  async #expect(method: string, path: string, body: unknown, type?: string): Promise<void> {
    const answer = await this.#server.ask(method, path, body, type);
    if (answer.status >= 300)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.message}`);
  }
}

const now = (): string => new Date().toISOString();

/** All that a Job must say of itself when it is complete. */
const completedJob = (): object => ({
  status: {
    startTime: now(),
    completionTime: now(),
    succeeded: 1,
    uncountedTerminatedPods: {},
    conditions: ['SuccessCriteriaMet', 'Complete'].map((type) => ({
      type,
      status: 'True',
      lastProbeTime: now(),
      lastTransitionTime: now(),
    })),
  },
});

const completedPod = (): object => ({ status: { phase: 'Succeeded' } });

export const titles = (objects: readonly Manifest[]): readonly string[] =>
  objects.map(titleOf).toSorted();
