/**
 * `npm run chart:apiserver`: the life of a release of the Helm chart at a real API server of
 * Kubernetes, for each set of values and two versions of Helm, in namespaces that take only
 * "restricted" pods; then planted faults, each of which the server must refuse. The server is
 * compiled at the first run, which takes ten minutes of one core. Names of sets of values select
 * these: `npm run chart:apiserver -- minimal`.
 *
 * Prints what it does; ends with 1 when anything differs.
 */
import type { ValueSet } from '../deploy/helm/chart.ts';
import {
  changedConfig,
  chartDir,
  outsideOf,
  release,
  render,
  valueSet,
  valueSets,
} from '../deploy/helm/chart.ts';
import { Cluster } from '../deploy/helm/cluster.ts';
import { definitionsOfOperators } from '../deploy/helm/definitions.ts';
import type { Manifest } from '../deploy/helm/manifest.ts';
import { planted, plantedFaults } from '../deploy/helm/planted-faults.ts';
import { findUnsafePods } from '../deploy/helm/pods.ts';
import { findLooseEnds } from '../deploy/helm/references.ts';
import { liveRelease } from '../deploy/helm/release-life.ts';
import { helmMissing, helmVersions, openHelm } from '../servers/helm.ts';
import {
  apiServerMissing,
  kubernetesVersion,
  startKubeApiServer,
} from '../servers/kube-api-server.ts';
import { newestKubernetes } from '../servers/kube-schemas.ts';

let differences = 0;
let steps = 0;

function tell(step: string, found: readonly string[]): void {
  steps++;
  differences += found.length;
  console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${step}`);
  for (const each of found) console.log(`     ${each}`);
}

async function liveAll(cluster: Cluster, sets: readonly ValueSet[]): Promise<void> {
  for (const version of helmVersions) {
    const helm = await openHelm(version);
    for (const values of sets) {
      const namespace = `${values.name}-helm-${version.replaceAll('.', '-')}`;
      const change = changedConfig(values);
      const life = liveRelease({ helm, cluster, values, namespace, change });
      for await (const [step, found] of life)
        tell(`${values.name}, Helm ${version}: ${step}`, found);
    }
  }
}

/** One that the server accepts is found by the tests of the rendered chart. */
async function plantAll(
  cluster: Cluster,
  values: ValueSet,
  objects: readonly Manifest[],
): Promise<void> {
  const namespace = 'planted';
  await cluster.createNamespace(namespace);
  for (const fault of plantedFaults) {
    const [object, all] = planted(fault, objects);
    const { status, message, warnings } = await cluster.tryToCreate(object, namespace);
    const said = [message, ...warnings].join(' ');
    const found = [...findLooseEnds(all, outsideOf(values)), ...findUnsafePods(all)];
    tell(`planted: ${fault.name}: ${status}`, [
      ...(status === fault.status ? [] : [`expected ${fault.status}: ${said}`]),
      ...(said.includes(fault.says ?? '') ? [] : [`does not say "${fault.says}" but: ${said}`]),
      ...(status >= 400 || found.length > 0 ? [] : ['neither the server nor the tests find it']),
    ]);
  }
}

/** Before the kinds of operators are defined: Helm installs nothing of a chart that has them. */
async function installWithout(cluster: Cluster, values: ValueSet): Promise<void> {
  const namespace = 'without-operators';
  await cluster.createNamespace(namespace);
  const helm = await openHelm();
  const { code, err } = await helm(
    ['install', release, chartDir, '--namespace', namespace, '--values', values.file],
    { KUBECONFIG: cluster.kubeconfig },
  );
  const refused = code !== 0 && err.includes('no matches for kind');
  tell(`planted: a kind whose operator is not there: ${code}`, refused ? [] : [err]);
}

async function main(names: readonly string[]): Promise<number> {
  const sets = names.length === 0 ? valueSets : names.map(valueSet);
  if (helmMissing() !== undefined || apiServerMissing() !== undefined) return 1;
  const server = await startKubeApiServer((line) => console.log(line));
  console.log(`kube-apiserver ${kubernetesVersion} is ready`);
  try {
    const cluster = new Cluster(server);
    const production = valueSet('production-aws');
    await installWithout(cluster, production);
    await cluster.define(await definitionsOfOperators());
    await liveAll(cluster, sets);
    const objects = await render(await openHelm(), production, { kubernetes: newestKubernetes });
    await plantAll(cluster, production, objects);
  } finally {
    await server.stop();
  }
  console.log(`${steps} steps, ${differences} differences`);
  return differences === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
