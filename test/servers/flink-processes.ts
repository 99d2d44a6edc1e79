/**
 * Apache Flink as its parts are in production: a JobManager and task managers, each a JVM of its
 * own, on loopback. Task managers can be killed, and others start in their place.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jvmOptions } from '../../deploy/flink/jar.ts';
import type { ChildServer } from './child-server.ts';
import { childServer } from './child-server.ts';
import { flinkConfiguration, flinkJars, writeConfiguration } from './flink.ts';
import { freePort } from './free-port.ts';

export interface FlinkProcessesOptions {
  /** Default 1, with one slot each. */
  readonly taskManagers?: number;
  readonly slots?: number;
  /** Of each task manager; default 512. */
  readonly heapMb?: number;
  /** More of Flink's configuration. */
  readonly settings?: Readonly<Record<string, string | number>>;
  /** Put before the command of a task manager, such as `taskset -c 0`. */
  readonly taskManagerPrefix?: readonly string[];
  readonly taskManagerJvm?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface FlinkProcesses {
  /** Of the REST endpoint. */
  readonly url: string;
  /** A folder that all can write. */
  readonly dir: string;
  readonly jobManager: ChildServer;
  readonly taskManagers: readonly ChildServer[];
  /** What all said lately. */
  readonly log: string;
  /** SIGKILL; resolves when another one in its place is registered. */
  killTaskManager(index: number): Promise<void>;
  stop(): Promise<void>;
}

/** A JobManager needs little for one job. */
const jobManagerHeapMb = 384;
const readyMaxMs = 120_000;

/** What Flink's scripts would derive of a machine's memory (taskmanager.sh), and fast detection. */
function configurationOf(
  dir: string,
  port: number,
  rpcPort: number,
  heapMb: number,
  slots: number,
) {
  return {
    ...flinkConfiguration(dir, port),
    'jobmanager.rpc.port': rpcPort,
    ...{ 'taskmanager.numberOfTaskSlots': slots, 'taskmanager.cpu.cores': slots },
    'taskmanager.memory.framework.heap.size': '64mb',
    'taskmanager.memory.task.heap.size': `${heapMb - 64}mb`,
    'taskmanager.memory.framework.off-heap.size': '64mb',
    'taskmanager.memory.task.off-heap.size': '64mb',
    'taskmanager.memory.jvm-metaspace.size': '256mb',
    ...{ 'taskmanager.memory.jvm-overhead.min': '192mb' },
    ...{ 'taskmanager.memory.jvm-overhead.max': '192mb' },
    // A task manager that was killed is noticed by calls that it refuses; on a machine that has much
    // else to do one that lives may be slow.
    ...{ 'heartbeat.interval': 500, 'heartbeat.timeout': 120_000, 'pekko.ask.timeout': '120s' },
    'restart-strategy.type': 'fixed-delay',
    'restart-strategy.fixed-delay.attempts': 100,
    'restart-strategy.fixed-delay.delay': '200ms',
    'execution.checkpointing.dir': `file://${dir}/checkpoints`,
  };
}

export async function startFlinkProcesses(
  options: FlinkProcessesOptions = {},
): Promise<FlinkProcesses> {
  const { heapMb = 512, slots = 1, settings = {}, env = {} } = options;
  const { classPath } = await flinkJars();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-'));
  const [port, rpcPort] = [await freePort(), await freePort()];
  writeConfiguration(dir, { ...configurationOf(dir, port, rpcPort, heapMb, slots), ...settings });
  const url = `http://127.0.0.1:${port}`;
  const jvm = [
    ...jvmOptions,
    `-Djava.io.tmpdir=${join(dir, 'tmp')}`,
    ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-cp', classPath],
  ];
  const run = (
    name: string,
    before: readonly string[],
    args: readonly string[],
    isReady: () => Promise<boolean>,
  ) => {
    const [command, ...first] = [...before, 'java'] as const;
    return childServer({ name, command, args: [...first, ...args], env, isReady, readyMaxMs });
  };
  const configDir = ['--configDir', join(dir, 'conf')];
  let started = 0;
  const registered = async (): Promise<readonly string[]> => {
    const answer = (await (await fetch(`${url}/taskmanagers`)).json()) as {
      readonly taskmanagers: readonly { readonly id: string }[];
    };
    return answer.taskmanagers.map(({ id }) => id);
  };
  const startTaskManager = (): Promise<ChildServer> => {
    const id = `task-manager-${started++}`;
    const main = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner';
    return run(
      id,
      options.taskManagerPrefix ?? [],
      [
        ...[`-Xmx${heapMb}m`, ...(options.taskManagerJvm ?? []), ...jvm, main, ...configDir],
        ...['-D', `taskmanager.resource-id=${id}`],
      ],
      async () => (await registered()).includes(id),
    );
  };
  const main = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint';
  const jobManager = await run(
    'the JobManager',
    [],
    [
      `-Xmx${jobManagerHeapMb}m`,
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      ...jvm,
      main,
      ...configDir,
    ],
    async () => (await fetch(`${url}/overview`)).ok,
  );
  const taskManagers: ChildServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(taskManagers.map((one) => one.stop()));
    await jobManager.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const starting = Array.from({ length: options.taskManagers ?? 1 }, startTaskManager);
    taskManagers.push(...(await Promise.all(starting)));
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return {
    ...{ url, dir, jobManager, taskManagers, stop },
    get log() {
      return [jobManager, ...taskManagers].map(({ log }) => log).join('\n');
    },
    async killTaskManager(index) {
      await taskManagers[index]?.kill();
      taskManagers[index] = await startTaskManager();
    },
  };
}
