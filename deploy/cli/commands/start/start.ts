/**
 * `sluice start`: brings up the local instance, says how to use it, and stops it in order on
 * SIGTERM and SIGINT.
 */
import { relative } from 'node:path';
import { createLog } from '../../../../ingest/telemetry/log.ts';
import type { SluiceConfig } from '../../../../schemas/config.ts';
import type { Environment } from '../../../../schemas/config-file.ts';
import { loadConfig } from '../../../../schemas/config-file.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import { httpServerNotice } from '../../../host/http-server.ts';
import type { Instance } from '../../../host/instance.ts';
import { openNotice } from '../../../host/open-to-all.ts';
import { startPlaceOf } from '../../../host/start-place.ts';
import { startLocal } from '../../../local/start.ts';
import { makeKeyFile, withKeyFile } from '../../key-file.ts';
import { createNotes } from '../../notes.ts';
import type { Output } from '../../output.ts';

export interface StartCommand {
  readonly config: string;
  readonly dir: string;
  readonly port: string | undefined;
  readonly keyFile: string | undefined;
  readonly dropState: readonly string[] | undefined;
  /** As a person writes it. */
  readonly from: string | undefined;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

/** Resolves with the exit code once the instance was stopped. */
export async function startCommand(command: StartCommand): Promise<number> {
  const { output, clock } = command;
  const startedMs = clock.monotonic();
  const stopped = stopSignal();
  const note = createNotes(output, output.json, clock);
  const readConfig = configReader(command, note);
  const config = readConfig();
  const local = await startLocal({
    config,
    dir: command.dir,
    clock,
    random: command.random,
    ...(command.dropState === undefined ? {} : { dropState: command.dropState }),
    ...startPlaceOf(command.from, clock.now()),
    tell: note,
    log: createLog({ level: config.ingress.logLevel, json: output.json, to: process.stderr }),
    readConfig,
    keyFile: command.keyFile,
  });
  tellOfHttpServer(output);
  const readyMs = Math.round(clock.monotonic() - startedMs);
  if (output.json)
    output.line(
      JSON.stringify({
        ready: true,
        readyMs,
        ...local.instance,
        dir: command.dir,
        streams: config.streams.map((stream) => stream.name),
      }),
    );
  else for (const line of greeting(config, local.instance, command, readyMs)) output.line(line);
  void local.topologiesStarted.then(async () => {
    const { topologies } = await local.status();
    for (const { file, name, state } of topologies)
      if (state === 'running') note(`topology ${name} (${file}) runs`);
  });
  const signal = await stopped;
  note(`${signal}: stopping; no new requests, then a last checkpoint`);
  await local.stop();
  note('stopped');
  return 0;
}

type Configured = Pick<StartCommand, 'config' | 'env' | 'port' | 'keyFile' | 'random'>;

/**
 * What reads the configuration, now and later, with what the command line adds to it. The file of
 * the key is made first where it is missing. Throws `SluiceError` `key-file-invalid`.
 */
export function configReader(
  { config, env, port, keyFile, random }: Configured,
  tell: (line: string) => void,
): () => SluiceConfig {
  if (keyFile !== undefined && makeKeyFile(keyFile, random))
    tell(`a new key for all streams is in ${keyFile}`);
  return () => withKeyFile(withPort(loadConfig(config, env), port), keyFile);
}

export function withPort(config: SluiceConfig, port: string | undefined): SluiceConfig {
  return port === undefined
    ? config
    : { ...withMetricsPort(config, port), ingress: { ...config.ingress, port: portOf(port) } };
}

/** Whoever takes any free port for events may not fail on the one of metrics. */
export function withMetricsPort(config: SluiceConfig, port: string): SluiceConfig {
  return portOf(port) === 0 ? { ...config, metrics: { ...config.metrics, port: 0 } } : config;
}

export function portOf(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new SluiceError(
    'port-invalid',
    `invalid --port '${text}': expected a whole number from 0 to 65535`,
  );
}

/** Says once when the binary of the HTTP server in use has known faults. */
export function tellOfHttpServer(output: Output): void {
  const notice = httpServerNotice();
  if (notice !== undefined) output.note(notice);
}

export function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
  });
}

function greeting(
  config: SluiceConfig,
  { url, metrics }: Instance,
  command: StartCommand,
  readyMs: number,
): readonly string[] {
  const [stream] = config.streams;
  const name = stream?.name ?? 'team/app';
  const weather = config.streams.find((candidate) => candidate.name === 'nyc/weather');
  const body =
    weather !== undefined
      ? `{"id":"first","data":{"origin":"JFK","observed":"2013-01-01T12:00:00Z","temp":39,"dewp":26,"humid":59.4,"wind_dir":270,"wind_speed":10.4,"wind_gust":null,"precip":0,"pressure":1012,"visib":10}}`
      : stream?.envelope === 'sluice'
        ? '{"data":{"hello":"world"}}'
        : '{"hello":"world"}';
  const target = weather?.name ?? name;
  const open = openNotice(config);
  const key =
    command.keyFile === undefined ? '' : ` -H "x-api-key: $(head -n 1 ${command.keyFile})"`;
  const dirFlag = command.dir === '.sluice' ? '' : ` --dir ${command.dir}`;
  return [
    `Sluice is ready in ${readyMs} ms at ${url}`,
    `  streams   ${config.streams.map((each) => each.name).join(', ')}   (${relative(process.cwd(), command.config) || command.config})`,
    `  all local data is in ${command.dir}; tables in ${command.dir}/lake, as Parquet`,
    `  metrics   ${metrics}   (Prometheus)`,
    ...(open === undefined ? [] : [`  ${open}`]),
    '',
    'Send an event:',
    `  curl -i ${url}/v1/${target} -H 'content-type: application/json'${key} -d '${body}'`,
    '',
    'Look at the results, a few seconds later:',
    `  npx --no sluice${dirFlag} query "SELECT * FROM ${weather === undefined ? 'rejected' : 'weather'}"`,
    `  npx --no sluice${dirFlag} status`,
    '',
  ];
}
