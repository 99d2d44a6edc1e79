/**
 * The life of a release at a real API server: installed, scaled, upgraded with another
 * configuration, rolled back, tested and uninstalled, by Helm itself. Each step says what differs
 * from what an operator may expect; no sentence is a good life.
 */
import { createHash } from 'node:crypto';
import type { Helm, HelmRan } from '../../servers/helm.ts';
import { kubernetesVersion } from '../../servers/kube-api-server.ts';
import { chartDir, release, render, setArguments, type ValueSet } from './chart.ts';
import { type Cluster, titles } from './cluster.ts';
import type { Manifest } from './manifest.ts';
import { lasting, titleOf, workloadsOf } from './manifest.ts';
import { hookOf } from './pods.ts';

export interface ReleaseOptions {
  readonly helm: Helm;
  readonly cluster: Cluster;
  readonly values: ValueSet;
  readonly namespace: string;
  /** What an upgrade changes: paths of values. */
  readonly change: Readonly<Record<string, unknown>>;
}

/** Steps of a release, in their order; each is given what the one before left. */
export async function* liveRelease(
  options: ReleaseOptions,
): AsyncGenerator<readonly [step: string, differences: readonly string[]]> {
  const { cluster, namespace, helm, values } = options;
  await cluster.createNamespace(namespace);
  const rendered = await render(helm, values, { kubernetes: kubernetesVersion.slice(0, 4) });
  for (const { pod } of workloadsOf(rendered))
    if (pod.priorityClassName !== undefined)
      await cluster.createPriorityClass(pod.priorityClassName);
  const life = new Release(options, rendered);
  yield ['each object alone is accepted without a warning', await life.tryAll(rendered)];
  yield ['its pods are accepted in a restricted namespace', await life.tryPods(rendered)];
  yield ['install', await life.install()];
  yield ['upgrade with another configuration', await life.upgrade()];
  yield ['rollback, after the key was replaced', await life.rollback()];
  yield ['no manifest of its revisions has the key', await life.findKeys()];
  yield ['helm test', await life.test()];
  yield ['uninstall', await life.uninstall()];
}

/** Contents of what a release is not to lose, and the generations of what it rolls. */
interface Seen {
  readonly titles: readonly string[];
  readonly secrets: string;
  readonly configs: string;
  /** By title: pods are replaced when it grows. */
  readonly templates: Readonly<Record<string, string>>;
  readonly replicas: Readonly<Record<string, number | undefined>>;
}

class Release {
  readonly #options: ReleaseOptions;
  /** With hooks. */
  readonly #rendered: readonly Manifest[];
  readonly #objects: readonly Manifest[];
  #installed: Seen | undefined;

  constructor(options: ReleaseOptions, rendered: readonly Manifest[]) {
    this.#options = options;
    this.#rendered = rendered;
    this.#objects = rendered.filter((object) => hookOf(object) === undefined);
  }

  async tryAll(rendered: readonly Manifest[]): Promise<readonly string[]> {
    const { cluster, namespace } = this.#options;
    const tried = rendered.map(async (object) => {
      const { status, message, warnings } = await cluster.tryToCreate(object, namespace);
      const refused = status === 201 ? [] : [`${status} ${message}`];
      return [...refused, ...warnings].map((said) => `${titleOf(object)}: ${said}`);
    });
    return (await Promise.all(tried)).flat();
  }

  /** No controller makes them here. */
  tryPods(rendered: readonly Manifest[]): Promise<readonly string[]> {
    const pods = workloadsOf(rendered).map(({ object, labels, pod }): Manifest => {
      const claimed = (object.spec?.volumeClaimTemplates ?? []).map(({ metadata: { name } }) => ({
        name,
        persistentVolumeClaim: { claimName: `${name}-0` },
      }));
      const volumes = [...(pod.volumes ?? []), ...claimed];
      const metadata = { name: `${object.metadata.name}-0`, labels };
      return { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...pod, volumes } as never };
    });
    return this.tryAll(pods);
  }

  async install(): Promise<readonly string[]> {
    const said = await this.#helm('install', release, chartDir, '--values', this.#file);
    if (said.length > 0) return said;
    const seen = await this.#look();
    this.#installed = seen;
    return missingIn(seen.titles, titles([...this.#objects, ...this.#keys]));
  }

  async upgrade(): Promise<readonly string[]> {
    const { change } = this.#options;
    const before = await this.#scale(7);
    const how = ['--values', this.#file, ...setArguments(change)];
    const said = await this.#helm('upgrade', release, chartDir, ...how);
    if (said.length > 0) return said;
    const after = await this.#look();
    const still = Object.entries(before.templates)
      .filter(([title, template]) => after.templates[title] === template)
      .map(([title]) => `${title}: its pods keep the old configuration`);
    return [
      ...still,
      ...differs('secrets', before.secrets, after.secrets),
      ...differs('numbers of replicas', before.replicas, after.replicas),
      ...(before.configs === after.configs ? ['the configuration is the old one'] : []),
    ];
  }

  async rollback(): Promise<readonly string[]> {
    const { cluster, namespace } = this.#options;
    const secrets = this.#rendered.filter(({ kind }) => kind === 'Secret');
    for (const secret of secrets) await cluster.replaceData(secret, namespace, replacedKey);
    const before = await this.#look();
    if (secrets.length > 0 && before.secrets === this.#installed?.secrets)
      return ['the key was not replaced'];
    const said = await this.#helm('rollback', release, '1');
    if (said.length > 0) return said;
    const [first, after] = [this.#installed, await this.#look()];
    return [
      ...differs('secrets', before.secrets, after.secrets),
      ...differs('configuration', first?.configs, after.configs),
      ...differs('pods', first?.templates, after.templates),
    ];
  }

  /** In what Helm keeps of the revisions, and in what an upgrade would make now. */
  async findKeys(): Promise<readonly string[]> {
    const { helm, cluster, namespace } = this.#options;
    const ask = async (...args: readonly string[]): Promise<readonly string[]> => {
      const how = ['--namespace', namespace];
      const { code, out, err } = await helm([...args, ...how], { KUBECONFIG: cluster.kubeconfig });
      if (code !== 0) return [`${args.join(' ')}: exit code ${code}: ${err}`];
      return /^kind: Secret$/m.test(out) ? [`${args.join(' ')}: a Secret`] : [];
    };
    const upgrade = ['upgrade', release, chartDir, '--values', this.#file, '--dry-run=server'];
    return [
      ...(await ask('get', 'manifest', release, '--revision', '1')),
      ...(await ask('get', 'manifest', release)),
      ...(await ask(...upgrade)),
    ];
  }

  test(): Promise<readonly string[]> {
    return this.#helm('test', release);
  }

  async uninstall(): Promise<readonly string[]> {
    const said = await this.#helm('uninstall', release);
    if (said.length > 0) return said;
    const { cluster, namespace } = this.#options;
    const left = titles(await cluster.list([...this.#objects, ...this.#keys], namespace));
    const kept = titles([
      ...this.#keys,
      ...this.#objects.filter(
        ({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep',
      ),
    ]);
    return [
      ...left.filter((title) => !kept.includes(title)).map((title) => `${title} is left behind`),
      ...missingIn(left, titles(this.#keys)),
    ];
  }

  /** Made by a hook, so that no revision has them: they stay. */
  get #keys(): readonly Manifest[] {
    return this.#rendered.filter((object) => object.kind === 'Secret' && hookOf(object));
  }

  get #file(): string {
    return this.#options.values.file;
  }

  /** What Helm says beside that it did it, while hooks are completed for it. */
  async #helm(...args: readonly string[]): Promise<readonly string[]> {
    const { helm, cluster, namespace } = this.#options;
    const how = ['--namespace', namespace, '--timeout', '60s'];
    let isOver = false;
    const completing = cluster.complete(namespace, () => isOver);
    try {
      return saidBy(await helm([...args, ...how], { KUBECONFIG: cluster.kubeconfig }));
    } finally {
      isOver = true;
      await completing;
    }
  }

  /** As an autoscaler does it: all that are scaled, to a number that no file has. */
  async #scale(replicas: number): Promise<Seen> {
    const { cluster, namespace } = this.#options;
    const scaled = this.#objects.filter(
      ({ kind, spec }) => lasting.has(kind) && spec?.replicas === undefined,
    );
    for (const object of scaled) await cluster.scale(object, namespace, replicas);
    return this.#look();
  }

  async #look(): Promise<Seen> {
    const { cluster, namespace } = this.#options;
    const found = await cluster.list([...this.#objects, ...this.#keys], namespace);
    const of = (kind: string): readonly Manifest[] =>
      found.filter((object) => object.kind === kind && !isOfHelm(object));
    const workloads = found.filter(({ kind }) => lasting.has(kind));
    return {
      titles: titles(found),
      secrets: digest(of('Secret').map(({ metadata, data }) => [metadata.name, data])),
      configs: digest(of('ConfigMap').map(({ metadata, data }) => [metadata.name, data])),
      templates: Object.fromEntries(
        workloads.map((object) => [titleOf(object), digest(object.spec?.template)]),
      ),
      replicas: Object.fromEntries(
        workloads.map((object) => [titleOf(object), object.spec?.replicas]),
      ),
    };
  }
}

/** As an operator replaces a key that leaked. */
const replacedKey = Buffer.from('a key that replaces the first one').toString('base64');

const isOfHelm = ({ metadata }: Manifest): boolean => metadata.name.startsWith('sh.helm.release.');

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);

/** Anything that it says to standard error is a warning, also when it did what it was asked. */
function saidBy({ code, err }: HelmRan): readonly string[] {
  const lines = err.split('\n').filter((line) => line.trim() !== '');
  return code === 0 ? lines : [`exit code ${code}`, ...lines];
}

function missingIn(found: readonly string[], wanted: readonly string[]): readonly string[] {
  return wanted.filter((title) => !found.includes(title)).map((title) => `no ${title}`);
}

function differs(what: string, before: unknown, after: unknown): readonly string[] {
  const [was, is] = [before, after].map((each) => JSON.stringify(each));
  return was === is ? [] : [`other ${what}: ${was} before, ${is} after`];
}
