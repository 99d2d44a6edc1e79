/**
 * A standalone worker of Kafka Connect on loopback, with the connectors that come with Kafka and a
 * transformation of ours that shows what a connector is given (java/connect/RecordAsJson.java).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childServer } from './child-server.ts';
import { freePort } from './free-port.ts';
import { classPath } from './jars.ts';

export type Properties = Readonly<Record<string, string>>;

export interface KafkaConnect {
  stop(): Promise<void>;
}

interface ConnectorStatus {
  readonly connector: { readonly state: string };
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[];
}

/** Resolves when all connectors run. `worker` is added to what every worker needs. */
export async function startKafkaConnect(
  worker: Properties,
  connectors: readonly Properties[],
): Promise<KafkaConnect> {
  const classes = await classPath('connect');
  const dir = mkdtempSync(join(tmpdir(), 'sluice-connect-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  const fileOf = (name: string, properties: Properties): string => {
    const file = join(dir, `${name}.properties`);
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(file, lines.join(''));
    return file;
  };
  const files = [
    fileOf('worker', {
      listeners: url,
      'offset.storage.file.filename': join(dir, 'offsets'),
      'offset.flush.interval.ms': '200',
      ...worker,
    }),
    ...connectors.map((properties, nth) => fileOf(`connector-${nth}`, properties)),
  ];
  const isRunning = async ({ name }: Properties): Promise<boolean> => {
    const answer = await fetch(`${url}/connectors/${name}/status`);
    if (!answer.ok) return false;
    const { connector, tasks } = (await answer.json()) as ConnectorStatus;
    return [connector, ...tasks].every(({ state }) => state === 'RUNNING') && tasks.length > 0;
  };
  const server = await childServer({
    name: 'Kafka Connect',
    command: 'java',
    args: [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', classes],
      ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'],
      ...['org.apache.kafka.connect.cli.ConnectStandalone', ...files],
    ],
    isReady: async () => (await Promise.all(connectors.map(isRunning))).every(Boolean),
  });
  return {
    async stop() {
      await server.kill();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
