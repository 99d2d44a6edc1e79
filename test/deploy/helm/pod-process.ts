/**
 * What a container of the chart runs, as a process of this machine could run it: the command that
 * its arguments call, its variables, and the configuration that is mounted into it.
 */
import { commandLine } from '../../../deploy/cli/command-line.ts';
import { findEntries } from '../../../deploy/cli/find-commands.ts';
import type { Container, Manifest, Workload } from './manifest.ts';
import { containersOf, probeNames, titleOf, workloadsOf } from './manifest.ts';

const entries = await findEntries();

export interface PodProcess {
  readonly title: string;
  /** Such as `topics apply`. */
  readonly command: string;
  readonly args: readonly string[];
  readonly container: Container;
  /** A secret has a made-up value; the address of the pod is of loopback. */
  readonly env: Readonly<Record<string, string>>;
  /** The file that SLUICE_CONFIG names; undefined where that is not set. */
  readonly config: string | undefined;
}

/** Of the containers that run Sluice: by the image's own entry point. */
export async function processesOf(objects: readonly Manifest[]): Promise<readonly PodProcess[]> {
  const found = workloadsOf(objects).flatMap((workload) =>
    containersOf(workload)
      .filter(({ command }) => command === undefined)
      .map(async (container): Promise<PodProcess> => {
        const { args = [] } = container;
        const env = variablesOf(container);
        const path = env['SLUICE_CONFIG'];
        return {
          title: titleOf(workload.object),
          command: await commandOf(args),
          args,
          container,
          env,
          config: path === undefined ? path : mountedFile(path, workload, container, objects),
        };
      }),
  );
  return Promise.all(found);
}

/** Name of the command that the arguments call; rejects as the command line does. */
export async function commandOf(args: readonly string[]): Promise<string> {
  let called = '';
  const line = commandLine('0', async (_, { name }) => void (called = name), entries);
  await line.parseAsync(args, { from: 'user' });
  return called;
}

const variablesOf = ({ env = [] }: Container): Readonly<Record<string, string>> =>
  Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [
      name,
      value ?? (valueFrom?.fieldRef === undefined ? 'made-up' : '127.0.0.1'),
    ]),
  );

function mountedFile(
  path: string,
  { pod }: Workload,
  { volumeMounts = [] }: Container,
  objects: readonly Manifest[],
): string {
  const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const map = objects.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume?.configMap?.name,
  );
  const text = map?.data?.[path.slice((mount?.mountPath.length ?? 0) + 1)];
  if (text === undefined) throw new Error(`no ConfigMap has what is mounted at ${path}`);
  return text;
}

/** Paths of all probes; throws where one is missing. */
export const probedPaths = ({ title, container }: PodProcess): readonly string[] =>
  probeNames.map((name) => {
    const path = container[name]?.httpGet?.path;
    if (path === undefined) throw new Error(`${title} has no ${name} by HTTP`);
    return path;
  });
