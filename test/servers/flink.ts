/**
 * Apache Flink 1.20.5 with its REST endpoint on loopback, a cluster of one JVM, and a tiny job as a
 * jar (java/flink): both fetched and compiled once. With `SLUICE_FLINK_VERSION=2.2` it is Flink 2.2.1.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { jvmOptions, lineByDefault } from '../../deploy/flink/jar.ts';
import { cached } from './cache.ts';
import { childServer } from './child-server.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);
const sources = fileURLToPath(new URL('../../../test/servers/java/flink', import.meta.url));

export interface FlinkServer {
  /** Of its REST endpoint. */
  readonly url: string;
  /** A folder that it can write. */
  readonly dir: string;
  readonly log: string;
  stop(): Promise<void>;
}

export interface FlinkJars {
  /** Of the cluster. */
  readonly classPath: string;
  /** The tiny job. */
  readonly job: string;
}

export async function flinkJars(): Promise<FlinkJars> {
  const own = ['pom.xml', 'cluster/Cluster.java', 'job/Tiny.java'].map((file) =>
    join(sources, file),
  );
  const line = lineByDefault();
  const profile = line === '2.2' ? ['-P', 'flink2'] : [];
  const version = createHash('sha256').update(line);
  for (const path of own) version.update(readFileSync(path));
  const dir = await cached(`flink-${version.digest('hex').slice(0, 12)}`, async (made) => {
    const [pom = '', cluster = '', job = ''] = own;
    const [jars, classes, jobClasses] = ['jars', 'classes', 'job'].map((name) => join(made, name));
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime'];
    await run('mvn', ['-q', '-B', '-f', pom, ...profile, ...copy, `-DoutputDirectory=${jars}`], {
      maxBuffer: 1 << 26,
    });
    for (const [source, target = ''] of [
      [cluster, classes],
      [job, jobClasses],
    ]) {
      mkdirSync(target);
      const options = ['-nowarn', '--release', '11', '-cp', join(jars ?? '', '*'), '-d', target];
      await run('javac', [...options, source ?? '']);
    }
    const pack = ['--create', '--file', join(made, 'tiny.jar'), '--main-class', 'job.Tiny'];
    await run('jar', [...pack, '-C', jobClasses ?? '', '.']);
  });
  return {
    classPath: `${join(dir, 'classes')}:${join(dir, 'jars', '*')}`,
    job: join(dir, 'tiny.jar'),
  };
}

/**
 * Flink's file system of S3, as a plugin: the folder of plugins. Of the releases of 1.20 that Maven
 * Central has it is the last.
 */
export async function flinkS3Plugin(): Promise<string> {
  const version = '1.20.1';
  return cached(`flink-s3-fs-hadoop-${version}`, async (made) => {
    const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy';
    const artifact = `-Dartifact=org.apache.flink:flink-s3-fs-hadoop:${version}`;
    const into = `-DoutputDirectory=${join(made, 's3-fs-hadoop')}`;
    await run('mvn', ['-q', '-B', copy, artifact, into], { cwd: made });
  });
}

/** `settings`: more of Flink's configuration. `env`: variables of its processes. */
export async function startFlink(
  settings: Readonly<Record<string, string | number>> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<FlinkServer> {
  const { classPath } = await flinkJars();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-'));
  const port = await freePort();
  writeConfiguration(dir, { ...flinkConfiguration(dir, port), ...settings });
  const url = `http://127.0.0.1:${port}`;
  const started = await childServer({
    name: 'Flink',
    command: 'java',
    args: [
      ...[
        '-Xmx1g',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        ...jvmOptions,
        `-Djava.io.tmpdir=${join(dir, 'tmp')}`,
      ],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath],
      ...['cluster.Cluster', join(dir, 'conf')],
    ],
    env,
    isReady: async () => (await fetch(`${url}/overview`)).ok,
    readyMaxMs: 120_000,
  });
  return {
    url,
    dir,
    get log() {
      return started.log;
    },
    stop: async () => {
      await started.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

type Configuration = Readonly<Record<string, string | number | boolean>>;

/** What a cluster on loopback is told, as Flink's options. */
export function flinkConfiguration(dir: string, port: number): Configuration {
  return {
    ...{ 'rest.address': '127.0.0.1', 'rest.bind-address': '127.0.0.1', 'rest.port': port },
    ...{ 'jobmanager.rpc.address': '127.0.0.1', 'jobmanager.bind-host': '127.0.0.1' },
    ...{ 'taskmanager.host': '127.0.0.1', 'taskmanager.bind-host': '127.0.0.1' },
    // How old the state of a job may be that is told.
    'web.refresh-interval': 50,
    ...{ 'web.submit.enable': true, 'web.upload.dir': join(dir, 'upload') },
    ...{ 'io.tmp.dirs': join(dir, 'tmp'), 'parallelism.default': 1 },
    'taskmanager.memory.managed.size': '64mb',
    'taskmanager.memory.network.min': '32mb',
    'taskmanager.memory.network.max': '32mb',
    'restart-strategy.type': 'none',
    'execution.checkpointing.savepoint-dir': `file://${dir}/savepoints`,
  };
}

export function writeConfiguration(dir: string, configuration: Configuration): void {
  for (const name of ['conf', 'tmp', 'upload']) mkdirSync(join(dir, name));
  const lines = Object.entries(configuration).map(([name, value]) => `${name}: ${value}`);
  writeFileSync(join(dir, 'conf', 'config.yaml'), `${lines.join('\n')}\n`);
}
